"""REST of the timeline."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from chassis.clock import now
from chassis.days import span
from chassis.errors import Unavailable
from chassis.http.api import Api
from chassis.http.call import Call
from chassis.http.cursors import read_cursor, write_cursor
from crm.common.v1.place_pb2 import Place
from crm.pool.v1 import pool_service_pb2 as pool
from crm.pool.v1.pool_events_pb2 import Cause
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import sight_of
from crm_customer.customers.views import Named
from crm_customer.ownership.clients import changes_of
from crm_customer.timeline.queries import ASSIGNMENTS, entries, names, position_of
from crm_customer.timeline.rules import Asked, EntryKind, Position, Status
from crm_customer.timeline.views import Timeline, TimelineEntry, TimelinePlace, TimelineQuery, entry_view
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("customers")
_ORDER = "timeline"
Found = tuple[Position, TimelineEntry]


@api.route(
    "GET",
    "/customers/<uuid:customer_id>/timeline",
    access=Permission.CUSTOMER_READ,
    summary="What happened with a customer",
    query=TimelineQuery,
    reply=Timeline,
)
def read_timeline(call: Call[None, TimelineQuery], customer_id: UUID) -> Timeline:
    """客户动态 (F-19): activities, tasks, schedule, files, opportunities, orders, payments and changes of place, newest
    first. While pool is away all but the last.
    """
    query, moment = call.query, now()
    with call.runtime.database.reading() as session:
        visible_customer(session, sight_of(session, call.actor.id), customer_id)
        asked = _asked(query, zone_of(session))
    changes, incomplete = _changes(call, customer_id, asked)
    with call.runtime.database.reading() as session:
        rows = entries(session, customer_id, asked, moment, query.page_size + 1)
        named = names(session, *_ids(changes)) if changes else {}
    found: list[Found] = [(position_of(row), entry_view(row)) for row in rows]
    moved = ((_position(change), change) for change in changes)
    found += [
        (position, _move(change, named)) for position, change in moved if asked.holds(position, _id(change.actor_id))
    ]
    found.sort(key=lambda one: one[0], reverse=True)
    page = found[: query.page_size]
    after = page[-1][0] if len(found) > query.page_size else None
    return Timeline(
        items=[entry for _, entry in page],
        next_cursor=write_cursor(_ORDER, after.at.isoformat(), after.source, str(after.id)) if after else None,
        incomplete=incomplete,
    )


def _asked(query: TimelineQuery, zone: str) -> Asked:
    """Raises Invalid unknown_cursor."""
    since, until = span(query.from_, query.to, zone)
    return Asked(
        kinds=frozenset(query.kinds),
        member_id=query.member_id,
        status=query.status,
        since=since,
        until=until,
        after=read_cursor(query.cursor, _read_position) if query.cursor else None,
    )


def _read_position(order: str, at: str, source: int, id_: str) -> Position:
    position = Position(datetime.fromisoformat(at), source, UUID(id_))
    if order == _ORDER and position.at.tzinfo and type(source) is int and 0 <= source <= ASSIGNMENTS:
        return position
    raise ValueError(order)


def _changes(
    call: Call[None, TimelineQuery], customer_id: UUID, asked: Asked
) -> tuple[Sequence[pool.RecordedChange], list[str]]:
    """Where the customer came from and went, as pool says at once or not at all; and what is missing."""
    if not asked.wants(EntryKind.ASSIGNMENT) or asked.status is Status.OPEN:
        return [], []
    try:
        changes = changes_of(call.runtime, customer_id)
    except Unavailable:
        return [], ["assignments"]
    # A pool of the release before does not say when.
    dated = [change for change in changes if change.HasField("at")]
    return dated, [] if len(dated) == len(changes) else ["assignments"]


def _position(change: pool.RecordedChange) -> Position:
    return Position(change.at.ToDatetime(UTC), ASSIGNMENTS, UUID(int=change.change.state.version))


def _move(change: pool.RecordedChange, named: dict[UUID, Named]) -> TimelineEntry:
    moved = change.change
    return TimelineEntry(
        kind=EntryKind.ASSIGNMENT,
        event=_cause(change.cause),
        id=None,
        at=change.at.ToDatetime(UTC),
        member=_named(change.actor_id, named),
        status=Status.DONE,
        came_from=_place(moved.previous, named) if moved.HasField("previous") else None,
        went_to=_place(moved.state.place, named),
    )


def _cause(cause: int) -> str:
    """Its name; a newer pool may have causes of its own."""
    known = Cause.DESCRIPTOR.values_by_number.get(cause)
    return known.name.removeprefix("CAUSE_").lower() if known else "unspecified"


def _place(place: Place, named: dict[UUID, Named]) -> TimelinePlace:
    return TimelinePlace(owner=_named(place.owner_id, named), pool=_named(place.pool_id, named))


def _named(text: str, named: dict[UUID, Named]) -> Named | None:
    id_ = _id(text)
    return None if id_ is None else named.get(id_, Named(id=id_, name=""))


def _id(text: str) -> UUID | None:
    return UUID(text) if text else None


def _ids(changes: Iterable[pool.RecordedChange]) -> tuple[set[UUID], set[UUID]]:
    """Members and pools that the changes name."""
    member_ids: set[UUID] = set()
    pool_ids: set[UUID] = set()
    for change in changes:
        places = (change.change.previous, change.change.state.place)
        member_ids |= {UUID(text) for text in (change.actor_id, *(place.owner_id for place in places)) if text}
        pool_ids |= {UUID(place.pool_id) for place in places if place.pool_id}
    return member_ids, pool_ids
