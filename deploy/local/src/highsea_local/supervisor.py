"""Runs units in the order of their dependencies, restarts what crashes, stops everything in the reverse order."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from highsea_local.runner import Failed, Runner
from highsea_local.units import Action, Backoff, Dependents, Process, Report, State, Status, Step, Unit, ignore, ordered


class Supervisor:
    """All methods belong to the event loop in which :meth:`start_all` was called first.

    Args:
        units: What to run.
        report: Called in the loop at each change of state; must not block.
        backoff: Waits before restarts.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        report: Callable[[Report], None] = ignore,
        backoff: Backoff | None = None,
    ) -> None:
        self.units = {unit.name: unit for unit in ordered(units)}
        self.statuses = {name: Status() for name in self.units}
        self._dependents = Dependents.among(list(self.units.values()))
        self._report = report
        self._threads = ThreadPoolExecutor(32, "supervisor")
        self._runners = {
            unit.name: Runner(unit, self.statuses[unit.name], report, backoff or Backoff(), self._threads)
            for unit in self.units.values()
            if isinstance(unit, Process | Step)
        }

    async def start_all(self) -> None:
        """Starts everything, each unit as soon as those before it are ready.

        Raises:
            Failed: A unit that is not optional failed; what already runs keeps running until :meth:`stop_all`.
        """
        ready = {name: asyncio.Event() for name in self.units}
        tasks = [asyncio.create_task(self._start_when_due(unit, ready)) for unit in self.units.values()]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop_all(self) -> None:
        """Stops every process once all that come after it have stopped. Leaves no process behind.

        Raises:
            Exception: What stopping one process raised, after all others were stopped.
        """
        stopped = {name: asyncio.Event() for name in self.units}
        ends = await asyncio.gather(
            *(self._stop_when_free(name, stopped) for name in self.units), return_exceptions=True
        )
        self._threads.shutdown(wait=False)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    def kill_all(self) -> None:
        """SIGKILL to everything at once, for the impatient. The only method that any thread may call."""
        for runner in self._runners.values():
            runner.kill_now()

    async def start(self, name: str) -> None:
        """Starts one stopped process and waits until ready. Raises KeyError, Failed."""
        await self._runners[name].start()

    async def stop(self, name: str) -> None:
        """Stops one process cleanly; it is not restarted until :meth:`start`. Raises KeyError."""
        await self._runners[name].stop()

    async def kill(self, name: str, restart: bool = True) -> None:
        """SIGKILL to one process and its descendants. With ``restart`` it is brought back like after any crash."""
        await self._runners[name].kill(restart)

    async def pause(self, name: str) -> None:
        """Freezes one process and its descendants. Raises KeyError."""
        await self._runners[name].pause()

    async def resume(self, name: str) -> None:
        """Lets a frozen process go on. Raises KeyError."""
        await self._runners[name].resume()

    async def wait_ready(self, name: str, timeout_seconds: float = 60.0) -> None:
        """Waits until one process is ready (again). Raises KeyError, TimeoutError."""
        await asyncio.wait_for(self._runners[name].ready.wait(), timeout_seconds)

    def runner(self, name: str) -> Runner:
        """What runs one process or step. Raises KeyError."""
        return self._runners[name]

    async def _start_when_due(self, unit: Unit, ready: dict[str, asyncio.Event]) -> None:
        for earlier in unit.after:
            await ready[earlier].wait()
        try:
            if isinstance(unit, Action):
                await self._perform(unit)
            else:
                await self._runners[unit.name].start()
        except Failed:
            if not unit.is_optional:
                raise
        ready[unit.name].set()

    async def _perform(self, action: Action) -> None:
        status, began = self.statuses[action.name], time.monotonic()
        status.state = State.STARTING
        self._report(Report(action.name, State.STARTING))
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, action.run)
        except Exception as error:
            status.state, status.detail = State.FAILED, str(error)
            self._report(Report(action.name, State.FAILED, time.monotonic() - began, str(error), action.log))
            raise Failed(action.name, str(error), action.log or Path()) from error
        status.state = State.DONE
        self._report(Report(action.name, State.DONE, time.monotonic() - began))

    async def _stop_when_free(self, name: str, stopped: dict[str, asyncio.Event]) -> None:
        try:
            for later in self._dependents.of[name]:
                await stopped[later].wait()
            with contextlib.suppress(KeyError):
                await self._runners[name].stop()
        finally:
            stopped[name].set()
