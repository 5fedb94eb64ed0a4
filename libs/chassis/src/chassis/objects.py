"""The object store: files by key, in a local folder or any S3, behind the same calls."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from obstore.store import ObjectStore as ObstoreStore

from chassis.errors import Unavailable

PIECE_BYTES = 1024 * 1024
# Parts of 5 MB that are on their way at once: what a large file costs of memory.
_PARTS_AT_ONCE = 2


class ObjectStore:
    """Files by key, for example ``imports/<job>/source``. Not fork-safe: open it in the process that uses it.

    Every call but `check` raises Unavailable object_store_unavailable while the store does not answer.
    """

    def __init__(self, url: str) -> None:
        """`url` is file:///folder (made when missing) or s3://bucket/prefix."""
        parts = urlparse(url)
        if parts.scheme == "file":
            Path(parts.path).mkdir(parents=True, exist_ok=True)
            self._store: ObstoreStore = LocalStore(parts.path, mkdir=True)
        else:
            self._store = from_url(url)

    def put(self, key: str, content: bytes | Iterable[bytes]) -> None:
        """Store `content`, all or nothing, replacing what was there."""
        pieces = content if isinstance(content, bytes) else iter(content)
        with _answering():
            obstore.put(self._store, key, pieces, max_concurrency=_PARTS_AT_ONCE)

    def put_file(self, key: str, path: Path) -> None:
        """Store the content of a local file, piece by piece."""
        with path.open("rb") as file:
            self.put(key, iter(lambda: file.read(PIECE_BYTES), b""))

    def get(self, key: str) -> bytes:
        """The whole content. Raises FileNotFoundError."""
        with _answering():
            return obstore.get(self._store, key).bytes().to_bytes()

    def stream(self, key: str) -> Iterator[bytes]:
        """The content in pieces. Raises FileNotFoundError."""
        with _answering():
            for piece in obstore.get(self._store, key).stream():
                yield bytes(piece)

    def delete(self, *keys: str) -> None:
        """Remove what is there; a missing key is fine."""
        with _answering():
            for key in keys:
                try:
                    obstore.delete(self._store, key)
                except FileNotFoundError:
                    continue

    def check(self) -> None:
        """Raises when the store does not answer."""
        next(iter(obstore.list(self._store, prefix="health", chunk_size=1)), None)


@contextmanager
def _answering() -> Iterator[None]:
    """Turn a failing store into Unavailable; FileNotFoundError is none of its errors and passes."""
    try:
        yield
    except BaseError as error:
        raise Unavailable("object_store_unavailable", retry_after_seconds=5) from error
