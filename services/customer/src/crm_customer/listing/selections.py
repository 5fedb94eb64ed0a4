"""A selection of customers as other services send it, read as the list reads its query."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import Invalid
from chassis.http.api import Body
from chassis.http.parsing import validate
from crm.common.v1 import selection_pb2
from crm_customer.customers.sight import Sight
from crm_customer.listing.filters import Here, default_sort, load_catalogue, narrowed
from crm_customer.listing.rules import EXACT, Filter, ListView
from crm_customer.listing.views import Conditions


def filter_selected(session: Session, sight: Sight, asked: selection_pb2.CustomerFilter, mobile_pattern: str) -> Filter:
    """The list that a filter asks for. Raises Invalid."""
    view = _view(asked.view)
    wanted = Filter(
        search=_clean(asked.search),
        address=_clean(asked.address),
        owner_ids=(uuid_of(asked.owner_id),) if asked.owner_id else (),
        pool_ids=(uuid_of(asked.pool_id),) if asked.pool_id else (),
        created_from=_moment(asked, "created_from"),
        # The contract's end is inclusive, the query's is not.
        created_until=_moment(asked, "created_to", later=timedelta(microseconds=1)),
        sort=default_sort(view),
    )
    texts = {name: getattr(asked, name) for name in EXACT if getattr(asked, name, "")}
    here = Here(sight, now(), mobile_pattern)
    conditions = _conditions(asked).asked()
    catalogue = load_catalogue(session, here, conditions) if texts or conditions else None
    return narrowed(here, catalogue, wanted, texts, conditions, view)


def uuid_of(text: str) -> UUID:
    """An id. Raises Invalid."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid("uuid_parsing") from error


def _view(text: str) -> ListView:
    try:
        view = ListView(text or "all")
    except ValueError as error:
        raise Invalid("unknown_view", view=text[:50]) from error
    if view in (ListView.DELETED, ListView.LOCKED):
        raise Invalid("unknown_view", view=text)
    return view


def _conditions(asked: selection_pb2.CustomerFilter) -> Conditions:
    """As they come over REST, with the same pointers. Raises Invalid."""
    given = [{"field": one.field, "operator": one.operator, "values": list(one.values)} for one in asked.conditions]
    return validate(_Given, {"conditions": given}).conditions


class _Given(Body):
    conditions: Conditions


def _clean(text: str) -> str:
    if "\0" in text or len(text) > 100:
        raise Invalid("malformed_filter")
    return text.strip()


def _moment(asked: Any, name: str, later: timedelta = timedelta()) -> datetime | None:
    if not asked.HasField(name):
        return None
    stamp: Timestamp = getattr(asked, name)
    try:
        return stamp.ToDatetime(tzinfo=UTC) + later
    except (ValueError, OverflowError) as error:
        raise Invalid("malformed_filter") from error
