"""A whole system for measurements, and what its processes use."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from highsea_local.system import System
from tests.support.whole import Whole


@contextmanager
def whole_system(environment: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[Whole]:
    """A fresh system as `make run` starts it, fsync included, without demo customers; `environment` as of `System`."""
    with tempfile.TemporaryDirectory(prefix="highsea-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o755)
        with System(home, environment=environment) as system:
            yield Whole.prepare(system)


def family(system: System, name: str) -> list[psutil.Process]:
    """A supervised process and its descendants."""
    pid = system.process(name).pid
    if pid is None:
        return []
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """User and system time used so far, ended children included."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def resident_megabytes(processes: list[psutil.Process]) -> float:
    """Proportional set size in MB: shared pages are counted once over all sharers."""
    return sum(process.memory_full_info().pss for process in processes) / 1e6


def peak_megabytes(processes: list[psutil.Process]) -> float:
    """The most that one of the processes has had resident so far, in MB."""
    peaks = []
    for process in processes:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        peaks += [int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks)
