"""`make check`: everything that can be known without running the product. One line per check, details below a ✗."""

import filecmp
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
Outcome = tuple[str, str]  # ✓, ✗ or –, and what to say

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)((?: ;[^\\]*)?) \\$")


def tool(*command: str) -> Outcome:
    """✓ when the command, out of the environment, succeeds; else ✗ with what it printed."""
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    return ("✓", "") if done.returncode == 0 else ("✗", done.stdout + done.stderr)


def breaking() -> Outcome:
    """Contracts against those of the commit that this one changes."""
    base = _base()
    if base is None:
        return "–", "skipped: nothing to compare with"
    archive = subprocess.run(
        ["git", "archive", "--format=zip", base, "proto", "buf.yaml"], cwd=ROOT, capture_output=True, check=False
    ).stdout
    if not archive:
        return "–", f"skipped: {base[:12]} has no contracts"
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(BytesIO(archive)) as contracts:
        contracts.extractall(folder)
        return tool("buf", "breaking", "--against", folder)


def _base() -> str | None:
    """The commit where this branch left main; on main itself the one before. None in a clone that does not hold it."""

    def git(*arguments: str) -> str | None:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    head = git("rev-parse", "HEAD")
    left = git("merge-base", "HEAD", "main") or git("merge-base", "HEAD", "origin/main")
    return left if left not in (None, head) else git("rev-parse", "--verify", "HEAD~1")


def generated() -> Outcome:
    """The committed contract code is what `make proto` makes of proto/."""
    committed = ROOT / "libs/contracts/src"
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(
            ["make", "--silent", "proto", f"CONTRACTS={folder}"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            return "✗", made.stdout + made.stderr
        differing = sorted(_differing(committed / "crm", Path(folder) / "crm"))
    return ("✗", "run make proto; these differ:\n" + "\n".join(differing)) if differing else ("✓", "")


def _differing(left: Path, right: Path) -> Iterator[str]:
    names = {
        path.relative_to(side)
        for side in (left, right)
        for path in side.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for name in names:
        in_both = (left / name).is_file() and (right / name).is_file()
        if not in_both or not filecmp.cmp(left / name, right / name, shallow=False):
            yield str(name)


def locks() -> Outcome:
    """The locks hold every requirement of the projects, in a version it allows, with hashes and from no address."""
    projects = {project["name"]: project for project in _projects()}
    found = [problem for path in sorted((ROOT / "requirements").glob("*.lock")) for problem in _lock_problems(path)]
    found += _unlocked("dev", ["highsea"], projects, group="dev")
    found += _unlocked("run", ["highsea"], projects)
    for name in ("customer", "identity", "import", "notify", "pool"):
        found += _unlocked(name, [f"crm-{name}"], projects)
    return ("✗", "run make lock:\n" + "\n".join(found)) if found else ("✓", "")


def _projects() -> Iterator[dict[str, Any]]:
    for path in (ROOT / "pyproject.toml", *ROOT.glob("*/*/pyproject.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        yield {**content["project"], "groups": content.get("dependency-groups", {})}


def _lock_problems(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if "://" in text or "--index-url" in text or "--find-links" in text:
        yield f"{path.name} names an address"
    for block in re.split(r"\n(?=\S)", text.strip()):
        if "--hash=sha256:" not in block:
            yield f"{path.name}: {block.splitlines()[0]} has no hash"


def _pins(lock: str) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8").splitlines():
        match = _PIN.match(line)
        if match:
            pins.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return pins


def _unlocked(lock: str, starts: list[str], projects: dict[str, dict[str, Any]], group: str = "") -> Iterator[str]:
    """Requirements of `starts`, and of the workspace projects they need, that `lock` lacks."""
    pins, waiting, seen = _pins(lock), list(starts), set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        project = projects[name]
        wanted = [*project.get("dependencies", []), *project["groups"].get(group, [])]
        for requirement in map(Requirement, wanted):
            if requirement.name in projects:
                waiting += [requirement.name] if requirement.name not in seen else []
            elif not any(
                version in requirement.specifier for version in pins.get(canonicalize_name(requirement.name), ())
            ):
                yield f"{lock}.lock lacks {requirement} of {name}"


CHECKS: tuple[tuple[str, Callable[[], Outcome]], ...] = (
    ("ruff: lint", lambda: tool("ruff", "check", "--quiet", "--output-format", "concise", ".")),
    ("ruff: format", lambda: tool("ruff", "format", "--check", "--quiet", ".")),
    ("mypy: strict types", lambda: tool("mypy", "--no-error-summary")),
    ("import-linter: directions", lambda: tool("lint-imports", "--no-logo")),
    ("buf: lint of the contracts", lambda: tool("buf", "lint")),
    ("buf: no breaking change", breaking),
    ("contracts: generated code is current", generated),
    ("charts: generated files are current", lambda: tool("python", "-m", "deploy.helm.generate", "--check")),
    ("locks: complete, hashed, no address", locks),
)


def main() -> int:
    """Run every check. Returns 1 when one fails."""
    failed = 0
    for name, check in CHECKS:
        mark, details = check()
        failed += mark == "✗"
        print(f"{mark} {name}{f' ({details})' if mark == '–' else ''}", flush=True)
        if mark == "✗":
            print("\n".join(f"    {line}" for line in details.strip().splitlines()), flush=True)
    print(f"{failed} of {len(CHECKS)} checks failed" if failed else f"all {len(CHECKS)} checks passed or skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
