"""What runs on one machine. A new service or role is a line in ``SERVICES``."""

from collections.abc import Sequence
from dataclasses import dataclass

SERVE, WORK, PROCESS, PUSH, BULK = "serve", "work", "process", "push", "bulk"
# Who opens a page goes first: imports take what is left of the processors.
NICENESS = {PROCESS: 10, BULK: 10}
BINDS = ("http", "grpc", "metrics")  # the ports every role process gets for itself


@dataclass(frozen=True)
class Service:
    """A service: its package is ``crm_<name>``, its database, role and NATS user are called like it.

    ``roles`` are the processes that keep running (``python -m crm_<name> <role>``), ``needs`` names what it gets
    beyond the common environment: ``key_encryption_key``, ``smtp`` or ``groups_and_phones``.
    """

    name: str
    roles: Sequence[str] = (SERVE, WORK)
    needs: Sequence[str] = ()

    @property
    def module(self) -> str:
        return f"crm_{self.name}"


SERVICES = (
    Service("identity", needs=("key_encryption_key",)),
    Service("customer", roles=(SERVE, WORK, BULK)),
    Service("pool"),
    Service("import", roles=(SERVE, WORK, PROCESS)),
    Service("notify", roles=(SERVE, WORK, PUSH), needs=("key_encryption_key", "smtp", "groups_and_phones")),
)
GRPC_PEERS = ("identity", "customer", "pool")  # whose address everybody gets as <NAME>_GRPC
SERVER_PORTS = ("gateway", "gateway.ping", "postgres", "nats", "nats.monitor", "valkey", "smtp", "mail", "landing")


def port_name(service: str, role: str, bind: str) -> str:
    """The name of a port in the state file, e.g. ``pool.serve.grpc``."""
    return f"{service}.{role}.{bind}"


def port_names(services: Sequence[Service]) -> list[str]:
    """Every port the system needs."""
    of_roles = [port_name(service.name, role, bind) for service in services for role in service.roles for bind in BINDS]
    return [*SERVER_PORTS, *of_roles]
