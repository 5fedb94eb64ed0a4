"""Stages: the same chunks, handled for one purpose after another."""

import pytest

from chassis.clock import now
from crm_import.chunks import commands
from crm_import.results.rules import Outcome


@pytest.fixture
def sales(running):
    return running.member


def _rows(count: int) -> list[list[object]]:
    return [[f"公司{number}", 13800000000 + number, "其他", ""] for number in range(count)]


def test_a_chunk_that_two_workers_hold_is_finished_by_the_one_that_took_it_last(running, sales) -> None:
    job = sales.started(*_rows(3))
    (message,) = running.split(job)
    database, actors = running.service.runtime.database, running.service.runtime.actors
    taken = []
    for _ in range(2):
        with database.transaction() as session:
            taken.append(commands.take(session, actors, message.job_id, message.chunk_id, now()))

    finished = []
    for task in taken:
        with database.transaction() as session:
            finished.append(commands.finish_chunk(session, task, lambda _session: {Outcome.CREATED: 3}, now()))

    assert finished == [False, True]
    assert sales.get(f"/imports/{job['id']}").json["created"] == 3
