"""Calls of the switchboard, their callers, and the secret by which they are reported (C-06, decision 0038).

The running release must survive this file: add first, remove in a later release. It knows nothing of the tables.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "customer_0009"
down_revision = "customer_0008"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "callers",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Text(collation="C"), nullable=False),
        sa.Column("spellings", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("last_called_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_callers"),
        sa.UniqueConstraint("number", name="uq_callers_number"),
    )
    op.create_index("ix_callers_last_called_at_id", "callers", ["last_called_at", "id"])
    op.create_table(
        "calls",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("caller_id", sa.Uuid, nullable=False),
        sa.Column("hotline", sa.Text, nullable=False),
        sa.Column("called_at", _MOMENT, nullable=False),
        sa.Column("answered", sa.Boolean, nullable=False),
        sa.Column("seconds", sa.Integer, nullable=False),
        sa.Column("extension", sa.Text),
        sa.Column("reported_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.UniqueConstraint("call_id", name="uq_calls_call_id"),
        sa.ForeignKeyConstraint(["caller_id"], ["callers.id"], name="fk_calls_caller_id_callers"),
    )
    op.create_index("ix_calls_caller_id_called_at_id", "calls", ["caller_id", "called_at", "id"])
    op.create_index("ix_calls_called_at", "calls", ["called_at"])
    op.create_table(
        "switchboard_secrets",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("created_by", sa.Uuid, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_switchboard_secrets"),
    )


def downgrade() -> None:
    for table in ("switchboard_secrets", "calls", "callers"):
        op.drop_table(table)
