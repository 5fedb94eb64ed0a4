"""Index results by outcome but for created ones, which are nearly all and need no index.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op

revision = "import_0007"
down_revision = "import_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_row_results_outcome", "row_results")
    columns, others = ["job_id", "outcome", "row_number"], sa.text("outcome <> 'created'")
    op.create_index("ix_row_results_outcome", "row_results", columns, postgresql_where=others)
