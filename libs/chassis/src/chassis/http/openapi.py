"""The OpenAPI 3.1 document, generated from the same table that serves the routes, and a page to browse it."""

import re
from collections.abc import Sequence
from typing import Any

import flask
from flask_swagger_ui import get_swaggerui_blueprint
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chassis.http.api import JSON, Access, Api, Route
from chassis.http.call import ETAG_PATTERN, KEY_PATTERN

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "trace_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "trace_id": {"type": "string"},
        "permission": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("pointer", "code", "message")},
            },
        },
    },
}


def openapi_document(service: str, apis: Sequence[Api]) -> dict[str, Any]:
    """The document of one service."""
    routes = [(api.tag, route) for api in apis for route in api.routes]
    inputs = {model for _, route in routes for model in (route.body, route.query) if model}
    outputs = {route.reply for _, route in routes if route.reply}
    wanted: Any = [*((model, "validation") for model in inputs), *((model, "serialization") for model in outputs)]
    references, schemas = models_json_schema(wanted, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for tag, route in routes:
        path = "/api/v1" + _PARAMETER.sub(r"{\2}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(tag, route, references, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Highsea {service}", "version": "v1"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**schemas.get("$defs", {}), "Problem": _PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(tag: str, route: Route, references: Any, schemas: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "tags": [tag],
        "summary": route.summary,
        "description": (route.view.__doc__ or "").strip(),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": _responses(route, references),
        "security": [] if route.access is Access.ANYONE else [{"bearer": []}],
        "x-access": route.access.value if isinstance(route.access, Access) else route.access,
    }
    if route.body is not None:
        schema = references[(route.body, "validation")]
        operation["requestBody"] = {"required": True, "content": {route.consumes: {"schema": schema}}}
    return operation


def _responses(route: Route, references: Any) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Success"}
    if route.reply is not None:
        success["content"] = {route.produces: {"schema": references[(route.reply, "serialization")]}}
    elif route.produces != JSON:
        success["content"] = {route.produces: {"schema": {"type": "string", "format": "binary"}}}
    responses = {str(route.status): success}
    if route.accepts:
        location = {"description": "Where to read how far it has come", "schema": {"type": "string"}}
        responses["202"] = success | {"description": "Accepted, goes on by itself", "headers": {"Location": location}}
    refused = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {**responses, "default": {"description": "Refused", "content": refused}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    formats = {"uuid": {"type": "string", "format": "uuid"}, "int": {"type": "integer"}}
    return [
        {"name": name, "in": "path", "required": True, "schema": formats.get(kind, {"type": "string"})}
        for kind, name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = _inlined(route.query)
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema.get("properties", {}).items()
    ]


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolve(definitions[node["$ref"].rsplit("/", 1)[-1]])
            return {key: resolve(value) for key, value in node.items() if key != "$defs"}
        return [resolve(item) for item in node] if isinstance(node, list) else node

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def _headers(route: Route) -> list[dict[str, Any]]:
    names = []
    if route.idempotent:
        words = "The same key repeats the reply without a second effect"
        names.append(("Idempotency-Key", False, words, KEY_PATTERN))
    if route.versioned and route.method in ("PUT", "PATCH", "DELETE"):
        names.append(("If-Match", True, "The ETag received when the record was read", ETAG_PATTERN))
    return [
        {
            "name": name,
            "in": "header",
            "required": required,
            "description": words,
            "schema": {"type": "string", "pattern": pattern},
        }
        for name, required, words, pattern in names
    ]


def serve_docs(app: flask.Flask, at: str, document_url: str) -> None:
    """A browsable page of the document, without anything from outside."""
    app.register_blueprint(
        get_swaggerui_blueprint(at, document_url, config={"deepLinking": True, "docExpansion": "list"})
    )
