"""The blocks of docs/operations.md, and a place to execute them."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from highsea_local.servers.placement import place
from highsea_local.system import System
from tests.support.repository import ROOT

GUIDE = ROOT / "docs/operations.md"
# The same words as in the guide, in the environment of the service that they name.
_PYTHON = """\
#!/bin/sh
case "$1 $2" in
  "-m crm_"*) service=${{2#crm_}}; shift 2; exec {python} -m highsea_local exec "$service" "$@" ;;
esac
exec {python} "$@"
"""
# PostgreSQL's programs are run by the user whom the server belongs to.
_PROGRAM = """\
#!/bin/sh
exec {user} {program} "$@"
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: the headings above it, what its fence says, and its text. `line`: of the fence."""

    headings: tuple[str, ...]
    info: str
    text: str
    line: int

    @property
    def is_run(self) -> bool:
        """Whether the test executes it."""
        return self.info == "sh run"


def blocks() -> Iterator[Block]:
    """Every fenced block of the guide, in order."""
    headings: list[str] = []
    fence: tuple[int, str] | None = None
    text: list[str] = []
    for number, line in enumerate(GUIDE.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```") and fence is None:
            fence, text = (number, line.removeprefix("```")), []
        elif line == "```" and fence is not None:
            yield Block(tuple(headings), fence[1], "\n".join(text) + "\n", fence[0])
            fence = None
        elif fence is not None:
            text.append(line)
        elif line.startswith("#"):
            level = len(line) - len(line.lstrip("#"))
            headings[level - 1 :] = [line.lstrip("# ")]


@dataclass
class Shell:
    """Executes blocks in a folder, with the guide's programs in reach; `environment` is added to theirs."""

    folder: Path
    system: System
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put programs within reach, and the checkout's folder that the guide names."""
        self.folder.chmod(0o777)
        (self.folder / "deploy").symlink_to(ROOT / "deploy")
        self._programs.mkdir()
        self._write("python", _PYTHON.format(python=shlex.quote(sys.executable)))
        placed = place(self.system.home.data / "postgres")
        user = placed.user
        command = f"setpriv --reuid={user.uid} --regid={user.gid} --clear-groups" if user else ""
        for program in (placed.installation / "bin").iterdir():
            self._write(program.name, _PROGRAM.format(user=command, program=shlex.quote(str(program))))
        (self._programs / "nats-server").symlink_to(Path(sys.executable).with_name("nats-server"))

    def run(self, block: Block, **more: str) -> str:
        """What a block printed. Fails with everything it said when its status is not 0."""
        inherited = {"HOME": str(self.folder), "HIGHSEA_HOME": str(self.system.home.path), "LC_ALL": "C.UTF-8"}
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-eu"],
            input=block.text,
            cwd=self.folder,
            env={**inherited, "PATH": path, **self.environment, **more},
            umask=0,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        where = f"{GUIDE.name}:{block.line}"
        assert done.returncode == 0, f"{where} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def _programs(self) -> Path:
        return self.folder / "programs"

    def _write(self, name: str, text: str) -> None:
        path = self._programs / name
        path.write_text(text)
        path.chmod(0o755)


def libpq(url: str) -> dict[str, str]:
    """The variables by which PostgreSQL's programs find the server of `url`."""
    from psycopg.conninfo import conninfo_to_dict

    known: Mapping[str, object] = conninfo_to_dict(url)
    names: Sequence[tuple[str, str]] = (("PGHOST", "host"), ("PGPORT", "port"), ("PGUSER", "user"))
    return {name: str(known[key]) for name, key in (*names, ("PGPASSWORD", "password"))}
