"""Who may publish what on NATS: the configuration file of the server as a pure function of the users.

Subjects are `crm.<service>.v1.<event>`; a stream is written by one service alone, the shared dead letter stream aside.
Dead letters are `crm.dlq.<service>.<purpose>`, so that a service adds and replays none but its own durables'.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DEAD_LETTERS = "CRM_DLQ"
READ_STREAMS = (
    "INFO",
    "STREAM.NAMES",
    "STREAM.LIST",
    "STREAM.INFO.*",
    "STREAM.MSG.GET.*",
    "DIRECT.GET.>",
    "CONSUMER.>",
)
WRITE_STREAM = ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE")


@dataclass(frozen=True)
class NatsUser:
    """A user of the server.

    ``publishes`` are subjects it alone writes, ``streams`` the JetStream streams it may create, change and empty;
    both None: it may do everything.
    """

    name: str
    password: str
    publishes: Sequence[str] | None = None
    streams: Sequence[str] | None = None
    subscribes: Sequence[str] = ()


def service_users(passwords: dict[str, str]) -> list[NatsUser]:
    """The users of this system: one per service and ``admin``; ``passwords`` by user name.

    Raises:
        KeyError: The name is neither a service's nor ``admin``.
    """
    return [_service_user(name, password) for name, password in passwords.items()]


def _service_user(name: str, password: str) -> NatsUser:
    if name == "admin":
        return NatsUser("admin", password)
    publishes, streams, subscribes = {
        "identity": (["crm.identity.>"], ["CRM_IDENTITY"], []),
        "customer": (["crm.customer.>"], ["CRM_CUSTOMER"], []),
        "pool": (["crm.pool.>"], ["CRM_POOL"], []),
        "import": (["crm.imports.>", "crm.imports_work.>"], ["CRM_IMPORTS", "CRM_IMPORTS_WORK"], []),
        "notify": (["crm.notify.>", "crm.push.>"], ["CRM_NOTIFY"], ["crm.push.>"]),
    }[name]
    return NatsUser(name, password, publishes, streams, subscribes)


def publish_subjects(user: NatsUser) -> list[str]:
    """Every subject a limited user may publish on, including what JetStream clients need to read and acknowledge."""
    api = [f"$JS.API.{name}" for name in READ_STREAMS]
    for stream in (*(user.streams or ()), DEAD_LETTERS):
        api += [f"$JS.API.STREAM.{verb}.{stream}" for verb in WRITE_STREAM]
    return [*(user.publishes or ()), f"crm.dlq.{user.name}.>", *api, "$JS.ACK.>", "$JS.FC.>"]


def configuration(
    users: Sequence[NatsUser], *, port: int, monitor_port: int, store_dir: str, host: str = "127.0.0.1"
) -> str:
    """The text of the configuration file (JSON, which NATS reads): JetStream in files, users above."""
    settings: dict[str, Any] = {
        "server_name": "highsea",
        "listen": f"{host}:{port}",
        "http": f"{host}:{monitor_port}",
        "max_payload": 1024 * 1024,
        "jetstream": {
            "store_dir": store_dir,
            "max_memory_store": 64 * 1024 * 1024,
            "max_file_store": 256 * 1024**3,  # only the sum that streams may promise themselves, not space taken
        },
        "authorization": {"users": [_user_entry(user) for user in users]},
    }
    return json.dumps(settings, indent=2)


def _user_entry(user: NatsUser) -> dict[str, Any]:
    entry: dict[str, Any] = {"user": user.name, "password": user.password}
    if user.publishes is not None:
        entry["permissions"] = {
            "publish": publish_subjects(user),
            "subscribe": ["_INBOX.>", "$JS.EVENT.ADVISORY.>", *user.subscribes],
        }
    return entry
