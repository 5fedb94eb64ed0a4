"""A role of a service as a container: confined, told and probed as the charts' Pods are."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import yaml
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy

from deploy.images import names
from highsea_local.credentials import Credentials
from highsea_local.topology import BULK, GRPC_PEERS, SERVICES, Service
from tests.support.containers.mail import REACHES_MAIL

BY_NAME = {service.name: service for service in SERVICES}
MIGRATE = "migrate"
HTTP, GRPC, METRICS = 8000, 9000, 9100
GRACE_SECONDS = 45  # terminationGracePeriodSeconds
OBJECTS = "/var/lib/highsea"
POSTGRES = "postgres:5432"
CHARTS = names.ROOT / "deploy" / "helm"
READY = HttpWaitStrategy(METRICS, "/readyz").with_startup_timeout(120).with_poll_interval(0.3)


@dataclass(frozen=True)
class Pods:
    """Makes the containers of one system. `objects` is the name of the volume where files lie."""

    credentials: Credentials
    network: Network
    public_url: str
    smtp_url: str
    objects: str

    def make(self, service: Service, role: str, name: str, environment: Mapping[str, str]) -> DockerContainer:
        """A container that is reached at `name`, not started yet; `environment` goes before its usual one."""
        container = (
            DockerContainer(names.own(service.name), network=self.network, network_aliases=[name])
            .with_envs(**{**self._environment(service), **environment})
            .with_command([role])
            .with_exposed_ports(METRICS)
            .with_tmpfs_mount("/tmp")
            .with_kwargs(
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                mem_limit=memory_limit(service.name, role),
                extra_hosts=REACHES_MAIL,
            )
        )
        if service.name in ("customer", "import"):  # those that keep files
            container.with_env("OBJECT_STORE_URL", f"file://{OBJECTS}").with_volume_mapping(self.objects, OBJECTS, "rw")
        return container

    def _environment(self, service: Service) -> dict[str, str]:
        known = self.credentials
        password = quote(known.nats[service.name], safe="")
        common = {
            "DATABASE_URL": database_url(service.name, service.name, known.databases[service.name]),
            "NATS_URL": f"nats://{service.name}:{password}@nats:4222",
            "VALKEY_URL": f"redis://:{quote(known.valkey, safe='')}@valkey:6379/0",
            "SERVICE_KEY": known.key_file(service.name).read_text(encoding="utf-8"),
            "SERVICE_KEYS": known.public_keys_file.read_text(encoding="utf-8"),
            "PUBLIC_URL": self.public_url,
            **{f"{peer.upper()}_GRPC": f"dns:///{peer}:{GRPC}" for peer in GRPC_PEERS},
            "CUSTOMER_BULK_GRPC": f"dns:///customer-{BULK}:{GRPC}",
        }
        available = {
            "key_encryption_key": {"KEY_ENCRYPTION_KEY": known.key_encryption_key},
            "smtp": {"SMTP_URL": self.smtp_url, "MAIL_FROM": "Highsea <highsea@example.com>"},
            "groups_and_phones": {},
        }
        return common | {name: value for need in service.needs for name, value in available[need].items()}


def database_url(database: str, role: str, password: str) -> str:
    """A database as containers reach it."""
    return f"postgresql://{role}:{quote(password, safe='')}@{POSTGRES}/{database}"


def memory_limit(service: str, role: str) -> str:
    """What the charts allow a role, in Docker's words: the service's own values, else those that all have in common."""
    own, common = (yaml.safe_load((CHARTS / chart / "values.yaml").read_text()) for chart in (service, "common"))
    for values in (own or {}, common["exports"]["service"]):
        role_values = values.get("roles", {}).get(role) or values.get(role) or {}
        limit = role_values.get("resources", {}).get("limits", {}).get("memory")
        if limit:
            return str(limit).lower().removesuffix("i")
    raise KeyError(f"the charts limit no memory of {service} {role}")
