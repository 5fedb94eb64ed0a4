"""Free TCP ports on the loopback address, reserved so that tests running side by side never pick the same one."""

import contextlib
import fcntl
import os
import random
import socket
import tempfile
import threading
from pathlib import Path

LOWEST, HIGHEST = 11_000, 31_999  # below the range from which Linux takes ports for outgoing connections
_RESERVED: dict[int, int] = {}  # the open lock file of each port, closed by release or our end
_GUARD = threading.Lock()


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody accepts connections on the port now."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1.0):
        return True
    return False


def free_port() -> int:
    """A free port, reserved for this process until it ends or calls :func:`release`.

    Raises:
        OSError: No free port was found in a thousand tries.
    """
    for _ in range(1_000):
        port = random.randint(LOWEST, HIGHEST)
        if reserve(port):
            return port
    raise OSError("no free TCP port on 127.0.0.1")


def reserve(port: int) -> bool:
    """Reserves a port among all processes of this machine that use this module. False when taken or busy."""
    with _GUARD:
        if port in _RESERVED or not is_free(port):
            return False
        lock = _lock_file(port)
        if lock is None:
            return False
        _RESERVED[port] = lock
        return True


def release(port: int) -> None:
    """Gives a reserved port back; does nothing for one that was never reserved."""
    with _GUARD:
        lock = _RESERVED.pop(port, None)
    if lock is not None:
        os.close(lock)


def _lock_file(port: int) -> int | None:
    folder = Path(tempfile.gettempdir()) / f"highsea-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = os.open(folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file
