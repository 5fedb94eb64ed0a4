"""What a supervisor runs: processes that stay, and steps that end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from highsea_local.spawn import Command


@dataclass(frozen=True)
class Process:
    """A program that keeps running.

    ``command`` is called at each start, in a thread, and may prepare files first. ``is_ready`` is polled in a thread
    until true; it never raises. ``after`` names units that must be ready (or done) first.
    """

    name: str
    command: Callable[[], Command]
    is_ready: Callable[[], bool]
    after: Sequence[str] = ()
    ready_seconds: float = 60.0
    is_optional: bool = False  # its failure at the start is reported but does not end the start


@dataclass(frozen=True)
class Step:
    """A program that must end with exit code 0 before those after it start; run again at each start of the system."""

    name: str
    command: Callable[[], Command]
    after: Sequence[str] = ()
    is_optional: bool = False


@dataclass(frozen=True)
class Action:
    """A function that must return before those after it start; called in a thread. Raising fails the start."""

    name: str
    run: Callable[[], None]
    after: Sequence[str] = ()
    log: Path | None = None
    is_optional: bool = False


Unit = Process | Step | Action


class State(StrEnum):
    """Where a unit is. ``FAILED`` is for what ended the start; a crashed process waits as ``CRASHED``."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    CRASHED = "crashed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class Report:
    """A unit changed its state: what a terminal prints and a log keeps."""

    name: str
    state: State
    seconds: float = 0.0  # since it began to start or stop
    detail: str = ""
    log: Path | None = None


def ignore(report: Report) -> None:
    """For those who want no reports."""


@dataclass
class Status:
    """The present of a unit, as others may read it."""

    state: State = State.WAITING
    pid: int | None = None
    restarts: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Backoff:
    """Seconds before each restart of a process that crashed: doubled up to ``most``, reset after ``calm`` good seconds."""

    first: float = 0.5
    most: float = 30.0
    calm: float = 60.0

    def delay(self, crashes: int) -> float:
        """The wait before the restart that follows the n-th crash in a row, n from 1."""
        return min(self.most, self.first * 2.0 ** min(crashes - 1, 16))


def ordered(units: Sequence[Unit]) -> list[Unit]:
    """The units with each behind those it comes after; the given order decides among equals.

    Raises:
        ValueError: Two have one name, one comes after an unknown name, or they form a circle.
    """
    by_name = {unit.name: unit for unit in units}
    if len(by_name) != len(units):
        raise ValueError("two units have the same name")
    done: dict[str, Unit] = {}
    visiting: set[str] = set()

    def visit(name: str, wanted_by: str) -> None:
        if name in done:
            return
        if name not in by_name or name in visiting:
            raise ValueError(
                f"{wanted_by} comes after {name}, which is {'a circle' if name in visiting else 'unknown'}"
            )
        visiting.add(name)
        for earlier in by_name[name].after:
            visit(earlier, name)
        done[name] = by_name[name]

    for unit in units:
        visit(unit.name, "the system")
    return list(done.values())


@dataclass
class Dependents:
    """Who comes after whom, the other way round: what must stop before a unit may."""

    of: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def among(cls, units: Sequence[Unit]) -> "Dependents":
        """The dependents among these units, through steps and actions too."""
        found: dict[str, list[str]] = {unit.name: [] for unit in units}
        for unit in units:
            for earlier in unit.after:
                found[earlier].append(unit.name)
        return cls(found)
