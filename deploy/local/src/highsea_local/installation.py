"""One installation: its folder, ports and secrets, and the environment every service process gets from them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from highsea_local.credentials import Credentials
from highsea_local.home import Home
from highsea_local.spawn import inherited_environment
from highsea_local.topology import BINDS, BULK, GRPC_PEERS, SERVE, Service, port_name

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Installation:
    """Everything that addresses are made of. Nothing here starts or opens anything."""

    home: Home
    ports: dict[str, int]
    credentials: Credentials
    services: Sequence[Service]
    log_level: str = "INFO"
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by service or by process name

    @property
    def gateway_url(self) -> str:
        """Where browsers go, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.ports['gateway']}"

    @property
    def valkey_url(self) -> str:
        return f"redis://:{quote(self.credentials.valkey, safe='')}@{LOOPBACK}:{self.ports['valkey']}/0"

    def bind(self, service: str, role: str, kind: str) -> str:
        """``host:port`` of a role process; ``kind`` is ``http``, ``grpc`` or ``metrics``. Raises KeyError."""
        return f"{LOOPBACK}:{self.ports[port_name(service, role, kind)]}"

    def database_url(self, service: str) -> str:
        """The service's own database for its own role. Raises KeyError."""
        password = quote(self.credentials.databases[service], safe="")
        return f"postgresql://{service}:{password}@{LOOPBACK}:{self.ports['postgres']}/{service}"

    def nats_url(self, user: str) -> str:
        """NATS for a service's user or ``admin``. Raises KeyError."""
        return f"nats://{user}:{quote(self.credentials.nats[user], safe='')}@{LOOPBACK}:{self.ports['nats']}"

    def objects(self, service: str) -> Path:
        """The folder of a service's files."""
        return self.home.objects / service

    def environment(self, service: Service, role: str) -> dict[str, str]:
        """The complete environment of a service process; one-shot commands take the role ``serve``."""
        known = {
            "DATABASE_URL": self.database_url(service.name),
            "NATS_URL": self.nats_url(service.name),
            "VALKEY_URL": self.valkey_url,
            "OBJECT_STORE_URL": self.objects(service.name).as_uri(),
            "SERVICE_KEY_FILE": str(self.credentials.key_file(service.name)),
            "SERVICE_KEYS_FILE": str(self.credentials.public_keys_file),
            "PUBLIC_URL": self.gateway_url,
            "HIGHSEA_DEMO": "1",
            "LOG_LEVEL": self.log_level,
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
        }
        binds = {f"{kind.upper()}_BIND": self.bind(service.name, role, kind) for kind in BINDS}
        running = {other.name for other in self.services}
        peers = {f"{name.upper()}_GRPC": self.bind(name, SERVE, "grpc") for name in GRPC_PEERS if name in running}
        if "customer" in running:
            peers["CUSTOMER_BULK_GRPC"] = self.bind("customer", BULK, "grpc")
        further = {**self.overrides.get(service.name, {}), **self.overrides.get(f"{service.name}-{role}", {})}
        return inherited_environment() | known | binds | peers | self._extras(service) | further

    def tool_environment(self) -> dict[str, str]:
        """The environment of this package's own processes: landing page, mail catcher, demo."""
        return inherited_environment() | {
            "HIGHSEA_HOME": str(self.home.path),
            "PUBLIC_URL": self.gateway_url,
            "HIGHSEA_DEMO": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
        }

    def _extras(self, service: Service) -> dict[str, str]:
        available = {
            "key_encryption_key": {"KEY_ENCRYPTION_KEY": self.credentials.key_encryption_key},
            "smtp": {
                "SMTP_URL": f"smtp://{LOOPBACK}:{self.ports['smtp']}",
                "MAIL_FROM": os.environ.get("MAIL_FROM", "Highsea <highsea@example.com>"),
            },
            "groups_and_phones": {
                "ROBOT_HOSTS": f"{LOOPBACK}:{self.ports['mail']}",
                "SMS_URL": f"http://highsea:caught@{LOOPBACK}:{self.ports['mail']}/local/mail/sms",
                "SMS_FROM": "Highsea",
            },
        }
        return {name: value for need in service.needs for name, value in available[need].items()}
