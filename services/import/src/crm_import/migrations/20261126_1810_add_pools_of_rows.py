"""Add the pools that rows' customers lie in, and what they are called.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "import_0006"
down_revision = "import_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("import_jobs", sa.Column("pool_names", JSONB, nullable=False, server_default="{}"))
    op.add_column("row_results", sa.Column("pool_id", sa.Uuid))
