"""Files of the object store as local files, and what reading them may use."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chassis.runtime import Runtime
from crm_import.reading.process import Limits
from crm_import.settings import import_settings


@contextmanager
def fetched(runtime: Runtime, key: str, file_format: str) -> Iterator[Path]:
    """A temporary local copy of a stored file, named so that its format shows. Raises Unavailable, FileNotFoundError."""
    with tempfile.NamedTemporaryFile(prefix="highsea-import-", suffix=f".{file_format}") as file:
        for piece in runtime.object_store().stream(key):
            file.write(piece)
        file.flush()
        yield Path(file.name)


def reader_limits(runtime: Runtime) -> Limits:
    """What the process that opens a file may use."""
    settings = import_settings(runtime)
    return Limits(settings.import_reader_memory_bytes, settings.import_reader_seconds)
