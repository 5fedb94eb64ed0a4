"""Processes of an earlier run whose supervisor was killed: none on Linux, where the kernel takes them along."""

import contextlib
import json
import os
import signal
from pathlib import Path

import psutil


def end_leftovers(status_file: Path) -> int:
    """Kills what the status file of the last run names and still runs, with its process group. Returns how many groups.

    A process id given to another program since then is recognised by its start time and left alone.
    """
    try:
        units = json.loads(status_file.read_text(encoding="utf-8"))["units"]
        known = [(int(unit["pid"]), float(unit["started"])) for unit in units if unit.get("pid")]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return sum(_end(pid, started) for pid, started in known)


def start_time(pid: int) -> float | None:
    """When a process started, seconds since 1970; None when there is no such process."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _end(pid: int, started: float) -> bool:
    current = start_time(pid)
    if current is not None and abs(current - started) > 1.0:
        return False
    members = [process for process in psutil.process_iter() if _group(process.pid) == pid]
    with contextlib.suppress(psutil.Error):
        members += psutil.Process(pid).children(recursive=True)
    if not members:
        return False
    for process in members:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(members, timeout=10.0)
    return True


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1
