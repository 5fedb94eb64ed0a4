"""Rehearsals: what would become of every row, by those who write it, and nothing is written; decisions about matches."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from chassis.clock import now
from chassis.errors import NotFound, TooManyRequests
from chassis.identifiers import new_id
from crm.imports.v1.imports_events_pb2 import ImportFinished
from crm_import.chunks import commands
from crm_import.chunks.due import republish
from crm_import.chunks.worker import handle_chunk
from crm_import.kinds.customers import CUSTOMERS
from crm_import.rehearsal.model import RowPlan
from crm_import.results.model import RowResult

SOMEBODY = "01a20153-051c-776d-b719-e8552ec4eb5b"


@pytest.fixture
def sales(running):
    return running.member


def _rows(count: int) -> list[list[object]]:
    return [[f"公司{number}", 13800000000 + number, "其他", ""] for number in range(count)]


def _stored(running, table) -> int:
    with running.service.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def _plans(sales, job, query: str = "") -> list:
    return sales.get(f"/imports/{job['id']}/rehearsal?page_size=200{query}").json["items"]


def test_a_rehearsal_tells_every_row_and_its_import_then_does_so(running, sales) -> None:
    running.customers.ids["公司1"] = SOMEBODY
    rows = [*_rows(22), ["坏", "1", "文化", ""], ["公司2", "", "", ""], ["", 13911111111, "", ""]]

    job = running.rehearsed(*rows, mode="create_and_update", mobile_required=True)

    assert (job["status"], job["stage"], job["percent"]) == ("rehearsed", "rehearsal", 100)
    counts = {name: job[name] for name in ("total", "created", "updated", "skipped", "failed")}
    assert counts == {"total": 25, "created": 22, "updated": 1, "skipped": 1, "failed": 1}
    assert (running.customers.ids, _stored(running, RowResult)) == ({"公司1": SOMEBODY}, 0)
    assert [plan["row_number"] for plan in _plans(sales, job)] == list(range(2, 27))
    (updated,) = _plans(sales, job, "&outcome=updated")
    assert (updated["record_id"], updated["matched_by"], updated["matched_by_label"]) == (SOMEBODY, "name", "客户名称")
    assert updated["changes"] == [{"field": "remark", "field_label": "备注", "before": "旧备注", "after": ""}]
    (failed,) = _plans(sales, job, "&field=industry&code=unknown_option")
    assert (failed["outcome"], failed["cells"][2]) == ("failed", "文化")
    created = _plans(sales, job, f"&owner_id={sales.member.id}")
    assert {plan["owner_name"] for plan in created} == {"张三"}
    assert len(created) == 22

    assert sales.post(job, "start").json["status"] == "queued"
    running.handled(job)
    written = sales.get(f"/imports/{job['id']}").json
    assert written["status"] == "finished"
    assert {name: written[name] for name in counts} == counts
    assert len(_plans(sales, job)) == 25


def test_chunks_are_rehearsed_one_after_the_other_and_count_what_owners_got_before(running, sales) -> None:
    job = sales.uploaded(*_rows(25))
    sales.post(job, "rehearse")

    messages = running.split(job)
    assert [chunk.status for chunk in running.chunks(job)] == ["queued", "waiting", "waiting"]
    handle_chunk(running.service.runtime, messages[1])
    running.handled(job)

    given = [[(one.owner_id, one.customers) for one in request.rehearsed] for request in running.customers.requests]
    assert given == [[], [(str(sales.member.id), 10)], [(str(sales.member.id), 20)]]
    assert all(request.rehearsal for request in running.customers.requests)


def test_its_summary_counts_problems_with_their_values_owners_pools_and_matches(running, sales) -> None:
    running.customers.ids["公司1"] = SOMEBODY
    bad = [[f"坏{number}", "1", "文化" if number < 3 else "农业", ""] for number in range(4)]
    job = running.rehearsed(*_rows(5), *bad)
    summary = sales.get(f"/imports/{job['id']}/rehearsal/summary").json
    pool_id = str(new_id())
    in_pool = running.rehearsed(*_rows(3), target_pool_id=pool_id)

    assert (summary["total"], summary["created"], summary["skipped"], summary["failed"]) == (9, 4, 1, 4)
    unknown = next(problem for problem in summary["problems"] if problem["code"] == "unknown_option")
    assert (unknown["field"], unknown["field_label"], unknown["rows"]) == ("industry", "客户行业", 4)
    assert unknown["examples"] == [{"value": "文化", "rows": 3}, {"value": "农业", "rows": 1}]
    assert summary["owners"] == [
        {"owner_id": str(sales.member.id), "owner_name": "张三", "customers": summary["created"]}
    ]
    assert summary["matches"] == [{"field": "name", "field_label": "客户名称", "rows": 1, "undecided": 0}]
    other = sales.get(f"/imports/{in_pool['id']}/rehearsal/summary").json
    assert (other["owners"], other["pools"]) == ([], [{"pool_id": pool_id, "pool_name": "华东公海", "customers": 2}])


def test_a_changed_setting_forgets_it_and_only_another_way_of_cutting_splits_again(running, sales, monkeypatch) -> None:
    job = running.rehearsed(*_rows(12))
    splits = []
    monkeypatch.setattr("crm_import.chunks.worker._split", lambda *_given: splits.append(1) or {1: 10, 2: 2})

    changed = sales.patch(job, clear_empty=True).json
    assert (changed["status"], changed["created"], changed["total"]) == ("uploaded", 0, 12)
    assert sales.get(f"/imports/{job['id']}/rehearsal").json["code"] == "import_not_rehearsed"
    sales.post(changed, "rehearse")
    job = running.handled(changed)
    assert (job["status"], splits) == ("rehearsed", [])

    changed = sales.patch(job, match_fields=["name"]).json
    assert changed["total"] == 0
    sales.post(changed, "rehearse")
    assert running.handled(changed)["status"] == "rehearsed"
    assert splits == [1]


def test_a_cancelled_rehearsal_is_forgotten_and_what_is_under_way_is_thrown_away(running, sales) -> None:
    job = sales.uploaded(*_rows(25))
    sales.post(job, "rehearse")
    first, *_ = running.split(job)
    runtime = running.service.runtime
    with runtime.database.transaction() as session:
        task = commands.take(session, runtime.actors, job["id"], first.chunk_id, now())

    cancelled = sales.post(job, "cancel").json
    with runtime.database.transaction() as session:
        is_kept = commands.finish_chunk(session, task, lambda _session: {"created": 10}, now())
    handle_chunk(runtime, first)

    assert (cancelled["status"], cancelled["finished_at"], is_kept) == ("uploaded", None, False)
    assert (_stored(running, RowPlan), running.customers.requests) == (0, [])
    sales.post(job, "start")
    assert running.handled(job)["created"] == 25
    assert len(running.service.outbox(ImportFinished)) == 1


def test_a_rehearsal_and_an_import_wait_for_each_other(running, sales) -> None:
    job = sales.uploaded(*_rows(3))
    barrier = threading.Barrier(4)

    def send(verb: str) -> int:
        barrier.wait()
        path, headers = f"/api/v1/imports/{job['id']}:{verb}", running.service.headers(sales.member)
        return running.service.client.application.test_client().post(path, headers=headers).status_code

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(send, ["rehearse", "rehearse", "start", "start"]))

    assert sorted(codes) == [200, 200, 409, 409]
    kind = "rehearse" if codes[0] == 200 else "start"
    refused = sales.post(job, "start" if kind == "rehearse" else "rehearse").json["code"]
    assert refused == ("import_being_rehearsed" if kind == "rehearse" else "import_already_started")
    assert sales.patch(sales.get(f"/imports/{job['id']}").json, clear_empty=True).status_code == 409


def test_a_rehearsal_that_waits_has_found_nothing_yet(sales) -> None:
    job = sales.uploaded(*_rows(2))
    sales.post(job, "rehearse")

    assert _plans(sales, job) == []
    assert sales.get(f"/imports/{job['id']}/rehearsal/summary").json["total"] == 0


def test_a_busy_writer_is_waited_for_and_after_a_refusal_other_settings_can_be_tried(running, sales) -> None:
    running.customers.refusals = [TooManyRequests("too_many_requests", retry_after_seconds=0.1)]
    assert running.rehearsed(*_rows(2))["status"] == "rehearsed"
    running.customers.refusals = [NotFound("pool_not_found")] * 3

    job = running.rehearsed(*_rows(12))

    assert (job["status"], job["failure_code"], job["rehearsed_at"]) == ("uploaded", "pool_not_found", None)
    assert "客户池" in job["failure_message"]
    assert running.service.outbox(ImportFinished) == []
    changed = sales.patch(job, clear_empty=True).json
    assert (changed["failure_code"], sales.post(job, "rehearse").status_code) == (None, 200)
    assert running.handled(job)["status"] == "rehearsed"


def test_a_silent_rehearsal_is_handed_out_again_and_one_that_is_over_is_not(running, sales) -> None:
    waiting, over, cancelled = (sales.uploaded(*_rows(12)) for _ in range(3))
    for job in (waiting, over, cancelled):
        sales.post(job, "rehearse")
        running.split(job)
    running.handled(over)
    sales.post(cancelled, "cancel")
    running.configure(import_silent_seconds=-1)

    before = {job["id"]: [chunk.touched_at for chunk in running.chunks(job)] for job in (waiting, over, cancelled)}
    republish(running.service.runtime)

    after = {job["id"]: [chunk.touched_at for chunk in running.chunks(job)] for job in (waiting, over, cancelled)}
    assert [before[id_] == after[id_] for id_ in before] == [False, True, True]


@pytest.mark.timeout(200)
def test_killing_the_worker_between_chunks_of_a_rehearsal_loses_and_doubles_nothing(running, sales, eventually) -> None:
    running.customers.hold_after = 3
    job = sales.uploaded(*_rows(200))
    sales.post(job, "rehearse")
    worker = running.process()
    try:
        eventually(lambda: len(running.customers.requests) > 3)
        worker.kill()
        worker.wait()
        running.customers.hold_after = None
        running.customers.gate.set()
        middle = sales.get(f"/imports/{job['id']}").json
        worker = running.process()
        job = eventually(lambda: (now := sales.get(f"/imports/{job['id']}").json)["status"] == "rehearsed" and now)
    finally:
        worker.kill()
        worker.wait()

    assert 0 < middle["created"] < 200
    assert (job["created"], _stored(running, RowPlan)) == (200, 200)
    counted = [sum(one.customers for one in request.rehearsed) for request in running.customers.requests]
    assert counted == sorted(counted)


def _asked(running, **known: str):
    running.customers.ids.update(known)
    return running.rehearsed(*_rows(4), ["坏", "1", "", ""], mode="ask")


def test_in_mode_ask_rows_that_match_wait_for_a_decision_and_each_is_done(running, sales) -> None:
    ids = {f"公司{number}": str(new_id()) for number in range(3)}
    job = _asked(running, **ids)
    assert (job["created"], job["skipped"], job["failed"], job["undecided"]) == (1, 3, 1, 3)
    waiting = _plans(sales, job, "&undecided=true")
    assert [(plan["record_id"], plan["decision"], plan["problems"]) for plan in waiting] == [
        (ids[f"公司{number}"], "undecided", []) for number in range(3)
    ]

    refused = sales.post(job, "start")
    for row, decision in ((2, "update"), (3, "create"), (4, "skip")):
        decided = sales.post(job, "decide", decision=decision, rows=[row])
        assert decided.status_code == 200, decided.text
        again = sales.post(job, "decide", decision=decision, rows=[row])
        assert again.json["version"] == decided.json["version"]

    assert (refused.status_code, refused.json["code"]) == (409, "rows_undecided")
    assert "3" in refused.json["detail"]
    job = decided.json
    assert (job["created"], job["updated"], job["skipped"], job["failed"], job["undecided"]) == (2, 1, 1, 1, 0)
    sales.post(job, "start")
    done = running.handled(job)
    assert (done["created"], done["updated"], done["skipped"], done["failed"]) == (2, 1, 1, 1)
    (sent,) = [request for request in running.customers.requests if not request.rehearsal]
    assert [(row.row_number, row.decision, row.record_id) for row in sent.rows[:2]] == [
        (2, 1, ids["公司0"]),
        (3, 2, ids["公司1"]),
    ]
    assert 4 not in [row.row_number for row in sent.rows]
    (skipped,) = sales.get(f"/imports/{job['id']}/rows?outcome=skipped").json["items"]
    assert (skipped["problems"][0]["code"], skipped["record_id"]) == ("skipped_as_decided", ids["公司2"])


def test_all_undecided_rows_of_one_field_are_decided_at_once_and_the_rest_may_be_skipped(running, sales) -> None:
    job = _asked(running, 公司0=SOMEBODY, 公司1=str(new_id()))

    by_mobile = sales.post(job, "decide", decision="update", matched_by="contact.mobile").json
    one = sales.post(job, "decide", decision="skip", rows=[2]).json
    by_name = sales.post(job, "decide", decision="update", matched_by="name").json
    back = sales.post(job, "decide", decision="undecided", rows=[3]).json

    assert [view["undecided"] for view in (by_mobile, one, by_name, back)] == [2, 1, 0, 1]
    assert (by_name["updated"], by_name["skipped"]) == (1, 1)
    assert sales.post(job, "start?undecided=skip").json["undecided"] == 0
    done = running.handled(job)
    assert (done["updated"], done["skipped"]) == (0, 2)


def test_what_was_decided_holds_at_another_rehearsal_while_the_row_meets_the_same_record(running, sales) -> None:
    job = _asked(running, 公司0=SOMEBODY, 公司1=SOMEBODY, 公司2=SOMEBODY)
    for row, decision in ((2, "update"), (3, "create"), (4, "skip")):
        decided = sales.post(job, "decide", decision=decision, rows=[row]).json
    running.customers.ids["公司2"] = str(new_id())
    sales.post(job, "correct", column=0, to="好的", rows=[6])

    sales.post(job, "rehearse")
    again = running.handled(job)

    assert [plan["decision"] for plan in _plans(sales, job)][:3] == ["update", "create", "undecided"]
    counts = ("created", "updated", "skipped", "failed", "undecided")
    assert [again[name] for name in counts] == [decided["created"] + 1, 1, 1, 0, 1]
    changed = sales.patch(again, mode="ask").json
    sales.post(changed, "rehearse")
    assert running.handled(job)["undecided"] == 3


def test_what_cannot_be_decided_is_refused_naming_the_row(running, sales) -> None:
    job = _asked(running, 公司0=SOMEBODY)

    wrong = sales.post(job, "decide", decision="update", rows=[2, 5, 999])
    nonsense = sales.post(job, "decide", decision="perhaps", rows=[2])
    no_number = sales.post(job, "decide", decision="skip", rows=[2**31])
    by_nothing = sales.post(job, "decide", decision="skip", matched_by="remark")
    too_early = sales.post(sales.uploaded(*_rows(1)), "decide", decision="skip")
    unrehearsed = sales.uploaded(*_rows(1))
    unrehearsed = sales.patch(unrehearsed, mode="ask").json

    assert [(error["pointer"], error["code"]) for error in wrong.json["errors"]] == [
        ("/rows/1", "row_not_asked"),
        ("/rows/2", "row_not_asked"),
    ]
    assert (nonsense.status_code, nonsense.json["errors"][0]["pointer"]) == (422, "/decision")
    assert (no_number.status_code, no_number.json["errors"][0]["pointer"]) == (422, "/rows/0")
    assert (by_nothing.status_code, by_nothing.json["errors"][0]["pointer"]) == (422, "/matched_by")
    assert (too_early.status_code, too_early.json["code"]) == (409, "nothing_to_decide")
    assert sales.post(unrehearsed, "start").json["code"] == "import_not_rehearsed"


def test_members_are_rehearsed_too_and_nobody_is_asked_about_them(running) -> None:
    admin = running.admin
    job = admin.uploaded_members(
        ["li", "李", "li@a.cn", "", "华东销售部", "", ""], ["wu", "", "a@a.cn", "", "", "", ""]
    )
    ask = admin.patch(job, mode="ask")
    admin.post(job, "rehearse")
    running.handled(job)

    done = admin.get(f"/imports/{job['id']}").json
    assert (ask.status_code, ask.json["errors"][0]["pointer"]) == (422, "/mode")
    assert (done["status"], done["created"], done["failed"]) == ("rehearsed", 1, 1)
    assert running.identity.requests[0].rehearsal


def test_rehearsing_wants_the_rights_that_writing_the_rows_takes(running, sales, importer) -> None:
    job = sales.uploaded(*_rows(1))
    colleague = importer(running.service, running.service.organisation.colleague)

    assert colleague.post(job, "rehearse").status_code == 404
    assert colleague.get(f"/imports/{job['id']}/rehearsal").status_code == 404
    assert colleague.get(f"/imports/{job['id']}/rehearsal/summary").status_code == 404
    assert colleague.post(job, "decide", decision="skip").status_code == 404


def test_similar_names_are_matched_by_the_column_that_bears_the_name(running, sales) -> None:
    job = running.rehearsed(*_rows(3), ["公司1", "", "", ""], mode="create_and_update", match_fields=["similar_name"])

    (request,) = running.customers.requests
    assert (list(request.match_fields), len(request.row_numbers)) == (["similar_name"], 3)
    assert (job["status"], job["skipped"]) == ("rehearsed", 1)
    assert CUSTOMERS.label("similar_name", "zh") == "相似名称"
