"""Add whether rows were corrected after a rehearsal.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op

revision = "import_0005"
down_revision = "import_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "import_jobs", sa.Column("is_rehearsal_outdated", sa.Boolean, nullable=False, server_default=sa.false())
    )
