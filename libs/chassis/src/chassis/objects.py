"""The object store: files by key, in a local folder or any S3, behind the same calls."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlparse

import obstore
from obstore.store import LocalStore, from_url
from obstore.store import ObjectStore as ObstoreStore


class ObjectStore:
    """Files by key, for example ``imports/<job>/source``. Not fork-safe: open it in the process that uses it."""

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
        obstore.put(self._store, key, content if isinstance(content, bytes) else iter(content))

    def get(self, key: str) -> bytes:
        """The whole content. Raises FileNotFoundError."""
        return obstore.get(self._store, key).bytes().to_bytes()

    def stream(self, key: str) -> Iterator[bytes]:
        """The content in pieces. Raises FileNotFoundError."""
        for piece in obstore.get(self._store, key).stream():
            yield bytes(piece)

    def delete(self, *keys: str) -> None:
        """Remove what is there; a missing key is fine."""
        for key in keys:
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                continue

    def check(self) -> None:
        """Raises when the store does not answer."""
        next(iter(obstore.list(self._store, prefix="health", chunk_size=1)), None)
