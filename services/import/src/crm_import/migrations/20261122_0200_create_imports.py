"""Create imports.

The running release must survive this file: add first, remove in a later release.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "import_0001"
down_revision = None
branch_labels = ("import",)
depends_on = None


def upgrade() -> None:
    _create_jobs()
    _create_chunks()
    _create_results()


def _create_jobs() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "import_jobs",
        _needed("id", UUID(as_uuid=True)),
        _needed("version", sa.BigInteger),
        _needed("created_by", UUID(as_uuid=True)),
        _needed("status", sa.Text),
        _needed("file_name", sa.Text),
        _needed("file_bytes", sa.Integer),
        _needed("file_format", sa.Text),
        _needed("sheets", ARRAY(sa.Text)),
        sa.Column("sheet", sa.Text),
        sa.Column("encoding", sa.Text),
        sa.Column("delimiter", sa.Text),
        _needed("header_row", sa.Integer),
        _needed("columns", JSONB),
        _needed("rows_estimate", sa.Integer),
        _needed("mapping", JSONB),
        _needed("mode", sa.Text),
        _needed("match_fields", ARRAY(sa.Text)),
        sa.Column("target_pool_id", UUID(as_uuid=True)),
        _needed("clear_empty", sa.Boolean),
        _needed("mobile_required", sa.Boolean),
        *(_needed(name, sa.Integer) for name in ("total", "created", "updated", "skipped", "failed", "split_tries")),
        sa.Column("failure_code", sa.Text),
        _needed("failure_parameters", JSONB),
        _needed("created_at", moment),
        sa.Column("started_at", moment),
        sa.Column("finished_at", moment),
        _needed("touched_at", moment),
        _needed("is_settled", sa.Boolean),
        _needed("are_results_expired", sa.Boolean),
        sa.PrimaryKeyConstraint("id", name="pk_import_jobs"),
    )
    op.create_index("ix_import_jobs_created_by", "import_jobs", ["created_by", "id"])
    op.create_index("ix_import_jobs_status", "import_jobs", ["status", "touched_at"])


def _create_chunks() -> None:
    op.create_table(
        "import_chunks",
        _needed("id", UUID(as_uuid=True)),
        _needed("job_id", UUID(as_uuid=True)),
        _needed("number", sa.Integer),
        _needed("rows", sa.Integer),
        _needed("status", sa.Text),
        *(_needed(name, sa.Integer) for name in ("tries", "created", "updated", "skipped", "failed")),
        _needed("touched_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_import_chunks"),
        sa.UniqueConstraint("job_id", "number", name="uq_import_chunks_job_id_number"),
        sa.ForeignKeyConstraint(["job_id"], ["import_jobs.id"], name="fk_import_chunks_job_id_import_jobs"),
    )
    op.create_index(
        "ix_import_chunks_queued", "import_chunks", ["touched_at"], postgresql_where=sa.text("status = 'queued'")
    )


def _create_results() -> None:
    op.create_table(
        "row_results",
        _needed("job_id", UUID(as_uuid=True)),
        _needed("row_number", sa.Integer),
        _needed("outcome", sa.Text),
        sa.Column("customer_id", UUID(as_uuid=True)),
        _needed("problems", JSONB),
        sa.Column("cells", JSONB),
        sa.PrimaryKeyConstraint("job_id", "row_number", name="pk_row_results"),
    )
    op.create_index("ix_row_results_outcome", "row_results", ["job_id", "outcome", "row_number"])


def _needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)
