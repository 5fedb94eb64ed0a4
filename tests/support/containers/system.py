"""The whole system in containers as an object, like `highsea_local.system.System` out of wheels."""

import itertools
import subprocess
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from docker.errors import NotFound
from docker.models.containers import Container
from prometheus_client.parser import text_string_to_metric_families
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.network import Network

from highsea_local import routes
from highsea_local.credentials import load_or_create
from highsea_local.servers import databases
from highsea_local.topology import BULK, PUSH, SERVE, SERVICES, WORK
from tests.support.containers import pods, servers
from tests.support.containers.mail import MailCatcher

REPLICAS = {"pool": 2}  # of `serve`, where it is more than one
LINES_OF_LOG = 30
# One-shot commands answer nobody; seed-demo wants to be sure of that.
COMMAND_ENVIRONMENT = {"HIGHSEA_DEMO": "1", "HTTP_BIND": "127.0.0.1:8000", "PUBLIC_URL": "http://127.0.0.1:8080"}


class ContainerSystem:
    """Every role of every service in a container of its own, on two networks.

    `calls` carries nothing but gRPC between services, `backbone` everything else.
    """

    def __init__(self, folder: Path) -> None:
        self._prefix = f"highsea-{uuid.uuid4().hex[:8]}"
        self._credentials = load_or_create(folder / "secrets", list(pods.BY_NAME))
        self._everything: dict[str, DockerContainer] = {}  # what ended too, for its log
        self._running: dict[tuple[str, str], list[str]] = defaultdict(list)  # names by service and role
        self._numbers: dict[tuple[str, str], Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._held = ExitStack()
        self._backbone, self._calls = Network(), Network()
        self._mail = MailCatcher(folder / "mail")
        self._gateway = servers.Gateway(self._backbone, self._first_endpoints())
        self._postgres = servers.postgres(self._backbone, self._credentials.postgres)

    @property
    def gateway_url(self) -> str:
        """Where browsers go."""
        return self._gateway.url

    def database_url(self, name: str, role: str = "") -> str:
        """A database for a service's role, by default its own, as this machine reaches it."""
        role = role or name
        return self._from_here(pods.database_url(name, role, self._credentials.databases[role]))

    def empty_database(self, name: str, role: str) -> str:
        """A database for a service's role beside its own. Returns its address for containers."""
        password = self._credentials.databases[role]
        superuser = self._from_here(pods.database_url("postgres", "postgres", self._credentials.postgres))
        databases.create(superuser, name, role, password)
        return pods.database_url(name, role, password)

    def metrics_url(self, name: str) -> str:
        """Where a container answers /livez, /readyz and /metrics."""
        container = self._everything[name]
        return f"http://{container.get_container_host_ip()}:{container.get_exposed_port(pods.METRICS)}"

    def names(self, service: str, role: str) -> list[str]:
        """The running containers of a role."""
        return list(self._running[service, role])

    def process(self, name: str) -> "ContainerProcess":
        """The process `<service>-<role>`."""
        return ContainerProcess(self, *name.split("-"))

    def run(self, service: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of a service, in the container of its `work`; waits for its end, keeps its output."""
        container = self._container(self.names(service, WORK)[0])
        command = ["python3", "-m", pods.BY_NAME[service].module, *arguments]
        status, (out, err) = container.exec_run(command, environment=COMMAND_ENVIRONMENT, demux=True)
        return subprocess.CompletedProcess(command, status, (out or b"").decode(), (err or b"").decode())

    def launch(self, service: str, role: str) -> str:
        """Start one more container of a role and wait until it is ready. Returns its name."""
        name, container = self._start_role(service, role, {})
        self._join_calls(name)
        pods.READY.wait_until_ready(container)
        self._running[service, role].append(name)
        return name

    def migrate(self, service: str, **environment: str) -> int:
        """Run a service's migrations in a container of their own. Returns the exit status."""
        name, _ = self._start_role(service, pods.MIGRATE, environment)
        return self._wait(name)

    def terminate(self, name: str) -> int:
        """SIGTERM. Returns the exit status: 137 when it was not gone within the grace period of a Pod."""
        self._leave(name)
        self._container(name).stop(timeout=pods.GRACE_SECONDS)
        return self._wait(name)

    def kill(self, name: str) -> int:
        """SIGKILL. Returns the exit status."""
        self._leave(name)
        self._container(name).kill()
        return self._wait(name)

    def roll(self, service: str) -> list[int]:
        """Replace every `serve` by a new one, in turn. Returns the exit statuses of the old ones.

        As on Kubernetes: once the new one is ready, the old one is no endpoint any more and gets SIGTERM.
        """
        statuses = []
        for old in self.names(service, SERVE):
            self.launch(service, SERVE)
            self._gateway.send(service, [_address(name) for name in self.names(service, SERVE) if name != old])
            statuses.append(self.terminate(old))
        return statuses

    @contextmanager
    def cut_off_calls(self, names: Sequence[str]) -> Iterator[None]:
        """Meanwhile these containers can neither call by gRPC nor be called, and nobody is told so."""
        network = DockerClient().client.networks.get(self._calls.name)
        for name in names:
            network.disconnect(self._container(name))
        try:
            yield
        finally:
            for name in names:
                self._join_calls(name)

    def failed_calls(self, caller: str) -> dict[tuple[str, str], float]:
        """How many gRPC calls that a container made have failed, by method and code."""
        page = httpx.get(f"{self.metrics_url(caller)}/metrics").text
        samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
        calls = [sample for sample in samples if sample.name == "grpc_client_handling_seconds_count"]
        found = {(call.labels["grpc_method"], call.labels["grpc_code"]): call.value for call in calls}
        return {(method, code): count for (method, code), count in found.items() if code != "OK"}

    def logs(self) -> Iterator[tuple[str, str]]:
        """The end of each container's log."""
        for name, container in list(self._everything.items()):
            try:
                yield name, container.get_wrapped_container().logs(tail=LINES_OF_LOG).decode(errors="replace")
            except Exception as error:
                yield name, f"(no log: {error})"

    def start(self) -> None:
        """Start everything; the services all at once, as Kubernetes does: each waits for what it needs."""
        for resource in (self._backbone, self._calls, self._mail):
            self._held.enter_context(resource)
        secrets = self._credentials
        together(
            lambda: self._start("postgres", self._postgres),
            lambda: self._start("gateway", self._gateway.container),
            lambda: self._start("nats", servers.nats(self._backbone, secrets.nats)),
            lambda: self._start("valkey", servers.valkey(self._backbone, secrets.valkey)),
        )
        for name in pods.BY_NAME:
            self.empty_database(name, name)
        roles = [(service.name, role) for service in SERVICES for role in service.roles]
        roles += [(name, SERVE) for name, replicas in REPLICAS.items() for _ in range(replicas - 1)]
        migrations = [lambda name=name: self._migrate_first(name) for name in pods.BY_NAME]  # type: ignore[misc]
        together(*migrations, *(lambda role=role: self.launch(*role) for role in roles))  # type: ignore[misc]

    def stop(self) -> None:
        """Remove every container, the networks and the volume."""
        together(*(container.stop for container in self._everything.values()))
        self._held.close()
        with suppress(NotFound):
            DockerClient().client.volumes.get(f"{self._prefix}-objects").remove()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _migrate_first(self, service: str) -> None:
        status = self.migrate(service)
        if status != 0:
            raise RuntimeError(f"migrations of {service} ended with {status}")

    def _start_role(self, service: str, role: str, environment: Mapping[str, str]) -> tuple[str, DockerContainer]:
        name = f"{service}-{role}-{next(self._numbers[service, role])}"
        container = self._pods().make(pods.BY_NAME[service], role, name, environment)
        self._start(name, container)
        return name, container

    def _start(self, name: str, container: DockerContainer) -> None:
        self._everything[name] = container
        container.with_name(f"{self._prefix}-{name}").start()

    def _pods(self) -> pods.Pods:
        return pods.Pods(
            self._credentials, self._backbone, self.gateway_url, self._mail.smtp_url, f"{self._prefix}-objects"
        )

    def _join_calls(self, name: str) -> None:
        """`serve` answers calls at the name of its service, one address for each replica; `bulk` at a name of its own."""
        service, role, _ = name.split("-")
        aliases = {SERVE: [service], BULK: [f"{service}-{BULK}"]}.get(role, [])
        self._calls.connect(self._everything[name].get_container_id(), aliases)

    def _leave(self, name: str) -> None:
        service, role, _ = name.split("-")
        self._running[service, role].remove(name)

    def _wait(self, name: str) -> int:
        return int(self._container(name).wait(timeout=120)["StatusCode"])

    def _container(self, name: str) -> Container:
        return self._everything[name].get_wrapped_container()

    def _from_here(self, url: str) -> str:
        host, port = self._postgres.get_container_host_ip(), self._postgres.get_exposed_port(5432)
        return url.replace(f"@{pods.POSTGRES}/", f"@{host}:{port}/")

    def _first_endpoints(self) -> dict[str, list[str]]:
        """The addresses behind the gateway at the start, by service, or by service and role."""
        found = {routes.MAIL: [self._mail.pages_url]}
        for service in SERVICES:
            replicas = range(1, REPLICAS.get(service.name, 1) + 1)
            found[service.name] = [_address(f"{service.name}-{SERVE}-{number}") for number in replicas]
            found[f"{service.name}-{PUSH}"] = [_address(f"{service.name}-{PUSH}-1")]
        return found


class ContainerProcess:
    """The container of a role, whichever it is just now."""

    def __init__(self, system: ContainerSystem, service: str, role: str) -> None:
        self._system, self._service, self._role = system, service, role

    def kill(self) -> None:
        """SIGKILL; a new container takes its place."""
        self._replace(self._system.kill)

    def restart(self) -> None:
        """SIGTERM; a new container takes its place."""
        self._replace(self._system.terminate)

    def _replace(self, end: Callable[[str], int]) -> None:
        end(self._system.names(self._service, self._role)[0])
        self._system.launch(self._service, self._role)


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Do all at once. Returns the results in order; raises the first failure when all have ended."""
    if not acts:
        return []
    with ThreadPoolExecutor(len(acts)) as threads:
        return [future.result() for future in [threads.submit(act) for act in acts]]


def _address(name: str) -> str:
    return f"http://{name}:{pods.HTTP}"
