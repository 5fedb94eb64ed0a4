"""Keep what customer says of locks, WeCom friends, levels and collaborators; and the effects of each change of place.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "pool_0003"
down_revision = "pool_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("locked", "wecom_friend"):
        op.add_column("customers", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("customers", sa.Column("level", sa.Text, nullable=False, server_default=""))
    op.add_column("customers", sa.Column("collaborator_ids", JSONB, nullable=False, server_default=sa.text("'[]'")))
    op.add_column("assignment_history", sa.Column("following", JSONB))
    op.add_column("assignment_history", sa.Column("former_owner", sa.Text))
    op.add_column("assignment_history", sa.Column("undoes_version", sa.BigInteger))


def downgrade() -> None:
    for name in ("following", "former_owner", "undoes_version"):
        op.drop_column("assignment_history", name)
    for name in ("locked", "wecom_friend", "level", "collaborator_ids"):
        op.drop_column("customers", name)
