"""`make test`: runs every leg of the tests that this machine can run and says what became of each.

A leg that did not run is never reported as passed. The exit status is 1 when a leg failed, or when one that was
named on the command line did not run.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
NO_TESTS = 5  # pytest's exit status when it found none


def docker_missing() -> str:
    """Why tests in containers cannot run here; empty when they can."""
    try:
        answer = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "no docker command that answers"
    return "" if answer.returncode == 0 else "no Docker daemon answers"


@dataclass(frozen=True)
class Leg:
    """A group of tests that runs or does not as a whole. `missing` says why it cannot run, or nothing."""

    name: str
    about: str
    paths: Sequence[str]
    options: Sequence[str] = ()
    missing: Callable[[], str] = lambda: ""
    prepare: Sequence[str] = ()  # a command; with EX_UNAVAILABLE it says that something is missing after all

    def run(self) -> tuple[str, str]:
        """(passed | FAILED | not run, remark)."""
        paths = [path for path in self.paths if (ROOT / path).exists()]
        reason = self.missing() or ("" if paths else "no tests")
        if reason:
            return "not run", reason
        print(f"\n──── {self.name}: {self.about}", flush=True)
        started = time.monotonic()
        if self.prepare:
            made = subprocess.run(self.prepare, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
            if made.returncode != 0:
                return ("not run" if made.returncode == os.EX_UNAVAILABLE else "FAILED"), made.stderr.strip()
        command = [sys.executable, "-m", "pytest", *self.options, *paths]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        if status == NO_TESTS:
            return "not run", "no tests"
        return "passed" if status == 0 else "FAILED", f"{time.monotonic() - started:.0f} s"


IMAGES = [sys.executable, "-m", "deploy.images", "needed"]
TOOLS = [sys.executable, "-m", "tests.charts.tools"]
LEGS = (
    Leg(
        "unit",
        "libraries and services",
        ["libs", "services", "deploy", "tests/unit"],
        ["-n", "2", "--dist", "worksteal"],
    ),
    Leg(
        "integration",
        "the whole system on servers out of wheels",
        ["tests/integration", "tests/matrix", "tests/e2e", "tests/faults"],
        ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"],
    ),
    Leg("charts", "the Helm charts, alerts and dashboards", ["tests/charts", "tests/monitoring"], prepare=TOOLS),
    Leg("containers", "all of it in containers", ["tests/containers"], missing=docker_missing, prepare=IMAGES),
)


def main(wanted: Sequence[str]) -> int:
    """Run the legs named, or all. Returns the exit status."""
    unknown = set(wanted) - {leg.name for leg in LEGS}
    if unknown:
        print(f"no such leg: {', '.join(sorted(unknown))}; there are {', '.join(leg.name for leg in LEGS)}")
        return 2
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    outcomes = [(leg, *leg.run()) for leg in LEGS if not wanted or leg.name in wanted]
    print("\n──── legs")
    for leg, outcome, remark in outcomes:
        print(f"{leg.name:<12} {outcome:<8} {remark}")
    ran = [outcome for _, outcome, _ in outcomes if outcome != "not run"]
    ok = ran and "FAILED" not in ran and (not wanted or len(ran) == len(outcomes))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
