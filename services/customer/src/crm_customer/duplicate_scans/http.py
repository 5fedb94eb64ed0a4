"""REST of scans and of the groups that they found."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.duplicate_scans import commands, queries
from crm_customer.duplicate_scans.model import DuplicateGroup, DuplicateScan
from crm_customer.duplicate_scans.views import GroupQuery, GroupView, ScanView
from directory.permissions import Permission

api = Api("duplicates")
_MERGE: dict[str, Any] = {"access": Permission.CUSTOMER_MERGE}
_ACT: dict[str, Any] = {**_MERGE, "idempotent": True, "versioned": True}


@api.route(
    "POST", "/duplicates/scans", summary="Look for duplicates in the whole base", reply=ScanView, status=202, **_ACT
)
def start_scan(call: Call[None, None]) -> ScanView:
    """数据清洗 (G-09), in the background, one at a time. Its groups take the place of the open ones of the scan before."""
    return call.command(lambda session: _scan(session, commands.start_scan(session, call.actor.id, now())))


@api.route("GET", "/duplicates/scans", summary="List scans", query=PageQuery, reply=Page[ScanView], **_MERGE)
def list_scans(call: Call[None, PageQuery]) -> Page[ScanView]:
    """Newest first."""
    query = call.query
    with call.runtime.database.reading() as session:
        items, total = queries.scans(session, query.page, query.page_size)
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route("GET", "/duplicates/scans/<uuid:scan_id>", summary="Read a scan", reply=ScanView, versioned=True, **_MERGE)
def read_scan(call: Call[None, None], scan_id: UUID) -> ScanView:
    """How far it is."""
    with call.runtime.database.reading() as session:
        return _scan(session, queries.scan_of(session, scan_id))


@api.route("POST", "/duplicates/scans/<uuid:scan_id>:cancel", summary="Cancel a scan", reply=ScanView, **_ACT)
def cancel_scan(call: Call[None, None], scan_id: UUID) -> ScanView:
    """Nothing comes of it; the groups of the one before stay."""
    return call.command(lambda session: _scan(session, commands.cancel_scan(session, call.actor.id, scan_id, now())))


@api.route(
    "GET", "/duplicates/groups", summary="List groups of duplicates", query=GroupQuery, reply=Page[GroupView], **_MERGE
)
def list_groups(call: Call[None, GroupQuery]) -> Page[GroupView]:
    """重复组: those of which the caller sees two customers at least, the surest first."""
    query = call.query
    with call.runtime.database.reading() as session:
        items, total = queries.groups(session, sight_of(session, call.actor.id), query)
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET", "/duplicates/groups/<uuid:group_id>", summary="Read a group", reply=GroupView, versioned=True, **_MERGE
)
def read_group(call: Call[None, None], group_id: UUID) -> GroupView:
    """What the caller sees of it."""
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        return _group(session, sight, queries.seen_group(session, sight, group_id))


@api.route(
    "POST", "/duplicates/groups/<uuid:group_id>:dismiss", summary="No duplicates after all", reply=GroupView, **_ACT
)
def dismiss_group(call: Call[None, None], group_id: UUID) -> GroupView:
    """Its customers are companies of their own: no later scan lists them together."""
    return _decided(call, group_id, commands.dismiss_group)


@api.route(
    "POST", "/duplicates/groups/<uuid:group_id>:reopen", summary="Take a dismissal back", reply=GroupView, **_ACT
)
def reopen_group(call: Call[None, None], group_id: UUID) -> GroupView:
    """As if it had not been dismissed."""
    return _decided(call, group_id, commands.reopen_group)


def _decided(
    call: Call[None, None], group_id: UUID, act: Callable[[Session, Sight, UUID, datetime], DuplicateGroup]
) -> GroupView:
    def work(session: Session) -> GroupView:
        sight = sight_of(session, call.actor.id)
        return _group(session, sight, act(session, sight, group_id, now()))

    return call.command(work)


def _scan(session: Session, scan: DuplicateScan) -> ScanView:
    return queries.scan_views(session, [scan])[0]


def _group(session: Session, sight: Sight, group: DuplicateGroup) -> GroupView:
    session.flush()
    return queries.group_views(session, sight, [group.id])[0]
