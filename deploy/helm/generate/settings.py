"""What the code of a service says about its environment variables, and which of them are values of its chart."""

import importlib
from typing import Any

from chassis.settings import ServiceSettings

Schema = dict[str, Any]

# Keys of the service's Secret.
SECRETS = ("DATABASE_URL", "NATS_URL", "VALKEY_URL", "OBJECT_STORE_URL", "SERVICE_KEY", "SERVICE_KEYS")
OWN_SECRETS = ("KEY_ENCRYPTION_KEY", "SMTP_URL", "SMS_URL")
# What the image or the chart knows itself, and what only a migration reads.
_MANAGED = (
    *("HTTP_BIND", "GRPC_BIND", "METRICS_BIND", "DRAIN_SECONDS", "HIGHSEA_DEMO"),
    *("IDENTITY_GRPC", "CUSTOMER_GRPC", "CUSTOMER_BULK_GRPC", "POOL_GRPC", "PUBLIC_URL"),
    *("ADMINISTRATOR_LOGIN", "ADMINISTRATOR_NAME", "ADMINISTRATOR_EMAIL", "ADMINISTRATOR_PASSWORD"),
)


def schema_of(service: str) -> Schema:
    """The schema of a service's `settings`; of those that all have, when it is called `all`."""
    properties = {
        name.upper(): {"type": "string", "description": field.description}
        for name, field in _kind(service).model_fields.items()
        if name.upper() not in {*SECRETS, *OWN_SECRETS, *_MANAGED}
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def secrets_of(service: str, needs: list[str]) -> dict[str, str]:
    """Key → description of what a service's Secret holds."""
    fields = {name.upper(): field for name, field in _kind(service).model_fields.items()}
    needed = ["OBJECT_STORE_URL"] if "objectStore" in needs else []
    return {
        name: f"{'' if fields[name].is_required() or name in needed else 'optional: '}{fields[name].description}"
        for name in (*SECRETS, *OWN_SECRETS)
        if name in fields and (name != "OBJECT_STORE_URL" or name in needed)
    }


def _kind(service: str) -> type[ServiceSettings]:
    if service == "all":
        return ServiceSettings
    kind: type[ServiceSettings] = importlib.import_module(f"crm_{service}.service").SERVICE.settings
    return kind
