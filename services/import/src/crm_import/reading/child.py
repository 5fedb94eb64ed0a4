"""The process in which uploaded files are opened: `python -m crm_import.reading.child`, the order on standard input.

A 5 KB workbook can make its reader allocate 550 GB and abort (dependencies F1), so nothing else opens one. The
limits hold for this process alone; it knows no secret and no address.
"""

import ctypes
import gc
import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

_SET_PARENT_DEATH_SIGNAL = 1


def main() -> int:
    """Answer one order with JSON lines on standard output; the last is a result or `{"refused": code, …}`."""
    order = json.load(sys.stdin)
    _limit(order["memory_bytes"], order["cpu_seconds"])
    gc.disable()  # no cycles are made here, but as many lists as a file has rows: a tenth of the time of splitting
    from crm_import.reading.sniff import RefusedFile

    try:
        for answer in _answers(order):
            print(json.dumps(answer, ensure_ascii=False), flush=True)
    except RefusedFile as refused:
        print(json.dumps({"refused": refused.code, "parameters": refused.parameters}), flush=True)
    except BaseException as error:  # a panic inside the reader is a BaseException, too
        print(json.dumps({"failed": type(error).__name__}), flush=True)
        return 1
    return 0


def _answers(order: dict[str, Any]) -> Any:
    from crm_import.kinds.kind import Field
    from crm_import.kinds.registry import KINDS
    from crm_import.reading.preview import preview
    from crm_import.reading.sniff import file_format
    from crm_import.reading.split import Cut, split
    from crm_import.reading.tables import Layout
    from crm_import.reading.zip_guard import check_zip

    path = Path(order["path"])
    if order["verb"] == "split":
        yield from split(path, Layout(**order["layout"]), Cut(**order["cut"]), Path(order["folder"]))
        return
    found = file_format(order["file_name"], path)
    if found == "xlsx":
        check_zip(path)
    layout = Layout(**{**order["layout"], "format": found})
    kind = KINDS[order["kind"]].extended(map(Field.stored, order["custom"]))
    yield {"format": found, **preview(path, kind, layout, order["header_row"])}


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main())
