"""REST of the histories of members and pools; a customer's own is in `assignments`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import FieldError, invalid
from chassis.http.api import Api
from chassis.http.call import Call
from chassis.http.cursors import read_cursor, write_cursor
from crm_pool.assignments.http import history_view, names_of_history
from crm_pool.assignments.queries import Sight, sight_of
from crm_pool.assignments.records import HistoryEntry
from crm_pool.history import queries
from crm_pool.history.views import HistoryPage, HistoryQuery, MovementView
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("history")
_DAYS = 90


@api.route(
    "GET",
    "/assignments/history",
    access=Permission.CUSTOMER_READ,
    summary="What a member or a pool got and lost, newest first",
    query=HistoryQuery,
    reply=HistoryPage,
)
def list_history(call: Call[None, HistoryQuery]) -> HistoryPage:
    """One's own, or of members in the departments one sees; of a pool for who runs it, manages pools or sees the company."""
    query = call.query
    if (query.member_id is None) == (query.pool_id is None):
        raise invalid(FieldError("/member_id", "member_or_pool"))
    after = read_cursor(query.cursor, _position) if query.cursor else None
    with call.runtime.database.reading() as session:
        period = query.period(zone_of(session), _DAYS)
        sight = sight_of(session, call.actor.id)
        if query.member_id is not None:
            queries.require_member_in_sight(session, sight, query.member_id)
        elif query.pool_id is not None:
            queries.require_pool_run_by(session, sight, query.pool_id)
        wanted = queries.Wanted(query.member_id, query.pool_id, period, query.cause, after)
        # One more than asked for: it says whether there is a next page.
        found = queries.entries(session, wanted, query.page_size + 1)
        items = _views(session, sight, found[: query.page_size], call.language)
    more = len(found) > query.page_size
    return HistoryPage(
        items=items, page_size=query.page_size, next_cursor=_cursor(found[query.page_size - 1]) if more else None
    )


def _views(session: Session, sight: Sight, found: Sequence[HistoryEntry], language: str) -> list[MovementView]:
    customers = queries.names_in_sight(session, sight, [entry.customer_id for entry in found])
    names = names_of_history(session, found, language)
    return [
        MovementView(
            **dict(history_view(entry, names)),
            customer_id=entry.customer_id,
            customer_name=customers.get(entry.customer_id),
        )
        for entry in found
    ]


def _cursor(entry: HistoryEntry) -> str:
    return write_cursor(entry.at.isoformat(), str(entry.customer_id), entry.version)


def _position(at: str, customer_id: str, version: int) -> queries.Position:
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None or type(version) is not int or not 0 <= version < 2**63:
        raise ValueError(at)
    return moment, UUID(customer_id), version
