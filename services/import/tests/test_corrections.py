"""Cells put right on the page, and rows tried again: one result for each row, and counts that stay right."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from openpyxl import load_workbook
from sqlalchemy import func, select

from chassis.errors import NotFound
from crm.imports.v1.imports_events_pb2 import ImportFinished
from crm_import.chunks.due import expire
from crm_import.corrections.model import RowCorrection
from crm_import.results.model import RowResult

COUNTS = ("total", "created", "updated", "skipped", "failed")


@pytest.fixture
def sales(running):
    return running.member


def _rows(count: int) -> list[list[object]]:
    return [[f"公司{number}", 13800000000 + number, "其他", ""] for number in range(count)]


def _counts(job) -> list[int]:
    return [job[name] for name in COUNTS]


def _finished(running, *rows):
    job = running.member.started(*rows)
    return running.handled(job)


def _outcomes(running, job) -> Counter:
    with running.service.database.reading() as session:
        return Counter(session.scalars(select(RowResult.outcome).where(RowResult.job_id == job["id"])))


def _again(running, job):
    """The view of the job after its retry."""
    for chunk in running.chunks(job):
        running.handle(job, chunk)
    return running.member.get(f"/imports/{job['id']}").json


def test_cells_put_right_and_tried_again_give_one_result_each_and_counts_that_add_up(running, sales) -> None:
    job = _finished(
        running,
        *_rows(12),
        *([f"坏{number}", 13900000000 + number, "文化", ""] for number in range(12)),
        ["坏12", 13900000012, "\u3000文化 ", ""],
    )
    assert _counts(job) == [25, 12, 0, 0, 13]

    by_row = sales.post(job, "correct", column=0, to="好的", rows=[14, 15])
    by_text = sales.post(job, "correct", column=2, to="教育/培训", **{"from": "文化"})
    shown = sales.get(f"/imports/{job['id']}/rows?outcome=failed&page_size=50").json["items"]
    retried = sales.post(job, "retry", only="corrected")
    middle = retried.json
    done = _again(running, job)

    assert (by_row.json["rows"], by_row.json["field"]) == (2, "name")
    assert sorted(one["value"] for one in by_row.json["former"]) == ["坏0", "坏1"]
    assert (by_text.json["rows"], sum(one["rows"] for one in by_text.json["former"])) == (13, 13)
    assert shown[0]["cells"][:3] == ["坏0", "13900000000", "文化"]
    assert shown[0]["corrections"] == [{"column": 0, "value": "好的"}, {"column": 2, "value": "教育/培训"}]
    assert (middle["status"], _counts(middle), middle["percent"]) == ("running", [25, 12, 0, 0, 0], 48)
    assert (done["status"], _counts(done)) == ("finished", [25, 13, 0, 1, 11])
    assert _outcomes(running, job) == {"created": 13, "skipped": 1, "failed": 11}
    again = sum(len(request.row_numbers) for request in running.customers.requests[-2:])
    assert {texts["industry"] for texts in running.customers.sent[-again:]} == {"教育/培训"}
    assert len(running.service.outbox(ImportFinished)) == 2


def test_correcting_to_what_the_file_says_takes_the_correction_back(running, sales) -> None:
    job = _finished(running, ["坏", 13900000000, "文化", ""])

    sales.post(job, "correct", column=0, to="好", rows=[2])
    back = sales.post(job, "correct", column=0, to="坏", rows=[2])

    assert back.json["former"] == [{"value": "好", "rows": 1}]
    with running.service.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(RowCorrection)) == 0
    assert sales.post(job, "retry", only="corrected").json["code"] == "nothing_to_retry"


def test_a_repeat_an_error_cell_and_cells_too_many_are_put_right_too(running, sales) -> None:
    text = "客户名称,手机,备注\n甲,13800138000,\n乙,13800138000,\n丙,13800138002,x,y\n"
    job = sales.upload(text.encode(), "客户.csv").json
    sales.post(job, "start")
    job = running.handled(job)
    assert _counts(job) == [3, 1, 0, 1, 1]

    assert sales.post(job, "correct", column=1, to="13800138009", rows=[3]).status_code == 200
    assert sales.post(job, "correct", column=2, to="x", rows=[4]).status_code == 200
    sales.post(job, "retry")
    untouched = _again(running, job)
    sales.post(job, "correct", column=2, to="好", rows=[4])
    sales.post(job, "retry")
    done = _again(running, job)

    assert _counts(untouched) == [3, 2, 0, 0, 1]
    assert _counts(done) == [3, 3, 0, 0, 0]


def test_an_error_list_holds_what_was_put_right(running, sales, tmp_path) -> None:
    job = _finished(running, ["坏", 13900000000, "文化", ""])
    sales.post(job, "correct", column=2, to="教育/培训", rows=[2])

    path = tmp_path / "errors.xlsx"
    path.write_bytes(sales.get(f"/imports/{job['id']}/errors.xlsx").data)

    assert [cell.value for cell in load_workbook(path).active[2]][:3] == ["坏", "13900000000", "教育/培训"]


def test_rehearsed_rows_are_put_right_before_the_start_and_another_reading_of_the_file_forgets_it(
    running, sales
) -> None:
    job = running.rehearsed(["坏", 13900000000, "文化", ""], ["好", 13900000001, "", ""])
    assert sales.post(job, "correct", column=0, to="行", rows=[2]).status_code == 200
    (plan, _) = sales.get(f"/imports/{job['id']}/rehearsal").json["items"]
    assert plan["corrections"] == [{"column": 0, "value": "行"}]
    assert sales.get(f"/imports/{job['id']}").json["is_rehearsal_outdated"]

    sales.post(job, "rehearse")
    again = running.handled(job)
    assert (_counts(again), again["is_rehearsal_outdated"]) == ([2, 2, 0, 0, 0], False)
    sales.post(job, "start")
    assert _counts(running.handled(job)) == [2, 2, 0, 0, 0]
    assert "行" in running.customers.ids

    other = running.rehearsed(["坏", 13900000000, "文化", ""], ["好", 13900000001, "", ""])
    sales.post(other, "correct", column=0, to="行", rows=[2])
    sales.patch(sales.get(f"/imports/{other['id']}").json, header_row=2)
    with running.service.database.reading() as session:
        left = select(func.count()).where(RowCorrection.job_id == other["id"])
        assert session.scalar(left) == 0


def test_where_duplicates_are_asked_about_corrected_rows_are_rehearsed_again_first(running, sales) -> None:
    job = running.rehearsed(["坏", 13900000000, "文化", ""], mode="ask")
    sales.post(job, "correct", column=0, to="行", rows=[2])

    refused = sales.post(job, "start")

    assert (refused.status_code, refused.json["code"]) == (409, "rehearsal_outdated")
    assert sales.post(job, "start?undecided=skip").status_code == 200


def test_what_cannot_be_corrected_or_tried_again_is_refused_by_name(running, sales, importer) -> None:
    job = _finished(running, *_rows(2), ["坏", 13900000000, "文化", ""])
    uploaded = sales.uploaded(*_rows(1))
    colleague = importer(running.service, running.service.organisation.colleague)

    def pointers(reply) -> list:
        return [(error["pointer"], error["code"]) for error in reply.json["errors"]]

    assert pointers(sales.post(job, "correct", column=0, to="x", rows=[4, 2])) == [("/rows/1", "row_not_correctable")]
    assert pointers(sales.post(job, "correct", column=9, to="x", rows=[4])) == [("/column", "column_not_mapped")]
    assert sales.post(job, "correct", column=0, to="x").status_code == 422
    assert sales.post(job, "correct", column=0, to="x", rows=[4], **{"from": "坏"}).status_code == 422
    assert sales.post(uploaded, "correct", column=0, to="x", rows=[2]).json["code"] == "nothing_to_correct"
    assert sales.post(uploaded, "retry").json["code"] == "nothing_to_retry"
    assert colleague.post(job, "correct", column=0, to="x", rows=[4]).status_code == 404
    assert colleague.post(job, "retry").status_code == 404
    running.configure(import_results_days=-1)
    while expire(running.service.runtime):
        pass
    assert sales.post(job, "correct", column=0, to="x", rows=[4]).json["code"] == "nothing_to_correct"
    assert sales.post(job, "retry").json["code"] == "nothing_to_retry"


def test_two_retries_at_once_are_one(running, sales) -> None:
    job = _finished(running, *([f"坏{number}", 13900000000 + number, "", ""] for number in range(15)))
    barrier = threading.Barrier(3)

    def send(_number: int) -> int:
        barrier.wait()
        path, headers = f"/api/v1/imports/{job['id']}:retry", running.service.headers(sales.member)
        client = running.service.client.application.test_client()
        return client.post(path, headers=headers, json={}).status_code

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(send, range(3))) == [200] * 3

    assert [chunk.rows for chunk in running.chunks(job) if chunk.is_retry] == [10, 5]
    assert _counts(_again(running, job)) == [15, 0, 0, 0, 15]


def test_a_retry_that_is_cancelled_leaves_the_results_as_they_were(running, sales) -> None:
    job = _finished(running, *_rows(3), *([f"坏{number}", 13900000000 + number, "", ""] for number in range(25)))
    sales.post(job, "correct", column=0, to="好", **{"from": "坏24"})
    sales.post(job, "retry")
    running.handle(job, next(chunk for chunk in running.chunks(job) if chunk.is_retry))

    sales.post(job, "cancel")
    done = _again(running, job)

    assert (done["status"], _counts(done)) == ("cancelled", [28, 3, 0, 0, 25])
    assert _outcomes(running, job) == {"created": 3, "failed": 25}
    assert sales.post(done, "retry").json["status"] == "running"
    assert _counts(_again(running, job)) == [28, 4, 0, 0, 24]


def test_rows_of_an_import_that_was_refused_are_tried_again_once_that_is_put_right(running, sales) -> None:
    job = sales.started(*_rows(12))
    running.customers.refusals = [NotFound("pool_not_found")] * 3
    failed = running.handled(job)
    assert (failed["status"], failed["failure_code"]) == ("failed", "pool_not_found")
    assert sales.post(job, "retry", only="failed").json["code"] == "nothing_to_retry"

    for row in range(2, 14):
        sales.post(job, "correct", column=3, to="再试", rows=[row])
    assert sales.post(job, "retry").json["failure_code"] is None
    assert _counts(_again(running, job)) == [12, 12, 0, 0, 0]


def test_a_retried_chunk_whose_answer_was_lost_gets_the_same_results_once(running, sales, monkeypatch) -> None:
    job = _finished(running, ["坏", 13900000000, "", ""])
    sales.post(job, "correct", column=0, to="好", rows=[2])
    sales.post(job, "retry")
    with monkeypatch.context() as patch:
        patch.setattr("crm_import.chunks.commands.finish_chunk", _die)
        with pytest.raises(KeyboardInterrupt):
            _again(running, job)

    done = _again(running, job)

    assert _counts(done) == [1, 1, 0, 0, 0]
    assert list(running.customers.ids) == ["好"]


def _die(*_arguments: object) -> None:
    raise KeyboardInterrupt


def test_each_run_tells_who_has_got_customers_by_it_and_not_the_importer(running, sales) -> None:
    boss = str(running.service.organisation.supervisor.id)
    running.customers.owners["负责"] = boss
    given = [[f"负责{number}", 13700000000 + number, "", ""] for number in range(3)]
    job = _finished(running, *_rows(2), *given, ["坏", 13900000000, "", ""])
    sales.post(job, "correct", column=0, to="负责九", rows=[7])
    sales.post(job, "retry")
    _again(running, job)

    told = [
        [(one.member_id, one.customers) for one in event.receivers] for event in running.service.outbox(ImportFinished)
    ]
    assert told == [[(boss, 3)], [(boss, 1)]]
