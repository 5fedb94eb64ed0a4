"""Batches are worked whole, each item once, whatever happens to the workers."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import func, select, update

from batch.commands import MAX_ITEMS, cancel_batch, start_batch
from batch.model import Outcome
from batch.queries import worked_items
from batch.tables import batch_items
from batch.tables import batches as batches_table
from batch.work import batch_tasks, delete_old
from chassis.clock import now
from chassis.database import in_transaction
from chassis.database.migration import schema_differences
from chassis.database.tables import metadata as chassis_metadata
from chassis.errors import Conflict, Invalid, Unavailable
from chassis.identifiers import new_id
from libs.batch.tests.sample import SERVICE, Batches


def _results(batches: Batches, batch_id, outcome=None):
    with batches.opened.database.reading() as session:
        return worked_items(session, batch_id, outcome, 1, 200)


def test_models_and_migrations_agree(batches: Batches) -> None:
    with batches.opened.database.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE worked")
        assert schema_differences(connection, [chassis_metadata, *SERVICE.metadatas]) == []


def test_every_item_is_worked_once_and_the_batch_ends_with_one_event(batches: Batches) -> None:
    batch_id = batches.start_many(35)

    batches.finish()

    assert batches.counts(batch_id) == (35, 0, 0, 0)
    assert batches.pages == [10, 10, 10, 5]
    assert batches.times() == [1] * 35
    assert batches.status(batch_id) == "finished"
    assert [event.succeeded for event in batches.endings()] == [35]


def test_ids_are_frozen_once_each_in_their_order(batches: Batches) -> None:
    first, second = sorted((new_id(), new_id()), reverse=True)
    batch_id = batches.start([first, second, first])

    batches.finish()

    assert [result.item_id for result in _results(batches, batch_id)] == [first, second]


def test_an_empty_batch_ends_at_once(batches: Batches) -> None:
    batch_id = batches.start([])

    batches.step()

    assert batches.status(batch_id) == "finished"


def test_more_items_than_allowed_are_refused(batches: Batches) -> None:
    with batches.opened.database.transaction() as session, pytest.raises(Invalid, match="batch_too_large"):
        start_batch(session, "count", new_id(), [new_id()] * (MAX_ITEMS + 1))


def test_what_undoes_something_takes_as_many_items_as_that_took(batches: Batches) -> None:
    item_ids = [new_id() for _ in range(MAX_ITEMS + 1)]

    with batches.opened.database.transaction() as session:
        batch = start_batch(session, "count", new_id(), item_ids, most=None)

    assert batch.total == MAX_ITEMS + 1


def test_the_largest_batch_is_frozen_and_read_page_by_page(batches: Batches) -> None:
    batch_id = batches.start_many(MAX_ITEMS)
    batches.page = 1000

    batches.step()

    assert batches.counts(batch_id) == (1000, 0, 0, MAX_ITEMS - 1000)


def test_two_workers_share_a_batch_without_working_an_item_twice(batches: Batches) -> None:
    batch_id = batches.start_many(40)
    both_inside = threading.Barrier(2, timeout=30)
    met = threading.Event()

    def meet(_items: int) -> None:
        if not met.is_set():
            both_inside.wait()
            met.set()

    batches.after_effect = meet
    with ThreadPoolExecutor(2) as pool:
        for worker in [pool.submit(batches.finish) for _ in range(2)]:
            worker.result()
    batches.finish()

    assert batches.counts(batch_id) == (40, 0, 0, 0)
    assert batches.times() == [1] * 40
    assert len(batches.endings()) == 1


def test_a_worker_that_dies_in_the_middle_of_a_page_leaves_it_to_the_next(batches: Batches) -> None:
    batch_id = batches.start_many(25)
    batches.step()

    def die(_items: int) -> None:
        raise SystemExit

    batches.after_effect = die
    with pytest.raises(SystemExit):
        batches.step()
    assert batches.counts(batch_id) == (10, 0, 0, 15)
    batches.after_effect = lambda _: None
    batches.finish()

    assert batches.counts(batch_id) == (25, 0, 0, 0)
    assert batches.times() == [1] * 25


def test_a_page_whose_peer_is_away_waits_and_does_not_hold_up_other_batches(batches: Batches) -> None:
    waiting, going = batches.start_many(5), batches.start_many(5)

    def ask(_runtime, batch, _item_ids) -> None:
        if batch.id == waiting:
            raise Unavailable("peer_unavailable", peer="customer")

    batches.prepare = ask
    batches.finish()
    assert (batches.counts(waiting), batches.counts(going)) == ((0, 0, 0, 5), (5, 0, 0, 0))

    batches.prepare = None
    batches.finish()

    assert batches.counts(waiting) == (5, 0, 0, 0)


def test_other_services_are_asked_with_no_transaction_open(batches: Batches) -> None:
    seen: list[bool] = []
    batches.prepare = lambda *_: seen.append(in_transaction())
    batches.start_many(3)

    batches.finish()

    assert seen == [False]


def test_an_item_that_breaks_fails_alone_and_is_named(batches: Batches) -> None:
    broken, others = new_id(), [new_id() for _ in range(4)]
    batches.broken = {broken}
    batch_id = batches.start([*others[:2], broken, *others[2:]])

    batches.finish()

    assert batches.counts(batch_id) == (4, 0, 1, 0)
    assert [(result.item_id, result.code) for result in _results(batches, batch_id, Outcome.FAILED)] == [
        (broken, "internal_error")
    ]
    assert batches.times() == [1] * 4


def test_a_refusal_raised_for_an_item_is_the_reason_it_was_skipped(batches: Batches) -> None:
    broken, unwilling = new_id(), new_id()
    batches.broken, batches.unwilling = {broken}, {unwilling}
    batch_id = batches.start([broken, unwilling])

    batches.finish()

    assert [result.code for result in _results(batches, batch_id, Outcome.SKIPPED)] == ["batch_over"]


def test_cancelling_skips_what_is_not_yet_worked(batches: Batches) -> None:
    batch_id = batches.start_many(30)
    batches.step()

    with batches.opened.database.transaction() as session:
        cancel_batch(session, batch_id)
    batches.finish()

    assert batches.status(batch_id) == "cancelled"
    assert batches.counts(batch_id) == (10, 20, 0, 0)
    assert {result.code for result in _results(batches, batch_id, Outcome.SKIPPED)} == {"batch_cancelled"}
    assert [(event.succeeded, event.skipped) for event in batches.endings()] == [(10, 20)]


def test_a_page_under_way_is_finished_before_a_cancelled_batch_ends(batches: Batches) -> None:
    batch_id = batches.start_many(20)
    inside, leave = threading.Event(), threading.Event()

    def linger(_items: int) -> None:
        inside.set()
        leave.wait(30)

    batches.after_effect = linger
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(batches.step)
        assert inside.wait(30)
        with batches.opened.database.transaction() as session:
            cancel_batch(session, batch_id)
        batches.step()
        assert batches.status(batch_id) == "cancelling"
        leave.set()
        busy.result()
    batches.finish()

    assert batches.counts(batch_id) == (10, 10, 0, 0)
    assert len(batches.endings()) == 1


def test_a_batch_that_is_over_cannot_be_cancelled(batches: Batches) -> None:
    batch_id = batches.start_many(1)
    batches.finish()

    with batches.opened.database.transaction() as session, pytest.raises(Conflict, match="batch_over"):
        cancel_batch(session, batch_id)


def test_many_workers_end_a_batch_once(batches: Batches) -> None:
    batches.start_many(10)
    batches.after_effect = lambda _: None

    with ThreadPoolExecutor(4) as pool:
        for worker in [pool.submit(batches.finish) for _ in range(4)]:
            worker.result()
    batches.finish()

    assert len(batches.endings()) == 1


def test_results_are_deleted_30_days_after_the_end_and_not_before(batches: Batches) -> None:
    old, recent = batches.start_many(2), batches.start_many(2)
    batches.finish()
    with batches.opened.database.transaction() as session:
        ended = now() - timedelta(days=31)
        session.execute(update(batches_table).where(batches_table.c.id == old).values(finished_at=ended))

    while delete_old(batches.opened.runtime):
        pass

    with batches.opened.database.reading() as session:
        assert session.scalars(select(batches_table.c.id)).all() == [recent]
        assert session.scalar(select(func.count()).select_from(batch_items)) == 2


def test_the_due_tasks_work_batches_of_their_kinds_alone(batches: Batches) -> None:
    batch_id = batches.start_many(1)

    for task in batch_tasks([]):
        task.run(batches.opened.runtime)

    assert batches.status(batch_id) == "running"


def test_open_batches_and_their_items_are_measured_while_they_are_worked(batches: Batches) -> None:
    measure = next(task for task in batch_tasks([]) if task.name == "measure-batches")

    def measured() -> tuple[float | None, ...]:
        measure.run(batches.opened.runtime)
        known = (("crm_batches", "status", "running"), ("crm_batch_items", "state", "done"))
        values = [REGISTRY.get_sample_value(name, {label: value}) for name, label, value in known]
        return *values, REGISTRY.get_sample_value("crm_batch_items", {"state": "total"})

    assert measured() == (0, 0, 0)
    batches.start_many(25)
    batches.step()
    assert measured() == (1, 10, 25)
    batches.finish()
    assert measured() == (0, 0, 0)
