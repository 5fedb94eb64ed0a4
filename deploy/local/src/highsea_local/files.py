"""Files that must never be half written, secrets, and folders another operating system user can reach."""

import json
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from highsea_local.spawn import User


def write_text(path: Path, text: str, mode: int = 0o644, is_synced: bool = True) -> None:
    """Replaces a file in one step, so that a reader or a crash sees the old text or the new one. Raises OSError.

    ``is_synced`` false saves the wait for the disk, for what need not survive a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if is_synced:
                os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any, mode: int = 0o644, is_synced: bool = True) -> None:
    """Like :func:`write_text` for a JSON value, with Chinese readable."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", mode, is_synced)


def unprivileged_user() -> User:
    """The user ``nobody``, under whom root runs what refuses root. Raises KeyError where there is none."""
    entry = pwd.getpwnam("nobody")
    return User(entry.pw_uid, entry.pw_gid)


def can_traverse(path: Path, user: User) -> bool:
    """Whether the user may enter every folder above ``path`` (judged by mode bits alone; missing folders pass)."""
    for folder in path.resolve().parents:
        try:
            status = folder.stat()
        except FileNotFoundError:
            continue
        if status.st_uid == user.uid:
            bit = stat.S_IXUSR
        elif status.st_gid == user.gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if not status.st_mode & bit:
            return False
    return True


@contextmanager
def workspace(prefix: str = "highsea-test-") -> Iterator[Path]:
    """A temporary folder that PostgreSQL's user can traverse, deleted at the end. For tests.

    pytest's own ``tmp_path`` lies under folders of mode 0700, which an unprivileged PostgreSQL cannot enter when
    the tests run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
