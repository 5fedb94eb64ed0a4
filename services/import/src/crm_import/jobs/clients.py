"""The object store, where uploaded files lie; its absence is a 503, never a broken import."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from obstore.exceptions import BaseError

from chassis.errors import Unavailable
from chassis.runtime import Runtime
from crm_import.reading.process import Limits
from crm_import.settings import import_settings

_PIECE_BYTES = 1024 * 1024


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn a failing object store into Unavailable; FileNotFoundError passes."""
    try:
        yield
    except BaseError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise Unavailable("object_store_unavailable", retry_after_seconds=5) from error


def store_file(runtime: Runtime, key: str, path: Path) -> None:
    """Stream a local file into the object store. Raises Unavailable."""
    with store_errors(), path.open("rb") as file:
        runtime.object_store().put(key, iter(lambda: file.read(_PIECE_BYTES), b""))


def delete_files(runtime: Runtime, *keys: str) -> None:
    """Remove files that may not be there. Raises Unavailable."""
    with store_errors():
        runtime.object_store().delete(*keys)


@contextmanager
def fetched(runtime: Runtime, key: str, file_format: str) -> Iterator[Path]:
    """A temporary local copy of a stored file, named so that its format shows. Raises Unavailable, FileNotFoundError."""
    with tempfile.NamedTemporaryFile(prefix="highsea-import-", suffix=f".{file_format}") as file:
        with store_errors():
            for piece in runtime.object_store().stream(key):
                file.write(piece)
        file.flush()
        yield Path(file.name)


def reader_limits(runtime: Runtime) -> Limits:
    """What the process that opens a file may use."""
    settings = import_settings(runtime)
    return Limits(settings.import_reader_memory_bytes, settings.import_reader_seconds)
