"""The units of one installation, in the order in which they depend on each other."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import util
from pathlib import Path
from typing import Any

from highsea_local import routes
from highsea_local.installation import LOOPBACK, Installation
from highsea_local.ports import accepts
from highsea_local.probes import answers
from highsea_local.servers import NatsServer, PostgresServer, Server, TraefikServer, ValkeyServer, service_users
from highsea_local.spawn import Command
from highsea_local.topology import NICENESS, PUSH, SERVE, Service
from highsea_local.units import Action, Process, Step, Unit

ROUTES_FILE = Path(__file__).parents[3] / "routes.yaml"
DEMO_MODULE = "highsea_local.demo.seed"
SERVICE_GRACE_SECONDS = 25.0


@dataclass(frozen=True)
class Plan:
    """The units, and the servers among them whose addresses others ask for."""

    units: list[Unit]
    postgres: PostgresServer
    nats: NatsServer


def make_plan(
    installation: Installation,
    *,
    is_durable: bool = True,
    has_demo: bool = False,
) -> Plan:
    """Everything ``make run`` starts.

    Args:
        is_durable: False lets PostgreSQL skip fsync.
        has_demo: Runs the demo's seed at the end, if that module exists.

    Raises:
        InvalidRoutes: The routing table is wrong.
    """
    return _Planner(installation, is_durable).plan(has_demo)


class _Planner:
    def __init__(self, installation: Installation, is_durable: bool) -> None:
        self._all = installation
        home, at, secrets = installation.home, installation.ports, installation.credentials
        self._postgres = PostgresServer(
            home.data / "postgres",
            at["postgres"],
            password=secrets.postgres,
            durable=is_durable,
            log=home.log("postgres"),
        )
        users = service_users({name: secrets.nats[name] for name in (*self._names(), "admin")})
        self._nats = NatsServer(home.data / "nats", at["nats"], at["nats.monitor"], users, log=home.log("nats"))
        self._valkey = ValkeyServer(home.data / "valkey", at["valkey"], secrets.valkey, log=home.log("valkey"))
        self._traefik = TraefikServer(
            home.run / "traefik", self._routes(), at["gateway"], at["gateway.ping"], log=home.log("traefik")
        )

    def plan(self, has_demo: bool) -> Plan:
        units: list[Unit] = [_of_server(server) for server in (self._postgres, self._nats, self._valkey)]
        units += [self._own_page("mail", "mailcatcher"), self._own_page("landing", "landing")]
        units.append(Action("databases", self._create_databases, after=("postgres",), log=self._postgres.log))
        units += [self._migration(service) for service in self._all.services]
        roles = [self._role(service, role) for service in self._all.services for role in service.roles]
        units += roles
        everything = tuple(process.name for process in roles)
        units.append(_of_server(self._traefik, after=(*everything, "mail", "landing")))
        if has_demo and _exists(DEMO_MODULE):
            units.append(Step("demo", self._demo, after=("traefik",), is_optional=True))
        return Plan(units, self._postgres, self._nats)

    def _names(self) -> list[str]:
        return [service.name for service in self._all.services]

    def _create_databases(self) -> None:
        for name, password in self._all.credentials.databases.items():
            if name in self._names():
                self._postgres.create_database(name, name, password)

    def _migration(self, service: Service) -> Step:
        name = f"{service.name}-migrate"
        return Step(name, lambda: self._service_command(service, SERVE, "migrate", name), after=("databases",))

    def _role(self, service: Service, role: str) -> Process:
        name = f"{service.name}-{role}"
        return Process(
            name,
            lambda: self._service_command(service, role, role, name),
            self._readiness(service, role),
            after=(f"{service.name}-migrate", "nats", "valkey"),
            ready_seconds=90.0,
        )

    def _service_command(self, service: Service, role: str, verb: str, name: str) -> Command:
        return Command(
            [sys.executable, "-m", service.module, verb],
            self._all.home.log(name),
            self._all.environment(service, role),
            directory=self._all.home.run,
            grace_seconds=SERVICE_GRACE_SECONDS,
            niceness=NICENESS.get(role, 0),
        )

    def _readiness(self, service: Service, role: str) -> Callable[[], bool]:
        url = f"http://{self._all.bind(service.name, role, 'metrics')}/readyz"
        port = int(self._all.bind(service.name, role, "http").rpartition(":")[2])
        return lambda: answers(url) and (role not in (SERVE, PUSH) or accepts(port))

    def _own_page(self, name: str, module: str) -> Process:
        port = self._all.ports[name]
        binds = {"HTTP_BIND": f"{LOOPBACK}:{port}", "SMTP_BIND": f"{LOOPBACK}:{self._all.ports['smtp']}"}
        command = Command(
            [sys.executable, "-m", f"highsea_local.{module}"],
            self._all.home.log(name),
            self._all.tool_environment() | binds,
            directory=self._all.home.run,
        )
        return Process(name, lambda: command, lambda: answers(f"http://{LOOPBACK}:{port}/livez"))

    def _demo(self) -> Command:
        environment = self._all.tool_environment()
        return Command([sys.executable, "-m", DEMO_MODULE], self._all.home.log("demo"), environment, self._all.home.run)

    def _routes(self) -> dict[str, Any]:
        table = routes.load(ROUTES_FILE)
        running = tuple(entry for entry in table.services if entry.service in self._names())
        targets = {
            routes.LOCAL: f"http://{LOOPBACK}:{self._all.ports['landing']}",
            routes.MAIL: f"http://{LOOPBACK}:{self._all.ports['mail']}",
        }
        for service in self._all.services:
            for role in service.roles:
                name = service.name if role == SERVE else f"{service.name}-{role}"
                targets[name] = f"http://{self._all.bind(service.name, role, 'http')}"
        return routes.traefik_configuration(replace(table, services=running), targets)


def _of_server(server: Server, after: tuple[str, ...] = ()) -> Process:
    def command() -> Command:
        server.prepare()
        return server.command()

    return Process(server.name, command, server.is_ready, after)


def _exists(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
