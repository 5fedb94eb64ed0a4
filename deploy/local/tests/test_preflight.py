"""Refusals before the start: each names what is wrong and what to do, in two languages, with exit code 1."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from highsea_local import preflight
from highsea_local.files import workspace
from highsea_local.home import Home
from highsea_local.ports import free_port

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder() -> Iterator[Path]:
    with workspace() as path:
        yield path


@pytest.fixture
def run(folder: Path) -> Run:
    def call(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        known = {**os.environ, "HIGHSEA_HOME": str(folder / "home"), "HIGHSEA_PORT": str(free_port()), **environment}
        command = [sys.executable, "-m", "highsea_local", *arguments]
        return subprocess.run(command, env=known, capture_output=True, text=True, check=False)

    return call


def test_busy_port_is_named_with_the_remedy(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = run("run", HIGHSEA_PORT=str(port))

    assert done.returncode == 1
    assert f"Port {port} is already in use" in done.stdout
    assert "HIGHSEA_PORT=" in done.stdout
    assert f"端口 {port} 已被占用" in done.stdout


def test_damaged_state_file_ends_the_start(run: Run, folder: Path) -> None:
    (folder / "home").mkdir()
    (folder / "home" / "state.json").write_text("not JSON")

    done = run("run")

    assert done.returncode == 1
    assert "state.json is damaged" in done.stdout
    assert f"rm -rf {folder / 'home'}" in done.stdout
    assert "已损坏" in done.stdout


def test_newer_folder_ends_the_start(run: Run, folder: Path) -> None:
    (folder / "home").mkdir()
    (folder / "home" / "state.json").write_text('{"format": 99, "version": "9.0.0", "ports": {}}')

    done = run("run")

    assert done.returncode == 1
    assert "last used by Highsea 9.0.0" in done.stdout


def test_second_start_is_told_which_process_runs(run: Run, folder: Path) -> None:
    with Home(folder / "home").lock():
        done = run("run")

    assert done.returncode == 1
    assert f"already runs from {folder / 'home'} (process {os.getpid()})" in done.stdout
    assert "已在" in done.stdout


@pytest.mark.parametrize("port", ["no", "0", "70000", "-1"])
def test_port_that_is_none_is_refused(run: Run, port: str) -> None:
    done = run("run", HIGHSEA_PORT=port)

    assert done.returncode == 1
    assert f"HIGHSEA_PORT={port} is not a port number" in done.stdout


def test_full_disk_is_refused(folder: Path) -> None:
    with pytest.raises(preflight.Refused, match="are free on the disk"):
        preflight.check_disk(folder / "not" / "made", least_bytes=1 << 60)


@pytest.mark.parametrize(
    ("system", "machine", "libc", "is_supported"),
    [
        ("Linux", "x86_64", "glibc", True),
        ("Linux", "aarch64", "glibc", True),
        ("Darwin", "arm64", "", True),
        ("Linux", "x86_64", "", False),
        ("Linux", "riscv64", "glibc", False),
        ("Windows", "AMD64", "", False),
    ],
)
def test_platform_must_have_the_servers(system: str, machine: str, libc: str, is_supported: bool) -> None:
    if is_supported:
        preflight.check_platform(system, machine, libc)
        return
    with pytest.raises(preflight.Refused, match=f"do not exist for {system} {machine}"):
        preflight.check_platform(system, machine, libc)


def test_old_python_is_refused() -> None:
    with pytest.raises(preflight.Refused, match=r"Python 3\.10 is too old"):
        preflight.check_python((3, 10))


def test_exec_without_a_system_says_how_to_start_one(run: Run, folder: Path) -> None:
    done = run("exec", "pool", "migrate")

    assert done.returncode == 1
    assert "make run" in done.stderr
    assert not (folder / "home").exists()
