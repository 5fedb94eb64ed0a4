"""Running the reading child and believing nothing but its exit status and its JSON lines."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from openpyxl.styles.numbers import BUILTIN_FORMATS

from chassis.errors import Unavailable
from chassis.logs import get_logger
from crm_import.kinds.kind import Kind
from crm_import.reading.sniff import RefusedFile
from crm_import.reading.split import Cut, chunk_file
from crm_import.reading.tables import Layout

_INHERITED = ("PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "LD_LIBRARY_PATH")
_AT_ONCE = threading.BoundedSemaphore(2)
_QUEUE_SECONDS = 20
log = get_logger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a child may use: bytes of address space, seconds by the clock (and of the processor)."""

    memory_bytes: int
    seconds: int


def read_preview(
    path: Path, file_name: str, kind: Kind, layout: Layout, header_row: int | None, limits: Limits
) -> dict[str, Any]:
    """What `reading.preview` answers, with the file's `format`.

    Raises RefusedFile (file_unreadable when the child breaks down), Unavailable when too many are being read.
    """
    order = {
        "verb": "preview",
        "path": str(path),
        "file_name": file_name,
        "kind": kind.name,
        "custom": [asdict(field) for field in kind.custom],
        "layout": asdict(layout),
        "header_row": header_row,
    }
    if not _AT_ONCE.acquire(timeout=_QUEUE_SECONDS):
        raise Unavailable("overloaded", retry_after_seconds=5)
    try:
        return _spelt_out(next(_answers(order, limits)))
    except StopIteration as error:
        raise RefusedFile("file_unreadable") from error
    finally:
        _AT_ONCE.release()


def _spelt_out(found: dict[str, Any]) -> dict[str, Any]:
    """Number formats that have a number alone by their codes: the child does without openpyxl, which takes longer to
    import than most files to read.
    """
    for column in found["columns"]:
        if isinstance(column.get("number_format"), int):
            column["number_format"] = BUILTIN_FORMATS.get(column["number_format"], "General")
    return found


def split_file(path: Path, layout: Layout, cut: Cut, limits: Limits, keep: Callable[[int, int, bytes], None]) -> None:
    """Cut a file and hand each chunk to `keep` (number, rows, content) as soon as it is whole. Raises RefusedFile."""
    with tempfile.TemporaryDirectory(prefix="highsea-chunks-") as name:
        folder = Path(name)
        order = {
            "verb": "split",
            "path": str(path),
            "layout": asdict(layout),
            "cut": asdict(cut),
            "folder": name,
        }
        for answer in _answers(order, limits):
            file = chunk_file(folder, answer["chunk"])
            keep(answer["chunk"], answer["rows"], file.read_bytes())
            file.unlink()


def _answers(order: dict[str, Any], limits: Limits) -> Iterator[dict[str, Any]]:
    order = {**order, "memory_bytes": limits.memory_bytes, "cpu_seconds": limits.seconds}
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "crm_import.reading.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**environment, "PYTHONUTF8": "1"},
    ) as child:
        too_slow = threading.Timer(limits.seconds, child.kill)
        too_slow.start()
        try:
            yield from _read(child, json.dumps(order).encode())
        finally:
            too_slow.cancel()
            child.kill()


def _read(child: subprocess.Popen[bytes], order: bytes) -> Iterator[dict[str, Any]]:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(order)
        child.stdin.close()
    except BrokenPipeError:
        pass
    for line in child.stdout:
        answer = json.loads(line)
        if "refused" in answer:
            raise RefusedFile(answer["refused"], **answer["parameters"])
        if "failed" in answer:
            log.warning("reader_failed", error=answer["failed"])
            raise RefusedFile("file_unreadable")
        yield answer
    status = child.wait()
    if status != 0:
        log.warning("reader_broke_down", status=status)
        raise RefusedFile("file_unreadable")
