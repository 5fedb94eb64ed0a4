"""Running the checking child and believing nothing but its one line."""

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from chassis.errors import Unavailable
from chassis.logs import get_logger
from crm_customer.files.rules import MIB, RefusedFile

MEMORY_BYTES = 768 * MIB
SECONDS = 30
_INHERITED = ("PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH")
_AT_ONCE = threading.BoundedSemaphore(2)
_QUEUE_SECONDS = 20
log = get_logger(__name__)


def inspect_file(path: Path, extension: str) -> bytes | None:
    """Check a file in a process of its own (`checking.check`). Returns a picture's preview.

    Raises RefusedFile (file_unreadable when the child breaks down), Unavailable when too many are being checked.
    """
    if not _AT_ONCE.acquire(timeout=_QUEUE_SECONDS):
        raise Unavailable("overloaded", retry_after_seconds=5)
    try:
        answer = _answer(path, extension)
    finally:
        _AT_ONCE.release()
    if "refused" in answer:
        raise RefusedFile(answer["refused"], **answer["parameters"])
    return base64.b64decode(answer["preview"]) if answer["preview"] else None


def _answer(path: Path, extension: str) -> dict[str, Any]:
    order = {"path": str(path), "extension": extension, "memory_bytes": MEMORY_BYTES, "seconds": SECONDS}
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "crm_customer.files.child"],
            input=json.dumps(order).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, "PYTHONUTF8": "1"},
            timeout=SECONDS,
            check=True,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        log.warning("file_check_broke_down", extension=extension, error=type(error).__name__)
        raise RefusedFile("file_unreadable") from error
    return answer
