"""GET /api/v1/<service>/audit: what every service remembers of who changed what (Q-07)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from chassis.audit import AuditFilter, RecordedAuditEntry, find_audit
from chassis.days import span
from chassis.errors import FieldError, Invalid, invalid
from chassis.http.api import Api, Body, NearDay, View
from chassis.http.call import Call
from chassis.http.cursors import read_cursor, write_cursor

PERMISSION = "audit.read"


class AuditQuery(Body):
    """Which entries. `action`: how it begins, such as `member.`; `from` and `to`: days of the organisation, inclusive.

    `subject_id` goes with `subject_type`. `cursor`: the `next_cursor` of the answer before, with the same filters.
    """

    actor_id: UUID | None = None
    action: str = Field(default="", max_length=100)
    subject_type: str = Field(default="", max_length=100)
    subject_id: UUID | None = None
    from_: NearDay | None = Field(default=None, alias="from")
    to: NearDay | None = None
    page_size: int = Field(default=15, ge=1, le=200)
    cursor: str = Field(default="", max_length=100)


class ActorView(View):
    """Who did it; no name when they are not known here."""

    id: UUID
    name: str | None


class AuditEntryView(View):
    """One change of one record; `before` and `after` hold the changed fields. The system itself is no actor."""

    at: datetime
    action: str
    actor: ActorView | None
    subject_type: str
    subject_id: UUID
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    trace_id: str


class AuditPage(View):
    """Entries, newest first; with `next_cursor` there are more."""

    items: list[AuditEntryView]
    page_size: int
    next_cursor: str | None


def audit_api(service: str) -> Api:
    """The route of `service`."""
    api = Api("audit")
    api.route(
        "GET",
        f"/{service}/audit",
        access=PERMISSION,
        summary="Who changed what, newest first",
        query=AuditQuery,
        reply=AuditPage,
    )(read_audit)
    return api


def read_audit(call: Call[None, AuditQuery]) -> AuditPage:
    """What this service remembers of all members, whatever the reader's data scope."""
    wanted = call.query
    before = read_cursor(wanted.cursor, _position) if wanted.cursor else None
    actors = call.runtime.actors
    with call.runtime.database.reading() as session:
        # One more than asked for: it says whether there is a next page.
        found = find_audit(session, _filter(wanted, actors.zone(session)), before, wanted.page_size + 1)
        entries = found[: wanted.page_size]
        names = actors.names(session, {entry.actor_id for entry in entries if entry.actor_id})
    more = len(found) > len(entries)
    return AuditPage(
        items=[_view(entry, names) for entry in entries],
        page_size=wanted.page_size,
        next_cursor=write_cursor(entries[-1].at.isoformat(), entries[-1].id) if more else None,
    )


def _filter(wanted: AuditQuery, zone: str) -> AuditFilter:
    if wanted.subject_id and not wanted.subject_type:
        raise _wrong("/subject_type", "missing")
    if wanted.from_ and wanted.to and wanted.from_ > wanted.to:
        raise _wrong("/to", "before_from")
    since, until = span(wanted.from_, wanted.to, zone)
    return AuditFilter(
        actor_id=wanted.actor_id,
        action=wanted.action,
        subject_type=wanted.subject_type,
        subject_id=wanted.subject_id,
        since=since,
        until=until,
    )


def _view(entry: RecordedAuditEntry, names: Mapping[UUID, str]) -> AuditEntryView:
    actor = ActorView(id=entry.actor_id, name=names.get(entry.actor_id)) if entry.actor_id else None
    return AuditEntryView(
        at=entry.at,
        action=entry.action,
        actor=actor,
        subject_type=entry.subject_type,
        subject_id=entry.subject_id,
        before=entry.before,
        after=entry.after,
        trace_id=entry.trace_id,
    )


def _position(at: str, id_: int) -> tuple[datetime, int]:
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None or type(id_) is not int or not 0 <= id_ < 2**63:
        raise ValueError(at)
    return moment, id_


def _wrong(pointer: str, code: str) -> Invalid:
    return invalid(FieldError(pointer, code))
