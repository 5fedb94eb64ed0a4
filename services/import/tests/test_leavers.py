"""Whoever leaves imports no further row, from the moment at which import hears of it."""

import pytest

from chassis.events.consumer import Event
from chassis.identifiers import new_id
from crm.identity.v1.identity_events_pb2 import MemberDeactivated
from crm.imports.v1.imports_events_pb2 import ImportFinished
from crm_import.chunks.worker import handle_chunk
from crm_import.jobs.events import DIRECTORY
from crm_import.jobs.model import ImportJob
from directory import store


@pytest.fixture
def sales(running):
    return running.member


def _rows(count: int) -> list[list[object]]:
    return [[f"公司{number}", 13800000000 + number, "其他", ""] for number in range(count)]


def _left(running, version: int = 2) -> list[Event]:
    state = running.service.organisation.member_state(running.member.member, version)
    state.active = False
    return [Event(new_id(), MemberDeactivated(members=[state]), "2026-01-01T00:00:00Z", "")]


def test_the_running_import_of_a_leaver_ends_with_the_event_and_keeps_what_is_written(running, sales) -> None:
    job = sales.started(*_rows(25))
    runtime = running.service.runtime
    first, *others = running.split(job)
    handle_chunk(runtime, first)

    with running.service.database.transaction() as session:
        DIRECTORY.apply(session, _left(running))
        assert session.get_one(ImportJob, job["id"]).status == "failed"
        assert running.admin.get(f"/imports/{job['id']}").json["status"] == "running", "seen before the commit"
    for chunk in others:
        handle_chunk(runtime, chunk)

    job = running.admin.get(f"/imports/{job['id']}").json
    assert (job["failure_code"], job["created"], job["skipped"]) == ("importer_not_allowed", 10, 15)
    assert len(running.customers.requests) == 1
    (finished,) = running.service.outbox(ImportFinished)
    assert (finished.job.status, finished.job.created) == ("failed", 10)


def test_an_import_that_a_leaver_had_waiting_ends_and_a_mere_upload_stays_for_administrators(running, sales) -> None:
    waiting, uploaded = sales.started(*_rows(3)), sales.uploaded(*_rows(3))
    others = running.admin.started(*_rows(3))

    for events in (_left(running), _left(running)):
        with running.service.database.transaction() as session:
            DIRECTORY.apply(session, events)

    status = {job["id"]: job["status"] for job in running.admin.get("/imports").json["items"]}
    assert status == {waiting["id"]: "failed", uploaded["id"]: "uploaded", others["id"]: "queued"}
    assert [event.job.id for event in running.service.outbox(ImportFinished)] == [waiting["id"]]
    assert running.split(waiting) == []


def test_somebody_who_is_back_when_the_event_of_leaving_comes_goes_on_importing(running, sales) -> None:
    job = sales.started(*_rows(3))
    back = running.service.organisation.member_state(sales.member, version=3)

    with running.service.database.transaction() as session:
        store.store_members(session, [back])
        DIRECTORY.apply(session, _left(running))

    assert sales.get(f"/imports/{job['id']}").json["status"] == "queued"


def test_a_rehearsal_of_a_leaver_ends_with_the_event_and_what_is_under_way_of_it_is_thrown_away(running, sales) -> None:
    job = sales.uploaded(*_rows(25))
    sales.post(job, "rehearse")
    first, second, _ = running.split(job)
    handle_chunk(running.service.runtime, first)

    with running.service.database.transaction() as session:
        DIRECTORY.apply(session, _left(running))
    handle_chunk(running.service.runtime, second)

    ended = running.admin.get(f"/imports/{job['id']}").json
    assert (ended["status"], ended["failure_code"]) == ("uploaded", "importer_not_allowed")
    assert len(running.customers.requests) == 1
    assert running.service.outbox(ImportFinished) == []
