"""Add what rehearsals, decisions, corrections, undo, saved mappings and exports keep.

The running release must survive this file: add first, remove in a later release.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "import_0004"
down_revision = "import_0003"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _extend_jobs()
    _extend_chunks_and_results()
    _create_plans()
    _create_corrections()
    _create_saved_mappings()
    _create_exports()


def _extend_jobs() -> None:
    for name in ("quote", "date_order"):
        op.add_column("import_jobs", sa.Column(name, sa.Text))
    for name in ("undone", "rows_left", "undecided"):
        op.add_column("import_jobs", _counted(name))
    op.add_column("import_jobs", _needed("stage", sa.Text, server_default="write"))
    for name in ("rehearsed_at", "undone_at"):
        op.add_column("import_jobs", sa.Column(name, _MOMENT))
    for name in ("undone_by", "saved_mapping_id"):
        op.add_column("import_jobs", sa.Column(name, UUID(as_uuid=True)))


def _extend_chunks_and_results() -> None:
    for name in ("undone", "rows_left"):
        op.add_column("import_chunks", _counted(name))
    op.add_column("import_chunks", _needed("is_retry", sa.Boolean, server_default=sa.false()))
    op.add_column("row_results", sa.Column("owner_id", UUID(as_uuid=True)))
    op.add_column("row_results", sa.Column("undo", sa.Text))
    op.add_column("row_results", sa.Column("undo_problems", JSONB))
    op.add_column("row_results", sa.Column("retried_in", sa.Integer))
    tried_again = sa.text("retried_in IS NOT NULL")
    op.create_index("ix_row_results_retried_in", "row_results", ["job_id", "retried_in"], postgresql_where=tried_again)
    left = sa.text("undo IS NOT NULL")
    op.create_index("ix_row_results_undo", "row_results", ["job_id", "undo", "row_number"], postgresql_where=left)


def _create_plans() -> None:
    op.create_table(
        "row_plans",
        _needed("job_id", UUID(as_uuid=True)),
        _needed("row_number", sa.Integer),
        _needed("outcome", sa.Text),
        sa.Column("record_id", UUID(as_uuid=True)),
        sa.Column("matched_by", sa.Text),
        _needed("changes", JSONB),
        sa.Column("owner_id", UUID(as_uuid=True)),
        sa.Column("pool_id", UUID(as_uuid=True)),
        _needed("problems", JSONB),
        _needed("cells", JSONB),
        sa.Column("decision", sa.Text),
        sa.PrimaryKeyConstraint("job_id", "row_number", name="pk_row_plans"),
    )
    op.create_index("ix_row_plans_outcome", "row_plans", ["job_id", "outcome", "row_number"])
    op.create_index("ix_row_plans_owner_id", "row_plans", ["job_id", "owner_id"])


def _create_corrections() -> None:
    op.create_table(
        "row_corrections",
        _needed("job_id", UUID(as_uuid=True)),
        _needed("row_number", sa.Integer),
        _needed("cells", JSONB),
        _needed("corrected_at", _MOMENT),
        sa.PrimaryKeyConstraint("job_id", "row_number", name="pk_row_corrections"),
    )


def _create_saved_mappings() -> None:
    op.create_table(
        "saved_mappings",
        _needed("id", UUID(as_uuid=True)),
        _needed("version", sa.BigInteger),
        _needed("member_id", UUID(as_uuid=True)),
        _needed("kind", sa.Text),
        _needed("name", sa.Text),
        _needed("fields", JSONB),
        _needed("settings", JSONB),
        _needed("created_at", _MOMENT),
        _needed("used_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_saved_mappings"),
        sa.UniqueConstraint("member_id", "kind", "name", name="uq_saved_mappings_member_id_kind_name"),
    )


def _create_exports() -> None:
    op.create_table(
        "export_jobs",
        _needed("id", UUID(as_uuid=True)),
        _needed("version", sa.BigInteger),
        _needed("created_by", UUID(as_uuid=True)),
        _needed("kind", sa.Text),
        _needed("format", sa.Text),
        _needed("selection", sa.LargeBinary),
        _needed("fields", ARRAY(sa.Text)),
        _needed("status", sa.Text),
        *(_counted(name) for name in ("total", "rows", "left_out", "tries")),
        _needed("file_name", sa.Text),
        sa.Column("file_bytes", sa.BigInteger),
        sa.Column("failure_code", sa.Text),
        _needed("failure_parameters", JSONB, server_default="{}"),
        _needed("created_at", _MOMENT),
        _needed("touched_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.Column("expires_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_export_jobs"),
    )
    op.create_index("ix_export_jobs_created_by", "export_jobs", ["created_by", "id"])
    under_way = sa.text("status IN ('queued', 'running')")
    op.create_index("ix_export_jobs_under_way", "export_jobs", ["touched_at"], postgresql_where=under_way)
    kept = sa.text("file_bytes IS NOT NULL")
    op.create_index("ix_export_jobs_expires_at", "export_jobs", ["expires_at"], postgresql_where=kept)


def _counted(name: str) -> sa.Column[Any]:
    return _needed(name, sa.Integer, server_default="0")


def _needed(name: str, kind: Any, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **more)
