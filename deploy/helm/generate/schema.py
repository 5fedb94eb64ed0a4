"""values.schema.json: every key that is not documented is refused."""

import json

from deploy.helm.generate.settings import Schema, schema_of
from deploy.helm.generate.values import Value

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


def document(values: Value, service: str, subcharts: tuple[str, ...]) -> str:
    """The file of a chart. Sub-charts have a schema of their own."""
    schema = _schema(values, service)
    schema["properties"] |= {name: {"type": "object"} for name in subcharts}
    return (
        json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **schema}, indent=1, ensure_ascii=False)
        + "\n"
    )


def _schema(value: Value, service: str) -> Schema:
    annotation = dict(value.annotation)
    schema: Schema = {"type": _TYPES[type(value.default)]}
    if "kind" in annotation:
        schema = dict(_KINDS[annotation.pop("kind")])
    elif "settings" in annotation:
        schema = schema_of(service if annotation.pop("settings") == "service" else "all")
    elif schema["type"] == "object" and not annotation:
        properties = {name: _schema(child, service) for name, child in value.children.items()}
        schema |= {"additionalProperties": False, "properties": properties}
    elif schema["type"] == "integer":
        schema["minimum"] = 0
    described = {"description": value.description} if value.description else {}
    return described | schema | annotation
