"""Where the servers of tests keep their files."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30


@contextmanager
def server_folder(prefix: str) -> Iterator[Path]:
    """A folder that unprivileged servers can reach, unlike pytest's own. It lies in memory where there is room: a database
    for each test makes tens of gigabytes that nobody reads again.
    """
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    parent = MEMORY if has_room else None
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
