"""Public page behind the link of a mailing: only its POST changes something (RFC 8058)."""

from typing import Any

import flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_notify.mailings.queries import recipient_of_token
from crm_notify.suppressions.commands import suppress
from crm_notify.suppressions.rules import Reason
from crm_notify.unsubscribing import rules
from directory.tables import organisation

api = Api("unsubscribing")
_HTML = "text/html"
# A form, or the one line of RFC 8058.
_MOST_BYTES = 64 * 1024


@api.route(
    "GET",
    "/mailings/unsubscribe/<token>",
    access=Access.ANYONE,
    summary="Ask whether to get no more mailings",
    produces=_HTML,
)
def ask_to_unsubscribe(call: Call[None, None], token: str) -> flask.Response:
    """Changes nothing: mail systems open links by themselves."""
    _spend(call)
    with call.runtime.database.reading() as session:
        try:
            recipient_of_token(session, token)
        except NotFound:
            return _page(rules.unknown(), 404)
        return _page(rules.question(_company(session)))


@api.route(
    "POST",
    "/mailings/unsubscribe/<token>",
    access=Access.ANYONE,
    summary="Get no more mailings",
    consumes="application/x-www-form-urlencoded",
    produces=_HTML,
    max_bytes=_MOST_BYTES,
)
def unsubscribe(call: Call[None, None], token: str) -> flask.Response:
    """By the page's button or by a mail program in one click; again changes nothing. The body is not looked at."""
    _spend(call)
    with call.runtime.database.transaction() as session:
        try:
            recipient, mailing = recipient_of_token(session, token)
        except NotFound:
            return _page(rules.unknown(), 404)
        suppress(session, mailing.kind, recipient.address, Reason.UNSUBSCRIBED)
        return _page(rules.done(_company(session)))


def _spend(call: Call[Any, Any]) -> None:
    # Behind the gateway this is what it saw itself last; directly, the peer.
    seen = flask.request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    call.runtime.limiter.spend(rules.BUDGET, "unsubscribe", seen or flask.request.remote_addr or "")


def _company(session: Session) -> str:
    return session.scalar(select(organisation.c.name)) or "Highsea"


def _page(content: str, status: int = 200) -> flask.Response:
    return flask.Response(content, status, headers=rules.HEADERS, content_type=f"{_HTML}; charset=utf-8")
