"""Add the kind of an import; those so far were of customers.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op

revision = "import_0002"
down_revision = "import_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("import_jobs", sa.Column("kind", sa.Text, nullable=False, server_default="customers"))
