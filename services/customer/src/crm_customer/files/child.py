"""The process in which files are checked: `python -m crm_customer.files.child`, the order on standard input.

Parsers of pictures and documents are what hostile files aim at. The limits hold for this process alone; it knows no
secret and no address.
"""

import base64
import ctypes
import json
import resource
import signal
import sys
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1


def main() -> int:
    """Answer one order with a line of JSON: `{"preview": base64 or null}` or `{"refused": code, "parameters": {…}}`."""
    order = json.load(sys.stdin)
    _limit(order["memory_bytes"], order["seconds"])
    from crm_customer.files.checking import check
    from crm_customer.files.rules import RefusedFile

    try:
        preview = check(Path(order["path"]), order["extension"])
    except RefusedFile as refused:
        print(json.dumps({"refused": refused.code, "parameters": refused.parameters}))
    else:
        print(json.dumps({"preview": base64.b64encode(preview).decode() if preview else None}))
    return 0


def _limit(memory_bytes: int, seconds: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main())
