"""The command ``run`` as people meet it: progress, summary, Ctrl-C, with stand-in services."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from highsea_local.files import workspace
from highsea_local.ports import free_port

from .standins import write_standins

DRIVER = """
import functools, sys
from highsea_local import __main__ as command
from highsea_local.system import System
from highsea_local.topology import Service
command.System = functools.partial(
    System, services=(Service("pool"),), is_durable=False, environment={"pool": {"PYTHONPATH": sys.argv[1]}}
)
sys.exit(command.run(has_demo=False))
"""


@contextmanager
def running(folder: Path) -> "Iterator[tuple[subprocess.Popen[str], list[str], int]]":
    """The command with its output up to the end of the summary, and the gateway's port."""
    if not (folder / "standins").exists():
        write_standins(folder / "standins", ("pool",))
    port = free_port()
    environment = {**os.environ, "HIGHSEA_HOME": str(folder / "home"), "HIGHSEA_PORT": str(port)}
    arguments = [sys.executable, "-c", DRIVER, str(folder / "standins")]
    with subprocess.Popen(
        arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
    ) as process:
        try:
            yield process, _until_summary(process), port
        finally:
            process.kill()


def _until_summary(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if "Ctrl-C stops everything" in line:
            break
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_shows_each_step_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with workspace() as folder, running(folder) as (process, lines, port):
        assert httpx.get(f"http://127.0.0.1:{port}/?lang=en", trust_env=False).status_code == 200
        children = psutil.Process(process.pid).children(recursive=True)

        os.kill(process.pid, number)
        assert process.stdout is not None
        stopped = [line.split()[1] for line in process.stdout if line.startswith("  ■")]

        assert process.wait(60) == 0
        ready = [line.split()[1] for line in lines if line.startswith("  ✓")]
        assert {"postgres", "nats", "valkey", "databases", "pool-migrate", "pool-serve", "pool-work"} < set(ready)
        assert ready[-1] == "traefik"
        assert any(f"ready at http://127.0.0.1:{port}/" in line for line in lines)
        assert stopped[0] == "traefik"
        assert stopped.index("pool-serve") < stopped.index("postgres")
        assert psutil.wait_procs(children, timeout=10)[1] == []


def test_second_run_in_the_same_folder_is_refused_while_the_first_goes_on() -> None:
    with workspace() as folder, running(folder) as (process, _, port), running(folder) as (second, lines, _):
        assert second.wait(60) == 1
        assert f"process {process.pid}" in "\n".join(lines)
        assert httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).status_code == 404
