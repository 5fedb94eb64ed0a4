"""Workers that die, customers that are away, jobs that are stopped: nothing lost, nothing twice."""

from collections import Counter
from urllib.request import urlopen

import pytest
from sqlalchemy import delete, func, select

from chassis.database.tables import outbox
from chassis.errors import Conflict, NotFound, TooManyRequests, Unavailable
from crm.imports.v1.imports_events_pb2 import ImportFinished, SplitRequested
from crm_import.chunks.due import expire, republish
from crm_import.chunks.model import Chunk
from crm_import.chunks.worker import handle_chunk, handle_split
from crm_import.jobs.model import ImportJob
from crm_import.results.model import RowResult
from directory import store


@pytest.fixture
def sales(running):
    return running.member


def _rows(count: int) -> list[list[object]]:
    return [[f"公司{number}", 13800000000 + number, "其他", ""] for number in range(count)]


def _outcomes(running, job) -> dict[int, str]:
    with running.service.database.reading() as session:
        found = session.execute(select(RowResult.row_number, RowResult.outcome).where(RowResult.job_id == job["id"]))
        return {row.row_number: row.outcome for row in found}


def test_a_busy_or_absent_customer_is_waited_for(running) -> None:
    running.customers.refusals = [TooManyRequests("too_many_requests", retry_after_seconds=0.1)] * 6
    running.customers.refusals += [Unavailable("overloaded", retry_after_seconds=0.1)] * 6

    job = running.imported(*_rows(12))

    assert (job["status"], job["created"], job["failed"]) == ("finished", 12, 0)


def test_a_chunk_that_fails_three_times_fails_its_rows_and_the_job_goes_on(running, sales) -> None:
    job = sales.started(*_rows(15))
    runtime = running.service.runtime
    first, second = running.split(job)
    running.customers.refusals = [RuntimeError("bug"), Conflict("broken"), RuntimeError("bug")]

    assert [handle_chunk(runtime, first) is None for _ in range(3)] == [False, False, True]
    assert handle_chunk(runtime, second) is None

    job = sales.get(f"/imports/{job['id']}").json
    assert (job["status"], job["created"], job["failed"]) == ("finished", 5, 10)
    rows = sales.get(f"/imports/{job['id']}/rows?outcome=failed").json["items"]
    assert [row["problems"][0]["code"] for row in rows] == ["chunk_failed"] * 10
    assert rows[0]["cells"] == ["公司0", "13800000000", "其他", ""]


def test_a_pool_the_importer_may_not_see_fails_the_job_and_says_so(running, sales) -> None:
    job = sales.started(*_rows(25))
    running.customers.refusals = [NotFound("pool_not_found")] * 3

    messages = running.split(job)
    for message in (messages[0], *messages):
        while handle_chunk(running.service.runtime, message) is not None:
            pass

    job = sales.get(f"/imports/{job['id']}").json
    assert (job["status"], job["failure_code"]) == ("failed", "pool_not_found")
    assert job["failure_message"] == "所选客户池不存在或不在您的权限范围内，请选择其他客户池后重试"
    assert (job["total"], job["skipped"]) == (25, 25)


def test_a_customer_that_answers_too_late_counts_as_a_failed_try(running, sales) -> None:
    running.configure(import_bulk_seconds=0.2)
    running.customers.hold_after = 0
    job = sales.started(*_rows(3))
    (message,) = running.split(job)

    assert handle_chunk(running.service.runtime, message) is not None

    assert [chunk.tries for chunk in running.chunks(job)] == [1]


def test_doing_all_work_again_changes_nothing(running, sales) -> None:
    job = running.imported(*_rows(15), ["坏", "1", "文化", ""])
    before = _outcomes(running, job)

    for message in running.split(job):
        assert handle_chunk(running.service.runtime, message) is None

    assert _outcomes(running, job) == before
    assert sales.get(f"/imports/{job['id']}").json == job
    assert len(running.service.outbox(ImportFinished)) == 1


def test_splitting_again_after_a_crash_gives_the_same_chunks(running, sales, monkeypatch) -> None:
    job = sales.started(*_rows(25))
    runtime = running.service.runtime
    with monkeypatch.context() as patch:
        patch.setattr("crm_import.chunks.commands.run", _die)
        with pytest.raises(KeyboardInterrupt):
            handle_split(runtime, SplitRequested(job_id=job["id"]))
    objects = [runtime.object_store().get(Chunk.key_of(job["id"], number)) for number in (1, 2, 3)]

    messages = running.split(job)

    assert [runtime.object_store().get(Chunk.key_of(job["id"], number)) for number in (1, 2, 3)] == objects
    assert len(messages) == 3
    assert sales.get(f"/imports/{job['id']}").json["total"] == 25


def test_a_chunk_whose_answer_was_lost_gets_the_same_results_once(running, sales, monkeypatch) -> None:
    """The worker dies after customer has written the rows and before their results are kept."""
    job = sales.started(*_rows(5))
    (message,) = running.split(job)
    with monkeypatch.context() as patch:
        patch.setattr("crm_import.chunks.commands.finish_chunk", _die)
        with pytest.raises(KeyboardInterrupt):
            handle_chunk(running.service.runtime, message)

    assert handle_chunk(running.service.runtime, message) is None

    assert len(running.customers.requests) == 2
    assert Counter(_outcomes(running, job).values()) == {"created": 5}
    assert sales.get(f"/imports/{job['id']}").json["created"] == 5


def _die(*_arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.timeout(200)
def test_killing_the_worker_in_the_middle_loses_and_doubles_nothing(running, sales, eventually) -> None:
    running.environment["IMPORT_CHUNK_ROWS"] = "100"
    running.customers.hold_after = 5
    job = sales.started(*_rows(3000))
    worker = running.process()
    try:
        eventually(lambda: len(running.customers.requests) > 6)
        worker.kill()
        worker.wait()
        running.customers.hold_after = None
        running.customers.gate.set()
        middle = sales.get(f"/imports/{job['id']}").json
        worker = running.process()
        job = running.ended(job)
    finally:
        worker.kill()
        worker.wait()

    assert 0 < middle["created"] < 3000
    assert (job["status"], job["total"], job["created"]) == ("finished", 3000, 3000)
    assert Counter(_outcomes(running, job).values()) == {"created": 3000}
    assert len(running.customers.ids) == 3000


def test_at_most_eight_chunks_of_a_job_are_outstanding(running, sales) -> None:
    job = sales.started(*_rows(200))

    messages = running.split(job)

    assert Counter(chunk.status for chunk in running.chunks(job)) == {"queued": 8, "waiting": 12}
    handle_chunk(running.service.runtime, messages[0])
    assert Counter(chunk.status for chunk in running.chunks(job)) == {"done": 1, "queued": 8, "waiting": 11}


def test_cancelling_a_running_import_skips_the_rest_and_keeps_what_is_written(running, sales, eventually) -> None:
    running.customers.hold_after = 0
    job = sales.started(*_rows(200))
    with running.workers():
        eventually(lambda: running.customers.requests)
        cancelled = sales.post(job, "cancel").json
        running.customers.hold_after = None
        running.customers.gate.set()
        (finished,) = eventually(lambda: running.service.outbox(ImportFinished))

    job = sales.get(f"/imports/{job['id']}").json
    assert cancelled["status"] == job["status"] == finished.job.status == "cancelled"
    assert job["created"] + job["skipped"] == job["total"] == len(_outcomes(running, job)) == 200
    assert job["created"] <= 20
    skipped = sales.get(f"/imports/{job['id']}/rows?outcome=skipped").json["items"][0]
    assert [problem["code"] for problem in skipped["problems"]] == ["import_cancelled"]


def test_an_importer_who_left_imports_no_further_row(running, sales) -> None:
    job = sales.started(*_rows(25))
    messages = running.split(job)
    state = running.service.organisation.member_state(sales.member, version=2)
    state.active = False
    with running.service.database.transaction() as session:
        store.store_members(session, [state])

    for message in messages:
        handle_chunk(running.service.runtime, message)

    (finished,) = running.service.outbox(ImportFinished)
    assert (finished.job.status, finished.job.failure_code) == ("failed", "importer_not_allowed")
    assert (finished.job.total, finished.job.skipped) == (25, 25)
    assert running.customers.requests == []


def test_silent_chunks_and_splits_are_handed_out_again(running, sales) -> None:
    split, unsplit = sales.started(*_rows(15)), sales.started(*_rows(5))
    running.split(split)
    with running.service.database.transaction() as session:
        session.execute(delete(outbox))
    running.configure(import_silent_seconds=-1)

    republish(running.service.runtime)

    with running.workers():
        assert running.ended(split)["total"] == 15
        assert running.ended(unsplit)["total"] == 5


def test_old_results_and_files_are_forgotten_and_the_job_stays(running, sales) -> None:
    job = running.imported(*_rows(12))
    running.configure(import_results_days=-1)
    runtime = running.service.runtime

    while expire(runtime):
        pass

    assert sales.get(f"/imports/{job['id']}").json["created"] == 12
    for path in ("rows", "errors.xlsx"):
        assert sales.get(f"/imports/{job['id']}/{path}").json["code"] == "import_results_expired"
    with running.service.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(RowResult)) == 0
        assert session.get_one(ImportJob, job["id"]).are_results_expired
    with pytest.raises(FileNotFoundError):
        runtime.object_store().get(f"imports/{job['id']}/source")


def test_the_worker_process_answers_probes_and_ends_in_peace(running, eventually) -> None:
    worker = running.process()
    try:
        eventually(lambda: '"degraded":[]' in _probe(running.metrics_bind, "/readyz"))
        metrics = _probe(running.metrics_bind, "/metrics")
        worker.terminate()
        status = worker.wait(30)
    finally:
        worker.kill()

    assert "crm_import_results_total" in metrics
    assert status == 0


def _probe(bind: str, path: str) -> str:
    try:
        with urlopen(f"http://{bind}{path}", timeout=5) as reply:
            return reply.read().decode()
    except OSError:
        return ""
