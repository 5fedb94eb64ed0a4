"""Folders that become images: the same content has the same times, modes and hash on every machine."""

import hashlib
import os
from pathlib import Path


def normalise(folder: Path) -> None:
    """Gives every file the time 0, and modes that do not depend on the umask of whoever builds."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (0, 0), follow_symlinks=False)


def digest(folder: Path, *more: str) -> str:
    """A hash over the names, modes and content of all files of a folder, and over further words."""
    result = hashlib.sha256()
    for word in more:
        result.update(f"{word}\n".encode())
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        result.update(f"{path.relative_to(folder)} {status.st_mode:o} {status.st_size}\n".encode())
        if path.is_symlink():
            result.update(str(path.readlink()).encode())
        elif path.is_file():
            result.update(path.read_bytes())
    return result.hexdigest()
