"""PostgreSQL, NATS, Valkey and the gateway as containers, with the same settings, users and routes as in `make run`."""

from collections.abc import Mapping, Sequence

from testcontainers.core.container import DockerContainer, ExecConfig
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import ExecWaitStrategy, HttpWaitStrategy, LogMessageWaitStrategy

from deploy.images import names
from highsea_local import routes
from highsea_local.plan import ROUTES_FILE
from highsea_local.servers import nats_config, traefik
from highsea_local.servers.postgres import CARELESS, SETTINGS
from tests.support.containers.mail import REACHES_MAIL

ROUTES_IN_CONTAINER = "/etc/traefik/routes.yaml"
WEB, PING = 8080, 8082


def postgres(network: Network, password: str) -> DockerContainer:
    """PostgreSQL at `postgres:5432`; it may lose data in a power cut."""
    settings = {**CARELESS, "max_connections": SETTINGS["max_connections"]}
    return (
        DockerContainer(names.chosen("postgres"), network=network, network_aliases=["postgres"], ports=[5432])
        .with_env("POSTGRES_PASSWORD", password)
        .with_env("POSTGRES_INITDB_ARGS", "--locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C.UTF-8")
        .with_command(["postgres", *(f"-c{name}={value}" for name, value in settings.items())])
        # The server that runs while the image prepares the cluster listens on no address.
        .waiting_for(ExecWaitStrategy(["pg_isready", "-h", "127.0.0.1"]).with_poll_interval(0.3))
    )


def nats(network: Network, passwords: Mapping[str, str]) -> DockerContainer:
    """NATS with JetStream at `nats:4222`; each service's user may publish its own subjects only."""
    users = nats_config.service_users(dict(passwords))
    text = nats_config.configuration(users, host="0.0.0.0", port=4222, monitor_port=8222, store_dir="/data")
    return (
        DockerContainer(names.chosen("nats"), network=network, network_aliases=["nats"], ports=[8222])
        .with_copy_into_container(text.encode(), "/etc/nats/nats.conf")
        .with_command(["-c", "/etc/nats/nats.conf"])
        .waiting_for(HttpWaitStrategy(8222, "/healthz").with_poll_interval(0.3))
    )


def valkey(network: Network, password: str) -> DockerContainer:
    """Valkey at `valkey:6379`."""
    return (
        DockerContainer(names.chosen("valkey"), network=network, network_aliases=["valkey"])
        .with_command(["valkey-server", "--requirepass", password])
        .waiting_for(LogMessageWaitStrategy("Ready to accept connections").with_poll_interval(0.3))
    )


class Gateway:
    """Traefik with the routes of deploy/routes.yaml. `targets` say who answers: addresses by service, or service and role.

    They may change while it runs, as the endpoints of a Service do on Kubernetes.
    """

    def __init__(self, network: Network, targets: Mapping[str, Sequence[str]]) -> None:
        self._targets = dict(targets)
        self.container = (
            DockerContainer(names.chosen("traefik"), network=network, ports=[WEB, PING])
            .with_kwargs(extra_hosts=REACHES_MAIL)
            .with_copy_into_container(self._file(), ROUTES_IN_CONTAINER)
            .with_command(traefik.arguments(f":{WEB}", f":{PING}", ROUTES_IN_CONTAINER, is_watched=True))
            .waiting_for(HttpWaitStrategy(PING, "/ready").with_poll_interval(0.3))
        )

    @property
    def url(self) -> str:
        """Where browsers go."""
        return f"http://{self.container.get_container_host_ip()}:{self.container.get_exposed_port(WEB)}"

    def send(self, name: str, addresses: Sequence[str]) -> None:
        """From now on (a moment later) `addresses` answer for `name`."""
        self._targets[name] = addresses
        self.container.copy_into_container(self._file(), f"{ROUTES_IN_CONTAINER}.new")
        # At once, so that half a file is never read.
        move = ExecConfig(["mv", f"{ROUTES_IN_CONTAINER}.new", ROUTES_IN_CONTAINER], user="root")
        moved = self.container.exec(move)
        assert moved.exit_code == 0, moved.output

    def _file(self) -> bytes:
        first = {name: addresses[0] for name, addresses in self._targets.items()}
        configuration = routes.traefik_configuration(routes.load(ROUTES_FILE), first)
        for name, target in configuration["http"]["services"].items():
            target["loadBalancer"]["servers"] = [{"url": address} for address in self._targets[name]]
        return traefik.routes_file(configuration).encode()
