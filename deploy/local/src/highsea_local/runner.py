"""Keeps one program running: start, readiness, crash and restart, stop."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from highsea_local.spawn import Child, spawn, tail
from highsea_local.units import Backoff, Process, Report, State, Status, Step

READY_POLL_SECONDS = 0.1
END_POLL_SECONDS = 0.2
T = TypeVar("T")


class Failed(Exception):
    """A unit did not start; the text names its log and the last lines there."""

    def __init__(self, name: str, what: str, log: Path) -> None:
        super().__init__(f"{name}: {what}")
        self.name, self.what, self.log = name, what, log

    @property
    def last_lines(self) -> list[str]:
        """The end of its log file, empty when there is none."""
        return tail(self.log) if self.log.is_file() else []


class Runner:
    """One process or step and its child. Belongs to the supervisor's event loop, :meth:`kill_now` excepted."""

    def __init__(
        self,
        unit: Process | Step,
        status: Status,
        report: Callable[[Report], None],
        backoff: Backoff,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.unit, self.status = unit, status
        self.ready = asyncio.Event()
        self._report, self._backoff, self._threads = report, backoff, threads
        self._child: Child | None = None
        self._watch: asyncio.Task[None] | None = None
        self._is_wanted = False
        self._one_at_a_time = asyncio.Lock()

    @property
    def child(self) -> Child | None:
        """The process of the last start."""
        return self._child

    async def start(self) -> None:
        """Starts and waits until ready (a step: until it ended well); does nothing when it runs. Raises Failed."""
        async with self._one_at_a_time:
            if self._is_wanted and self._watch is not None:
                return
            self._is_wanted = True
            try:
                await self._launch()
            except BaseException:
                self._is_wanted = False
                if self._child is not None:
                    await self._in_thread(self._child.kill)
                raise
            if isinstance(self.unit, Process):
                self._watch = asyncio.create_task(self._keep_running(), name=f"watch {self.unit.name}")

    async def stop(self) -> None:
        """Ends the process cleanly and for good; does nothing when it does not run."""
        self._is_wanted = False
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        self.ready.clear()
        if self._child is None or not self._child.is_running:
            if self.status.state is State.CRASHED:
                self._tell(State.STOPPED)
            return
        began = time.monotonic()
        self._tell(State.STOPPING)
        code = await self._in_thread(self._child.stop)
        self.status.pid = None
        self._tell(State.STOPPED, began, "" if code in (0, -2, -15) else f"exit code {code}")

    async def kill(self, restart: bool) -> None:
        """SIGKILL; see the supervisor."""
        if not restart and self._watch is not None:
            self._is_wanted = False
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        self.ready.clear()
        if self._child is not None:
            await self._in_thread(self._child.kill)
        if not restart:
            self.status.pid = None
            self._tell(State.STOPPED, detail="killed")

    async def pause(self) -> None:
        """Freezes the process and its descendants."""
        if self._child is not None:
            await self._in_thread(self._child.pause)

    async def resume(self) -> None:
        """Lets it go on."""
        if self._child is not None:
            await self._in_thread(self._child.resume)

    def kill_now(self) -> None:
        """SIGKILL from any thread, without waiting for a restart."""
        self._is_wanted = False
        if self._child is not None:
            self._child.kill()

    async def _launch(self) -> None:
        """One start: prepare, spawn, wait. Raises Failed."""
        began = time.monotonic()
        self._tell(State.STARTING)
        try:
            command = await self._in_thread(self.unit.command)
            self._child = spawn(command)
        except Exception as error:
            raise self._failed(str(error), Path(), began) from error
        self.status.pid = self._child.pid
        if isinstance(self.unit, Process):
            await self._until_ready(self.unit, self._child, began)
            self.ready.set()
            self._tell(State.READY, began)
            return
        code = await self._ended(self._child)
        if code != 0:
            raise self._failed(f"ended with exit code {code}", command.log, began)
        self.status.pid = None
        self._tell(State.DONE, began)

    async def _until_ready(self, process: Process, child: Child, began: float) -> None:
        while not await self._in_thread(process.is_ready):
            if not child.is_running:
                raise self._failed(f"ended with exit code {child.exit_code}", child.command.log, began)
            if time.monotonic() - began > process.ready_seconds:
                raise self._failed(f"not ready after {process.ready_seconds:.0f} s", child.command.log, began)
            await asyncio.sleep(READY_POLL_SECONDS)

    async def _keep_running(self) -> None:
        """Waits for the end of the child and brings it back, until somebody stops it."""
        crashes, since = 0, time.monotonic()
        while self._is_wanted and self._child is not None:
            code = await self._ended(self._child)
            if not self._is_wanted:
                return
            self.ready.clear()
            crashes = 1 if time.monotonic() - since > self._backoff.calm else crashes + 1
            delay = self._backoff.delay(crashes)
            self.status.pid, self.status.restarts = None, self.status.restarts + 1
            log = self._child.command.log
            self._tell(State.CRASHED, detail=f"exit code {code}, restart in {delay:.1f} s", log=log)
            await self._in_thread(self._child.kill)  # descendants that outlived it
            await asyncio.sleep(delay)
            since = time.monotonic()
            try:
                await self._launch()
            except Failed:
                if self._child.is_running:
                    await self._in_thread(self._child.kill)

    async def _ended(self, child: Child) -> int:
        while (code := child.exit_code) is None:  # noqa: ASYNC110 - the end of a process sets no event everywhere
            await asyncio.sleep(END_POLL_SECONDS)
        return code

    def _failed(self, what: str, log: Path, began: float) -> Failed:
        self.status.detail = what
        self._tell(State.FAILED, began, what, log)
        return Failed(self.unit.name, what, log)

    def _tell(self, state: State, began: float | None = None, detail: str = "", log: Path | None = None) -> None:
        self.status.state, self.status.detail = state, detail
        seconds = time.monotonic() - began if began is not None else 0.0
        self._report(Report(self.unit.name, state, seconds, detail, log))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
