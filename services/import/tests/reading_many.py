"""Reads many files, each in a process of its own as `crm_import.reading.child` is, without starting Python for each.

Orders come as JSON lines on standard input; for each goes one line to standard output: the answers, the status of the
process, the most memory it held.
"""

import io
import json
import os
import sys
import tempfile

from openpyxl import Workbook

from crm_import.reading import child, preview, process, split, tables

_READY = (Workbook, preview, process, split, tables)  # imported before the processes part


def main() -> None:
    """Answer every order."""
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as answers:
            pid = os.fork()
            if pid == 0:
                os.dup2(answers.fileno(), 1)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                sys.stdin = io.StringIO(line)
                status = child.main()
                sys.stdout.flush()
                os._exit(status)
            _, status, used = os.wait4(pid, 0)
            answers.seek(0)
            told = {"answers": answers.read().split("\n")[:-1], "status": status, "bytes": used.ru_maxrss * 1024}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
