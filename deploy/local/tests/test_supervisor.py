"""The supervisor with a tiny topology of its own: order, crash and restart, stop, and nothing left behind."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import psutil
import pytest

from highsea_local.files import workspace
from highsea_local.runner import Failed
from highsea_local.spawn import Command
from highsea_local.supervisor import Supervisor
from highsea_local.units import Action, Backoff, Process, Report, State, Step, Unit, ordered

SLEEPER = """
import pathlib, signal, subprocess, sys, time
flag, grandchild = pathlib.Path(sys.argv[1]), sys.argv[2:] == ["parent"]
if grandchild:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
signal.signal(signal.SIGTERM, lambda *_: (flag.unlink(missing_ok=True), sys.exit(0)))
flag.write_text("up")
time.sleep(600)
"""
QUICK = Backoff(first=0.01, most=0.05)


class Stage:
    """A folder, the reports seen so far, and units that are small Python programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: list[Report] = []

    def sleeper(self, name: str, *after: str, parent: bool = False) -> Process:
        flag = self.folder / f"{name}.up"
        arguments = [str(flag), "parent"] if parent else [str(flag)]

        def command() -> Command:
            flag.unlink(missing_ok=True)
            return self.program(name, SLEEPER, *arguments)

        return Process(name, command, flag.exists, after)

    def step(self, name: str, text: str, *after: str) -> Step:
        return Step(name, lambda: self.program(name, text), after)

    def program(self, name: str, text: str, *arguments: str) -> Command:
        return Command([sys.executable, "-c", text, *arguments], self.folder / f"{name}.log")

    def supervisor(self, *units: Unit) -> Supervisor:
        return Supervisor(units, self.reports.append, QUICK)

    def names(self, state: State) -> list[str]:
        return [report.name for report in self.reports if report.state is state]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with workspace() as folder:
        yield Stage(folder)


def play(supervisor: Supervisor, scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    """Runs a scenario between start and stop, and checks that no process is left."""
    others = psutil.Process().children()  # servers of other tests in this process

    async def whole() -> None:
        try:
            await supervisor.start_all()
            await scenario()
        finally:
            everything = psutil.Process().children(recursive=True)
            theirs = [child for other in others for child in (other, *other.children(recursive=True))]
            ours = [process for process in everything if process not in theirs]
            await supervisor.stop_all()
        _, alive = psutil.wait_procs(ours, timeout=10)
        assert alive == []

    asyncio.run(whole())


async def nothing() -> None:
    pass


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what the kernel does in its own time."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def test_units_start_after_what_they_need_and_stop_before_it(stage: Stage) -> None:
    called: list[bool] = []
    database = stage.sleeper("database")
    tables = Action("tables", lambda: called.append((stage.folder / "database.up").exists()), after=("database",))
    migrate = stage.step("migrate", "print('migrated')", "tables")
    supervisor = stage.supervisor(
        stage.sleeper("gateway", "service"), stage.sleeper("service", "migrate"), migrate, tables, database
    )

    play(supervisor, nothing)

    up = [report.name for report in stage.reports if report.state in (State.READY, State.DONE)]
    assert up == ["database", "tables", "migrate", "service", "gateway"]
    assert called == [True]
    assert stage.names(State.STOPPED) == ["gateway", "service", "database"]
    assert not list(stage.folder.glob("*.up")), "every process ended by its own SIGTERM handler"


def test_killed_process_comes_back_with_growing_waits(stage: Stage) -> None:
    supervisor = stage.supervisor(stage.sleeper("service"))
    pids: list[int | None] = []

    async def scenario() -> None:
        for _ in range(3):
            pids.append(supervisor.statuses["service"].pid)
            await supervisor.kill("service")
            await supervisor.wait_ready("service")

    play(supervisor, scenario)

    details = [report.detail for report in stage.reports if report.state is State.CRASHED]
    assert details == [f"exit code -9, restart in {wait} s" for wait in ("0.0", "0.0", "0.0")]
    assert len(set(pids)) == 3
    assert supervisor.statuses["service"].restarts == 3


def test_waits_between_restarts_double_up_to_a_limit() -> None:
    backoff = Backoff(first=0.5, most=30.0)

    assert [backoff.delay(crash) for crash in (1, 2, 3, 7, 8, 1000)] == [0.5, 1.0, 2.0, 30.0, 30.0, 30.0]


def test_process_killed_without_restart_stays_away_until_started(stage: Stage) -> None:
    supervisor = stage.supervisor(stage.sleeper("service"))

    async def scenario() -> None:
        await supervisor.kill("service", restart=False)
        assert supervisor.statuses["service"].pid is None
        assert supervisor.statuses["service"].state is State.STOPPED
        await supervisor.start("service")
        assert supervisor.statuses["service"].state is State.READY

    play(supervisor, scenario)

    assert stage.names(State.CRASHED) == []


def test_stopped_process_can_be_started_again(stage: Stage) -> None:
    supervisor = stage.supervisor(stage.sleeper("service"))

    async def scenario() -> None:
        await supervisor.stop("service")
        await supervisor.stop("service")
        await supervisor.start("service")
        await supervisor.start("service")

    play(supervisor, scenario)

    assert stage.names(State.READY) == ["service", "service"]


def test_paused_process_goes_on_after_resume(stage: Stage) -> None:
    supervisor = stage.supervisor(stage.sleeper("service", parent=True))

    async def scenario() -> None:
        process = psutil.Process(supervisor.statuses["service"].pid)
        await supervisor.pause("service")
        await until(lambda: process.status() == psutil.STATUS_STOPPED)
        await supervisor.resume("service")
        await until(lambda: process.status() != psutil.STATUS_STOPPED)

    play(supervisor, scenario)


def test_failed_step_ends_the_start_and_shows_its_last_lines(stage: Stage) -> None:
    migrate = stage.step("migrate", "import sys; print('table is missing'); sys.exit(3)", "database")
    supervisor = stage.supervisor(stage.sleeper("database"), migrate, stage.sleeper("service", "migrate"))

    with pytest.raises(Failed, match="migrate: ended with exit code 3") as caught:
        play(supervisor, nothing)

    assert caught.value.log == stage.folder / "migrate.log"
    assert caught.value.last_lines == ["table is missing"]
    assert "service" not in stage.names(State.STARTING)
    assert stage.names(State.STOPPED) == ["database"]


def test_program_that_does_not_exist_fails_the_start(stage: Stage) -> None:
    missing = Process("ghost", lambda: Command(["/nowhere/ghost"], stage.folder / "ghost.log"), lambda: False)

    with pytest.raises(Failed, match="exit code 127") as caught:
        play(stage.supervisor(missing), nothing)

    assert "cannot start /nowhere/ghost" in caught.value.last_lines[-1]


def test_optional_step_may_fail(stage: Stage) -> None:
    demo = Step("demo", lambda: stage.program("demo", "raise SystemExit(1)"), is_optional=True)
    supervisor = stage.supervisor(demo, stage.sleeper("service", "demo"))

    play(supervisor, nothing)

    assert stage.names(State.FAILED) == ["demo"]
    assert stage.names(State.READY) == ["service"]


def test_children_of_a_killed_process_go_with_it(stage: Stage) -> None:
    supervisor = stage.supervisor(stage.sleeper("service", parent=True))

    async def scenario() -> None:
        grandchildren = psutil.Process(supervisor.statuses["service"].pid).children()
        assert grandchildren
        await supervisor.kill("service", restart=False)
        _, alive = psutil.wait_procs(grandchildren, timeout=10)
        assert alive == []

    play(supervisor, scenario)


def test_circle_and_unknown_dependency_are_refused(stage: Stage) -> None:
    with pytest.raises(ValueError, match="a circle"):
        ordered([stage.sleeper("a", "b"), stage.sleeper("b", "a")])
    with pytest.raises(ValueError, match="unknown"):
        ordered([stage.sleeper("a", "nobody")])
    with pytest.raises(ValueError, match="same name"):
        ordered([stage.sleeper("a"), stage.sleeper("a")])
