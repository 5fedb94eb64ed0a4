"""Settings of the import service, beside those of every service."""

from typing import cast

from pydantic import Field

from chassis.runtime import Runtime
from chassis.settings import ServiceSettings


class ImportSettings(ServiceSettings):
    """Environment variables of import."""

    import_max_rows: int = Field(default=200_000, ge=1, description="most rows of one file (D-47)")
    import_chunk_rows: int = Field(default=1000, ge=1, le=1000, description="rows of a chunk")
    import_chunk_workers: int = Field(default=2, ge=1, le=8, description="chunks one process handles at once")
    import_bulk_seconds: float = Field(default=60, gt=0, description="how long writing a chunk may take")
    import_silent_seconds: int = Field(
        default=600, ge=1, description="silence after which a chunk or split is published again"
    )
    import_reader_memory_bytes: int = Field(
        default=1024**3, ge=256 * 1024**2, description="address space of the process that opens a file"
    )
    import_reader_seconds: int = Field(default=120, ge=5, description="time that opening or splitting a file may take")
    import_error_rows: int = Field(default=50_000, ge=1, description="most rows of an error list (25 s of writing)")
    import_results_days: int = Field(default=30, ge=1, description="how long files and row results are kept")
    export_kept_days: int = Field(default=7, ge=1, description="how long exported files can be fetched")
    export_rows_per_day: int = Field(
        default=0, ge=0, description="most rows that a member exports on a day of the organisation, 0: no limit"
    )


def import_settings(runtime: Runtime) -> ImportSettings:
    """The settings of a running import process."""
    return cast("ImportSettings", runtime.settings)
