"""The whole of Highsea on one machine as an object: for ``make run`` and for tests that kill and restart its parts."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from highsea_local import credentials, leftovers, ports
from highsea_local.files import write_json
from highsea_local.handle import ProcessHandle
from highsea_local.home import Home
from highsea_local.installation import Installation
from highsea_local.plan import Plan, make_plan
from highsea_local.supervisor import Supervisor
from highsea_local.topology import SERVE, SERVICES, Service, port_names
from highsea_local.units import Backoff, Report, ignore

T = TypeVar("T")


class System:
    """PostgreSQL, NATS, Valkey, the services, the gateway and the local pages, in one folder.

    ``with System(home) as system:`` starts everything and stops it in the reverse order.

    Args:
        home: The folder for data, secrets and logs; made when missing, used again when not.
        gateway_port: None takes a free one.
        services: Which services run, default all.
        is_durable: False lets PostgreSQL skip fsync: quicker, for tests.
        has_demo: Imports the demo at the end, if it is installed.
        environment: Further environment by service name or process name, e.g. ``{"pool-work": {"LOG_LEVEL": "DEBUG"}}``.
        report: Called from another thread at each change of state.
        backoff: Waits before a crashed process is brought back.
    """

    def __init__(
        self,
        home: Path,
        *,
        gateway_port: int | None = None,
        services: Sequence[Service] = SERVICES,
        is_durable: bool = True,
        has_demo: bool = False,
        environment: Mapping[str, Mapping[str, str]] | None = None,
        log_level: str = "INFO",
        report: Callable[[Report], None] = ignore,
        backoff: Backoff | None = None,
    ) -> None:
        self.home = Home(home)
        self._gateway_port, self._services, self._log_level = gateway_port, services, log_level
        self._options: dict[str, Any] = {"is_durable": is_durable, "has_demo": has_demo}
        self._environment = environment or {}
        self._report, self._backoff = report, backoff
        self._installation: Installation | None = None
        self._plan: Plan | None = None
        self._supervisor: Supervisor | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="supervisor", daemon=True)
        self._held = ExitStack()

    @property
    def installation(self) -> Installation:
        """Addresses and environments. Raises RuntimeError before :meth:`start`."""
        return _started(self._installation)

    @property
    def supervisor(self) -> Supervisor:
        """What runs the processes. Its coroutines belong to :meth:`call`. Raises RuntimeError before :meth:`start`."""
        return _started(self._supervisor)

    @property
    def gateway_url(self) -> str:
        """Where browsers go, e.g. ``http://127.0.0.1:8080``."""
        return self.installation.gateway_url

    @property
    def mail_url(self) -> str:
        """The mail catcher; its messages as JSON at ``<mail_url>/api/messages``."""
        return f"{self.gateway_url}/local/mail"

    @property
    def valkey_url(self) -> str:
        return self.installation.valkey_url

    @property
    def superuser_url(self) -> str:
        """PostgreSQL's superuser, database ``postgres``."""
        return _started(self._plan).postgres.superuser_url

    def service_url(self, name: str, role: str = SERVE) -> str:
        """The HTTP address of a service without the gateway. Raises KeyError."""
        return f"http://{self.installation.bind(name, role, 'http')}"

    def metrics_url(self, name: str, role: str = SERVE) -> str:
        """Where a role process answers /livez, /readyz and /metrics. Raises KeyError."""
        return f"http://{self.installation.bind(name, role, 'metrics')}"

    def grpc_address(self, name: str) -> str:
        """``host:port`` of a service's gRPC server. Raises KeyError."""
        return self.installation.bind(name, SERVE, "grpc")

    def database_url(self, name: str) -> str:
        """A service's database for its own role. Raises KeyError."""
        return self.installation.database_url(name)

    def nats_url(self, user: str = "admin") -> str:
        """NATS for ``admin`` or a service's user. Raises KeyError."""
        return self.installation.nats_url(user)

    def process(self, name: str) -> ProcessHandle:
        """A handle on one process. Raises KeyError."""
        return ProcessHandle(self.supervisor, self.call, name, self.home.log(name))

    def environment(self, service: str, role: str = SERVE) -> dict[str, str]:
        """The environment a service process gets. Raises KeyError."""
        chosen = {entry.name: entry for entry in self.installation.services}[service]
        return self.installation.environment(chosen, role)

    def run(self, service: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """``python -m crm_<service> <arguments>`` with the service's environment; waits for its end, keeps its output."""
        return run_command(self.installation, service, arguments)

    def notes(self) -> list[str]:
        """What the one who starts it should know: where PostgreSQL's files went when root cannot keep them here."""
        postgres = _started(self._plan).postgres
        if postgres.cluster == postgres.data_dir.resolve() and not postgres.data_dir.is_symlink():
            return []
        return [
            f"PostgreSQL does not run as root and cannot enter {self.home.path}: its files are in {postgres.cluster}"
        ]

    def start(self) -> None:
        """Starts everything and waits until ready.

        Raises:
            Failed: A unit did not start; everything is stopped again.
            HomeInUse, HomeDamaged, HomeNewer, OSError: The folder cannot be used.
        """
        self._held.enter_context(self.home.lock())
        try:
            self._prepare()
            self._thread.start()
            self.call(self.supervisor.start_all())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops everything in the reverse order; a second interrupt meanwhile kills at once. Safe to repeat."""
        try:
            if self._supervisor is not None and self._thread.is_alive():
                self._stop_supervisor(self._supervisor)
        finally:
            self._supervisor = None
            for port in self._installation.ports.values() if self._installation else ():
                ports.release(port)
            self._held.close()

    def _stop_supervisor(self, supervisor: Supervisor) -> None:
        try:
            self.call(_end(supervisor))
        except KeyboardInterrupt:
            supervisor.kill_all()
        finally:
            self.home.status_file.unlink(missing_ok=True)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5.0)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine of the supervisor in its loop and waits; an interrupt here cancels it there."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _prepare(self) -> None:
        self.home.state()  # refuses a damaged or newer folder before anything is written
        self.home.prepare()
        leftovers.end_leftovers(self.home.status_file)
        self.home.rotate_logs()
        names = [service.name for service in self._services]
        self._installation = Installation(
            self.home,
            self.home.allocate_ports(port_names(self._services), self._gateway_port),
            credentials.load_or_create(self.home.secrets, names),
            self._services,
            self._log_level,
            self._environment,
        )
        self._plan = make_plan(self._installation, **self._options)
        self._supervisor = Supervisor(self._plan.units, self._note, self._backoff)

    def _note(self, report: Report) -> None:
        """Keeps the status file, which the landing page reads, up to date."""
        supervisor = _started(self._supervisor)
        units = []
        for name, status in supervisor.statuses.items():
            entry: dict[str, Any] = {"name": name, "state": status.state.value, "detail": status.detail}
            entry |= {"restarts": status.restarts, "pid": status.pid}
            entry["started"] = leftovers.start_time(status.pid) if status.pid else None
            units.append(entry)
        write_json(self.home.status_file, {"gateway_url": self.gateway_url, "units": units}, 0o600, is_synced=False)
        self._report(report)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def attach(home: Path, services: Sequence[Service] = SERVICES) -> Installation:
    """The addresses of a system that another process runs from ``home``. Raises HomeDamaged, HomeNewer, KeyError."""
    folder = Home(home)
    known_ports = dict(folder.state()["ports"])  # first: nothing is made in a folder that holds no system
    known = credentials.load_or_create(folder.secrets, [service.name for service in services])
    return Installation(folder, known_ports, known, services)


def run_command(
    installation: Installation, service: str, arguments: Sequence[str]
) -> "subprocess.CompletedProcess[str]":
    """``python -m crm_<service> <arguments>`` with the service's environment. Raises KeyError for an unknown service."""
    chosen = {entry.name: entry for entry in installation.services}[service]
    return subprocess.run(
        [sys.executable, "-m", chosen.module, *arguments],
        env=installation.environment(chosen, SERVE),
        capture_output=True,
        text=True,
        check=False,
    )


async def _end(supervisor: Supervisor) -> None:
    """Stops everything, then waits for what an interrupted start still has to clean up."""
    await supervisor.stop_all()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _started(value: T | None) -> T:
    if value is None:
        raise RuntimeError("the system was not started")
    return value
