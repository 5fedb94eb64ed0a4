"""A recycler that dies at any moment: no customer is without a place or taken twice, and the run completes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.records import Release


class _Killed(BaseException):
    """Nobody catches it, as nobody catches kill -9."""


@contextmanager
def _killing(sea: Any, before: int) -> Iterator[list[str]]:
    """Die before the statement of that number is sent."""
    sent: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)
        if len(sent) == before:
            raise _Killed

    event.listen(sea.opened.database.engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        event.remove(sea.opened.database.engine, "before_cursor_execute", count)


def _survives(sea: Any, number: int) -> bool:
    """A run of two owners' customers, one of them touched, that dies before its statement `number`. Whether it did."""
    first, second = sea.hire(f"甲{number}"), sea.hire(f"乙{number}")
    gone, saved = [*sea.own(2, first), *sea.own(1, second)], sea.own(1, second)
    sea.expire([*gone, *saved])
    for state in sea.customer.states:
        if state.id in saved:
            state.facts_version, state.won = 2, True
    sea.next_day()

    died = False
    with _killing(sea, number):
        try:
            sea.recycle()
        except _Killed:
            died = True
    placed = {one.customer_id: (one.owner_id, one.pool_id) for one in sea.assignments([*gone, *saved])}
    assert len(placed) == 4
    assert all((owner is None) != (pool is None) for owner, pool in placed.values())
    sea.recycle()

    owners = {str(one.customer_id): one.owner_id for one in sea.assignments([*gone, *saved])}
    assert owners == dict.fromkeys(gone) | {saved[0]: second.id}
    assert [entry.cause for id_ in gone for entry in sea.history(id_)] == ["birth", "recycle"] * 3
    run = sea.runs()[-1]
    assert (run.state, run.taken, run.spared) == ("finished", 3, 1)
    release = max(sea.rows(Release), key=lambda one: one.at)
    assert release.customers == 3
    told = [one for one in sea.opened.outbox(events.AssignmentBatchFinished) if one.batch_id == str(release.id)]
    assert [one.succeeded for one in told] == [3]
    return died


def test_before_whichever_statement_it_dies_every_customer_has_a_place_and_the_next_worker_completes_the_run(
    sea: Any,
) -> None:
    sea.put_in_force(sea.default())
    number = 1

    while _survives(sea, number):
        number += 1

    assert number > 30
