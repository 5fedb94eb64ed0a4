"""The Flask app of a service, made from its routes."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import flask
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as NoSuchRoute
from werkzeug.routing import Rule

from chassis import metrics
from chassis.auth.actors import Actor
from chassis.auth.tokens import Claims
from chassis.errors import Forbidden, Malformed, NotFound, Refusal, TooLarge, Unauthenticated
from chassis.health import Health
from chassis.http.answering import NO_ROUTE, answering
from chassis.http.api import JSON, MAX_BODY_BYTES, SERVE, Access, Api, Route
from chassis.http.call import Call
from chassis.http.openapi import openapi_document, serve_docs
from chassis.http.parsing import parse_body, parse_query
from chassis.http.problems import problem
from chassis.logs import get_logger
from chassis.runtime import Runtime
from chassis.slots import Slots
from chassis.tracing import current_trace_id
from chassis.wording import language_of

PREFIX = "/api/v1"
_QUEUE_SECONDS = 1.0
log = get_logger(__name__)


class _MethodNotAllowed(Malformed):
    status = 405


class _Rule(Rule):
    """A rule by which requests are matched and no address is ever built. Werkzeug compiles code for building each of them,
    which is nine tenths of what making an app costs.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _build_nothing


def _build_nothing(rule: Rule, **values: Any) -> tuple[str, str]:
    """Nothing here asks for an address; whoever does is told by which rule. Raises NotImplementedError."""
    raise NotImplementedError(rule.rule)


def create_app(runtime: Runtime, apis: Sequence[Api], health: Health) -> flask.Flask:
    """An app that answers the routes of `apis` under /api/v1, health, and its own OpenAPI document and page."""
    app = flask.Flask(runtime.service, static_folder=None)
    app.url_rule_class = _Rule
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    slots = Slots(metrics.http_threads, runtime.settings.http_threads)
    for api in apis:
        for route in (route for route in api.routes if route.role == SERVE):
            view = _answering(runtime, route, slots)
            app.add_url_rule(f"{PREFIX}{route.path}", route.operation_id, view, methods=[route.method])
    document = cache(lambda: openapi_document(runtime.service, apis))
    app.add_url_rule(f"{PREFIX}/{runtime.service}/openapi.json", "openapi_json", lambda: flask.jsonify(document()))
    serve_docs(app, f"{PREFIX}/{runtime.service}/docs", f"{PREFIX}/{runtime.service}/openapi.json")
    health.add_to(app)
    app.after_request(_drained)
    app.register_error_handler(Exception, lambda error: _on_unrouted(runtime, error))
    return app


def _drained(response: flask.Response) -> flask.Response:
    """Read what is left of the body: closing a connection with unread bytes can cost the caller the reply."""
    left = flask.request.max_content_length or 0
    while left > 0 and (piece := flask.request.environ["wsgi.input"].read(min(left, 65_536))):
        left -= len(piece)
    return response


def _answering(runtime: Runtime, route: Route, slots: Slots) -> Callable[..., flask.Response]:
    def view(**path: Any) -> flask.Response:
        flask.request.max_content_length = route.max_bytes
        with answering(route.method, route.path, flask.request.headers) as answer:
            try:
                with slots.taken(_QUEUE_SECONDS):
                    response = _rendered(route, route.view(_call(runtime, route), **path))
            except Exception as error:
                response = _on_error(runtime, error)
            return answer.with_id(response)

    return view


def _call(runtime: Runtime, route: Route) -> Call[Any, Any]:
    signed_in = None if route.access is Access.ANYONE else _signed_in(runtime)
    flask.g.language = _language(signed_in)
    if signed_in is not None and isinstance(route.access, str) and not signed_in[1].may(route.access):
        raise Forbidden("forbidden", permission=route.access)
    query = parse_query(route.query) if route.query else None
    body = parse_body(route.body) if route.body and route.consumes == JSON else None
    return Call(runtime, route, body, query, signed_in, flask.g.language)


def _signed_in(runtime: Runtime) -> tuple[Claims, Actor]:
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("token_missing")
    return runtime.access_tokens.authenticate(token.strip())


def _language(signed_in: tuple[Claims, Actor] | None) -> str:
    header = flask.request.headers.get("Accept-Language")
    if header:
        return language_of(header)
    return signed_in[1].language if signed_in else "zh"


def _rendered(route: Route, result: Any) -> flask.Response:
    if isinstance(result, flask.Response):
        response = result
    elif isinstance(result, BaseModel):
        response = flask.Response(result.model_dump_json(), route.status, content_type=JSON)
    elif result is None:
        response = flask.Response(status=204)
    else:
        raise TypeError(f"{route.operation_id} must return a model, a response or None")
    if route.versioned and isinstance(result, BaseModel) and result.version is not None:  # type: ignore[attr-defined]
        response.headers["ETag"] = f'"{result.version}"'  # type: ignore[attr-defined]
        if flask.request.method == "GET" and flask.request.headers.get("If-None-Match") == response.headers["ETag"]:
            response = flask.Response(status=304, headers={"ETag": response.headers["ETag"]})
    if flask.g.get("idempotent_replayed"):
        response.headers["Idempotent-Replayed"] = "true"
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def _on_unrouted(runtime: Runtime, error: Exception) -> flask.Response:
    with answering(flask.request.method, NO_ROUTE, flask.request.headers) as answer:
        response = answer.with_id(_on_error(runtime, error))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _on_error(runtime: Runtime, error: Exception) -> flask.Response:
    language = flask.g.get("language") or _language(None)
    return problem(_refusal(error), runtime.messages, language)


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RequestEntityTooLarge):
        return TooLarge("body_too_large", limit=flask.request.max_content_length)
    if isinstance(error, NoSuchRoute):
        return NotFound("route_not_found")
    if isinstance(error, MethodNotAllowed):
        return _MethodNotAllowed("method_not_allowed")
    if isinstance(error, HTTPException) and (error.code or 500) < 500:
        return Malformed("malformed_json", reason=error.name)
    log.error("request_failed", method=flask.request.method, route=str(flask.request.url_rule), exc_info=error)
    return Refusal("internal_error", trace_id=current_trace_id())
