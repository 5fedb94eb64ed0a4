"""Writing one chunk of follow-ups set-wise: the number of statements does not depend on the number of rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, update
from sqlalchemy.orm import Session

from chassis.database.rows import listed, rowset
from chassis.events.outbox import record_event
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.activities.model import Activity
from crm_customer.activities.rules import Kind
from crm_customer.activity_imports.queries import Judged, workers_on
from crm_customer.activity_imports.rules import Create, Row, touches
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import in_parts, read_facts, states_of
from crm_customer.database import append, by_column, copy_of
from crm_customer.imports.answers import unwritten
from crm_customer.imports.records import head
from crm_customer.imports.rules import Chunk, record_id_of

_ACTIVITIES: Table = Activity.__table__  # type: ignore[assignment]
_ACTIVITY_COLUMNS = tuple(column.name for column in _ACTIVITIES.c)
_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_GIVEN = rowset(_CUSTOMERS, ("id", "last_touch_at"))
# A fact that others are told of, no edit of the record.
_TOUCH = (
    update(_CUSTOMERS)
    .where(_CUSTOMERS.c.id == _GIVEN.c.id)
    .values(last_touch_at=_GIVEN.c.last_touch_at, facts_version=_CUSTOMERS.c.facts_version + 1)
)


def write_follow_ups(session: Session, judged: Judged, now: datetime) -> list[rows_pb.ImportRowResult]:
    """Write what was decided, unless it is rehearsed. One answer per row, in their order."""
    chunk = judged.chunk
    births = [one.row for one in judged.decisions if isinstance(one, Create)]
    if births and not chunk.rehearsal:
        append(session, copy_of(_ACTIVITIES, by_column([_born(row, chunk, now) for row in births])))
        _move_clocks(session, judged, births, now)
    return [_answer(chunk, one.row) if isinstance(one, Create) else unwritten(one) for one in judged.decisions]


def _answer(chunk: Chunk, row: Row) -> rows_pb.ImportRowResult:
    made = "" if chunk.rehearsal else str(record_id_of(chunk.job_id, row.number))
    return rows_pb.ImportRowResult(row_number=row.number, outcome=rows_pb.IMPORT_OUTCOME_CREATED, record_id=made)


def _born(row: Row, chunk: Chunk, now: datetime) -> dict[str, Any]:
    """Of its birth no entry is kept, as of everything that is imported."""
    return {
        **dict.fromkeys(_ACTIVITY_COLUMNS),
        "id": record_id_of(chunk.job_id, row.number),
        "version": 1,
        "customer_id": row.customer_id,
        "kind": Kind.FOLLOW_UP,
        "member_id": row.member_id,
        "at": row.at,
        "method": row.method,
        "content": row.content,
        "next_contact_on": row.next_contact_on,
        "updated_at": now,
    }


def _move_clocks(session: Session, judged: Judged, births: Sequence[Row], now: datetime) -> None:
    """As live follow-ups do (F-16); whether a touch lies within the holding is pool's to say."""
    moved = touches(births, workers_on(session, judged.customers, now))
    if not moved:
        return
    session.execute(_TOUCH, listed([{"id": id_, "last_touch_at": at} for id_, at in sorted(moved.items())]))
    states = states_of(session, read_facts(session, sorted(moved)))
    record_event(session, *in_parts(events.CustomerUpdated, states, **head(judged.chunk)))
