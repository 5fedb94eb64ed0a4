"""values.schema.json: every key that is not documented is refused."""

import importlib
import json
from typing import Any

from chassis.settings import ServiceSettings
from deploy.helm.generate.values import Value

Schema = dict[str, Any]

# Settings that are not values: secrets, and what the chart knows itself.
MANAGED = {
    *("DATABASE_URL", "NATS_URL", "VALKEY_URL", "OBJECT_STORE_URL", "SERVICE_KEY", "SERVICE_KEYS"),
    *("KEY_ENCRYPTION_KEY", "SMTP_URL"),
    *("ADMINISTRATOR_LOGIN", "ADMINISTRATOR_NAME", "ADMINISTRATOR_EMAIL", "ADMINISTRATOR_PASSWORD"),
    *("HTTP_BIND", "GRPC_BIND", "METRICS_BIND", "IDENTITY_GRPC", "CUSTOMER_GRPC", "POOL_GRPC"),
    *("PUBLIC_URL", "HIGHSEA_DEMO", "DRAIN_SECONDS"),
}
_TEXT: Schema = {"type": "string"}
_QUANTITIES: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"cpu": _TEXT, "memory": _TEXT, "ephemeral-storage": _TEXT},
}
_KINDS: dict[str, Schema] = {
    "resources": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"requests": _QUANTITIES, "limits": _QUANTITIES},
    },
    "image": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"registry": _TEXT, "repository": _TEXT, "tag": _TEXT, "digest": _TEXT},
    },
}
_TYPES = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}


def document(values: Value, service: Schema | None, subcharts: tuple[str, ...]) -> str:
    """The file. `service` is the schema of this service's settings; sub-charts have a schema of their own."""
    settings = {"all": _settings(ServiceSettings), "service": service}
    schema = _schema(values, settings)
    schema["properties"] |= {name: {"type": "object"} for name in subcharts}
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **schema}, indent=1) + "\n"


def settings_of(service: str) -> Schema:
    """The schema of a service's settings, from its code."""
    return _settings(importlib.import_module(f"crm_{service}.service").SERVICE.settings)


def _settings(kind: type[ServiceSettings]) -> Schema:
    named = {name.upper(): field.description for name, field in kind.model_fields.items()}
    properties = {name: {"type": "string", "description": text} for name, text in named.items() if name not in MANAGED}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _schema(value: Value, settings: dict[str, Schema | None]) -> Schema:
    annotation = dict(value.annotation)
    schema: Schema = {"type": _TYPES[type(value.default)]}
    if "kind" in annotation:
        schema = dict(_KINDS[annotation.pop("kind")])
    elif "settings" in annotation:
        schema = dict(settings[annotation.pop("settings")] or {})
    elif schema["type"] == "object" and not annotation:
        properties = {name: _schema(child, settings) for name, child in value.children.items()}
        schema |= {"additionalProperties": False, "properties": properties}
    elif schema["type"] == "integer":
        schema["minimum"] = 0
    described = {"description": value.description} if value.description else {}
    return described | schema | annotation
