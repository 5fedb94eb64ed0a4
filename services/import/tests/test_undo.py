"""Undoing an import: each row that wrote something is asked about, its answer kept; cut short, it goes on where it was."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import update

from chassis.clock import now
from chassis.errors import Forbidden, TooManyRequests
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.imports.v1.imports_events_pb2 import ChunkReady, ImportFinished, ImportUndone
from crm_import.chunks.due import expire, republish
from crm_import.chunks.model import Chunk
from crm_import.chunks.worker import handle_chunk
from crm_import.jobs.model import ImportJob
from directory import store


@pytest.fixture
def sales(running):
    return running.member


def _rows(count: int) -> list[list[object]]:
    return [[f"公司{number}", 13800000000 + number, "其他", ""] for number in range(count)]


def _touched(record: str = "task") -> list[rows_pb.ImportRowProblem]:
    return [rows_pb.ImportRowProblem(code="has_records", parameters={"record": record, "count": "2"})]


def _undone(running, job, actor=None):
    """The view of the job once it has been undone."""
    reply = (actor or running.member).post(job, "undo")
    assert reply.status_code == 200, reply.text
    with running.workers():
        return running.ended(job)


def _messages(running, job) -> list[ChunkReady]:
    return [ChunkReady(job_id=job["id"], chunk_id=str(chunk.id)) for chunk in running.chunks(job)]


def _asked(running) -> list[int]:
    return sorted({row.row_number for request in running.customers.reverts for row in request.rows})


def _counted() -> list[float]:
    names = ("undone", "left")
    return [REGISTRY.get_sample_value("crm_import_undone_total", {"outcome": name}) or 0 for name in names]


def test_rows_that_wrote_something_are_undone_and_the_others_let_alone(running, sales) -> None:
    running.customers.ids["公司1"] = known = "01a21829-4d09-7000-8000-11c964026390"
    job = running.imported(*_rows(25), ["坏", "1", "", ""], mode="create_and_update")
    assert (job["created"], job["updated"], job["failed"]) == (24, 1, 1)
    before = sales.get(f"/imports/{job['id']}").json["undo"]
    assert (before["possible"], before["rows"]) == (True, 25)

    undone = _undone(running, job)

    assert (undone["status"], undone["percent"]) == ("undone", 100)
    assert {name: undone["undo"][name] for name in ("possible", "code", "rows", "undone", "left", "undone_by")} == {
        "possible": False,
        "code": "import_undone",
        "rows": 25,
        "undone": 25,
        "left": 0,
        "undone_by": str(sales.member.id),
    }
    assert _asked(running) == list(range(2, 27))
    told = {row.row_number: row for request in running.customers.reverts for row in request.rows}
    assert (told[2].created, told[3].created, told[3].record_id) == (True, False, known)
    rows = sales.get(f"/imports/{job['id']}/rows?undo=undone&page_size=50").json
    assert (rows["total"], rows["items"][0]["outcome"], rows["items"][0]["undo"]) == (25, "created", "undone")
    (event,) = running.service.outbox(ImportUndone)
    assert (event.job.id, event.actor_id, event.undone, event.left) == (job["id"], str(sales.member.id), 25, 0)
    assert len(running.service.outbox(ImportFinished)) == 1
    assert sales.post(job, "undo").json["status"] == "undone"


def test_what_is_left_says_why_and_is_tried_again_when_asked(running, sales) -> None:
    running.customers.ids["公司2"] = "01a21829-4d09-7000-8000-11c964026390"
    running.customers.touched = {
        3: _touched(),
        4: [
            rows_pb.ImportRowProblem(
                field="remark", code="changed_since", parameters={"imported": "展会", "current": "老客户"}
            )
        ],
    }
    job = running.imported(*_rows(12), mode="create_and_update")
    before = _counted()

    undone = _undone(running, job)

    assert (undone["status"], undone["undo"]["undone"], undone["undo"]["left"]) == ("undone", 10, 2)
    assert [after - was for after, was in zip(_counted(), before, strict=True)] == [10, 2]
    path = f"/imports/{job['id']}/rows"
    (left,) = sales.get(f"{path}?undo=left", Accept_Language="zh").json["items"]
    assert (left["row_number"], left["problems"]) == (3, [])
    assert [one["message"] for one in left["undo_problems"]] == [
        "第3行：导入之后新增了任务（2），已保留；删除这些记录后可再次撤销"
    ]
    (partly,) = sales.get(f"{path}?undo=partly", Accept_Language="zh").json["items"]
    assert [one["message"] for one in partly["undo_problems"]] == [
        "第4行 备注：导入写入“展会”，之后改成了“老客户”，已保留；如需恢复，请手动修改"
    ]
    running.customers.touched.clear()
    running.customers.reverts.clear()

    again = _undone(running, job)

    assert (again["undo"]["undone"], again["undo"]["left"]) == (12, 0)
    assert _asked(running) == [3, 4]
    assert sales.get(f"{path}?undo=undone").json["items"][1]["undo_problems"] == []


def test_a_worker_that_dies_in_the_middle_leaves_the_rest_to_another(running, sales, eventually) -> None:
    running.customers.touched = {5: _touched(), 17: _touched()}
    job = running.imported(*_rows(30))
    running.customers.hold_after = 1  # the second chunk is undone, but nobody hears of it
    worker = running.process()
    try:
        assert sales.post(job, "undo").status_code == 200
        eventually(lambda: len(running.customers.reverts) > 1)
    finally:
        worker.kill()
        worker.wait()
    running.customers.hold_after = None
    running.customers.gate.set()

    with running.workers():
        undone = running.ended(job)

    assert (undone["status"], undone["undo"]["undone"], undone["undo"]["left"]) == ("undone", 28, 2)
    rows = sales.get(f"/imports/{job['id']}/rows?undo=left").json["items"]
    assert [row["row_number"] for row in rows] == [5, 17]
    assert len(running.service.outbox(ImportUndone)) == 1


def test_one_that_is_cancelled_is_gone_on_with(running, sales) -> None:
    job = running.imported(*_rows(30))
    runtime = running.service.runtime
    assert sales.post(job, "undo").json["status"] == "undoing"
    first, second, third = _messages(running, job)
    assert handle_chunk(runtime, first) is None

    cancelled = sales.post(job, "cancel").json

    assert (cancelled["status"], cancelled["undo"]["undone"], cancelled["undo"]["possible"]) == ("finished", 10, True)
    assert cancelled["percent"] == 100
    assert [handle_chunk(runtime, message) for message in (second, third)] == [None, None]
    assert _asked(running) == list(range(2, 12))
    assert running.service.outbox(ImportUndone) == []
    undone = _undone(running, job)
    assert (undone["status"], undone["undo"]["undone"]) == ("undone", 30)
    assert _asked(running) == list(range(2, 32))


def test_rows_are_tried_again_after_an_undo_that_was_cancelled_before_it_began(running, sales) -> None:
    job = running.imported(*_rows(12), ["坏", "13900000000", "其他", ""])
    sales.post(job, "undo")
    sales.post(job, "cancel")
    correction = {"column": 0, "to": "好的", "from": "坏"}
    headers = running.service.headers(sales.member)
    reply = running.service.client.post(f"/api/v1/imports/{job['id']}:correct", json=correction, headers=headers)
    assert reply.status_code == 200, reply.text

    assert sales.post(job, "retry").status_code == 200
    with running.workers():
        ended = running.ended(job)

    assert (ended["status"], ended["created"], ended["failed"]) == ("finished", 13, 0)
    assert running.customers.reverts == []
    assert _undone(running, job)["undo"]["undone"] == 13


def test_a_busy_customer_is_waited_for_and_one_that_breaks_leaves_the_rows(running, sales) -> None:
    job = running.imported(*_rows(15))
    runtime = running.service.runtime
    sales.post(job, "undo")
    first, second = _messages(running, job)
    running.customers.refusals = [TooManyRequests("bulk_write_busy", retry_after_seconds=0.1)]
    assert handle_chunk(runtime, first) is not None
    running.customers.refusals = [RuntimeError("bug")] * 3
    assert [handle_chunk(runtime, first) is None for _ in range(3)] == [False, False, True]
    assert handle_chunk(runtime, second) is None

    undone = sales.get(f"/imports/{job['id']}").json

    assert (undone["status"], undone["undo"]["undone"], undone["undo"]["left"]) == ("undone", 5, 10)
    (row, *_) = sales.get(f"/imports/{job['id']}/rows?undo=left").json["items"]
    assert [one["code"] for one in row["undo_problems"]] == ["undo_failed"]
    assert _undone(running, job)["undo"]["undone"] == 15


def test_rights_that_are_lost_stop_it_and_it_is_gone_on_with(running, sales) -> None:
    job = running.imported(*_rows(15))
    sales.post(job, "undo")
    messages = _messages(running, job)
    running.customers.refusals = [Forbidden("forbidden", permission="customer.delete")] * 3
    for message in (messages[0], *messages):
        while handle_chunk(running.service.runtime, message) is not None:
            pass

    stopped = sales.get(f"/imports/{job['id']}").json
    assert (stopped["status"], stopped["failure_code"], stopped["undo"]["possible"]) == ("failed", "forbidden", True)
    undone = _undone(running, job)
    assert (undone["status"], undone["failure_code"], undone["undo"]["undone"]) == ("undone", None, 15)


def test_silent_chunks_are_handed_out_again(running, sales) -> None:
    job = running.imported(*_rows(5))
    sales.post(job, "undo")
    long_ago = now() - timedelta(hours=1)
    with running.service.database.transaction() as session:
        session.execute(update(ImportJob).values(touched_at=long_ago))
        session.execute(update(Chunk).values(touched_at=long_ago))

    republish(running.service.runtime)

    assert [chunk.touched_at > long_ago for chunk in running.chunks(job)] == [True]


def test_only_what_has_ended_and_written_something_and_is_kept_is_undone(running, sales) -> None:
    fresh = sales.uploaded(*_rows(3))
    members = running.admin.uploaded_members(["li", "李", "li@example.test", "", "华东销售部", "", ""])
    running.admin.post(members, "start")
    started = sales.started(*_rows(3))
    with running.workers():
        finished, nothing = running.ended(started), running.ended(sales.started(["坏", "1", "", ""]))
        running.ended(members)
    expired = running.imported(["另一家", 13900000000, "", ""])
    with running.service.database.transaction() as session:
        session.execute(
            update(ImportJob).where(ImportJob.id == expired["id"]).values(touched_at=now() - timedelta(days=99))
        )
    while expire(running.service.runtime):
        pass

    def refused(job, actor=sales) -> tuple[int, str]:
        reply = actor.post(job, "undo")
        assert actor.get(f"/imports/{job['id']}").json["undo"]["code"] == reply.json["code"]
        return reply.status_code, reply.json["code"]

    assert refused(fresh) == (409, "import_not_ended")
    assert refused(nothing) == (409, "nothing_to_undo")
    assert refused(expired) == (409, "import_results_expired")
    assert refused(members, running.admin) == (409, "import_not_undoable")
    assert running.customers.reverts == []
    sales.post(finished, "undo")
    assert sales.get(f"/imports/{finished['id']}").json["undo"]["code"] == "import_being_undone"


def test_one_undoes_ones_own_and_administrators_everybodys(running, sales, importer) -> None:
    job = running.imported(*_rows(3))
    colleague = importer(running.service, running.service.organisation.colleague)
    assert colleague.post(job, "undo").status_code == 404
    assert running.admin.post(job, "undo").json["status"] == "undoing"
    assert running.admin.post(job, "cancel").json["status"] == "finished"

    undone = _undone(running, job, running.admin)

    assert undone["undo"]["undone_by"] == str(running.admin.member.id)
    assert {request.actor_id for request in running.customers.reverts} == {str(running.admin.member.id)}


@pytest.mark.parametrize(
    ("without", "mode"), [("customer.delete", "create_only"), ("customer.update", "create_and_update")]
)
def test_it_takes_the_rights_to_delete_and_to_change(running, sales, without, mode) -> None:
    running.customers.ids["公司0"] = "01a21829-4d09-7000-8000-11c964026390"
    job = running.imported(*_rows(2), mode=mode)
    role = running.service.organisation.role_state("sales")
    role.version = 2
    role.permissions.remove(without)
    with running.service.database.transaction() as session:
        store.store_roles(session, [role])

    refused = sales.post(job, "undo")

    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert running.customers.reverts == []
