"""Errors as RFC 9457 problem+json in the caller's language."""

import http
import json

import flask

from chassis.errors import Moved, Refusal
from chassis.tracing import current_trace_id
from chassis.wording import Messages


def problem(refusal: Refusal, messages: Messages, language: str) -> flask.Response:
    """The reply for `refusal`."""
    body = {
        "type": f"urn:highsea:problem:{refusal.code}",
        "title": http.HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "code": refusal.code,
        "detail": messages.text(refusal.code, language, refusal.parameters),
        "trace_id": current_trace_id(),
        **refusal.extra,
    }
    if refusal.errors:
        body["errors"] = [
            {
                "pointer": error.pointer,
                "code": error.code,
                "message": messages.field_text(error.pointer, error.code, language, error.parameters),
            }
            for error in refusal.errors
        ]
    # A pointer names the caller's own fields, whose names may hold what UTF-8 does not.
    content = json.dumps(body, ensure_ascii=False, default=str).encode(errors="replace")
    response = flask.Response(content, refusal.status, content_type="application/problem+json")
    if isinstance(refusal, Moved):
        # Not for ever, as the status alone would let caches believe.
        response.headers.update({"Location": refusal.location, "Cache-Control": "no-store"})
    if refusal.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(max(1, round(refusal.retry_after_seconds)))
    if refusal.status == http.HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers["Content-Language"] = "zh-CN" if language == "zh" else "en"
    return response
