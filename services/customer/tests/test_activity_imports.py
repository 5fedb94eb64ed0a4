"""Bulk writes of follow-up records: what becomes of each row, once and for all, in a fixed number of statements (D-33)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import grpc
import pytest
from sqlalchemy import func, select, text

from chassis.clock import now
from chassis.days import day_of
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm.customer.v1.customer_events_pb2 import CustomerUpdated
from crm_customer.activities.model import Activity
from crm_customer.activity_imports.rules import KNOWN, Row, Worker, touches
from crm_customer.imports.rules import record_id_of
from tests.support.bulk import Importer
from tests.support.statements import failing_at, statements_of

ZONE = "Asia/Shanghai"
CREATED, SKIPPED, FAILED = (
    rows_pb.IMPORT_OUTCOME_CREATED,
    rows_pb.IMPORT_OUTCOME_SKIPPED,
    rows_pb.IMPORT_OUTCOME_FAILED,
)


def _codes(results: list[Any]) -> list[Any]:
    return [(result.outcome, [(problem.field, problem.code) for problem in result.problems]) for result in results]


def _count(customers: Any) -> int:
    with customers.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Activity)) or 0


def _listed(customers: Any, customer: Any, member: Any = None) -> list[Any]:
    member = member or customers.organisation.sales
    items = customers.request("GET", f"/activities?customer_id={customer['id']}", member).json["items"]
    return list(items)


def _last_touch(customers: Any, customer: Any) -> datetime | None:
    with customers.database.reading() as session:
        found = session.scalar(text("SELECT last_touch_at FROM customers WHERE id = :id"), {"id": customer["id"]})
    assert found is None or isinstance(found, datetime)
    return found


def _at(days: int, hour: int = 10) -> str:
    return f"{day_of(now(), ZONE) + timedelta(days=days)} {hour:02d}:00:00"


def _moment(text_: str) -> datetime:
    return datetime.fromisoformat(text_).replace(tzinfo=ZoneInfo(ZONE))


def test_a_created_row_is_a_follow_up_like_any_other(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏春松", contact={"mobile": "13800138000"})
    row = {"method": "Phone", "content": "谈了报价\n第二行 =1+1 😀", "at": _at(-1), "next_contact_on": _at(3)[:10]}

    results = importer.write_follow_ups(
        row | {"customer": "华夏 春松"},
        row | {"customer": company["id"].upper(), "at": _at(-2)},
        row | {"customer": "+86 138-0013-8000", "at": _at(-3), "method": "", "next_contact_on": ""},
    )

    assert [one.outcome for one in results] == [CREATED] * 3
    found = _listed(customers, company)
    assert [one["id"] for one in found] == [one.record_id for one in results]
    assert [(one["method"], one["next_contact_on"]) for one in found] == [("phone", _at(3)[:10])] * 2 + [(None, None)]
    assert (found[0]["content"], found[0]["kind"], found[0]["member"]["name"]) == (row["content"], "follow_up", "张三")
    assert datetime.fromisoformat(found[0]["at"]) == _moment(row["at"])


def test_everything_wrong_with_a_row_is_named_and_nothing_of_it_is_written(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    company = customers.create(organisation.sales, "华夏")
    of = {"customer": "华夏", "content": "谈过"}

    results = importer.write_follow_ups(
        {"customer": "", "content": ""},
        of | {"method": "心灵感应", "at": "昨天", "next_contact_on": "明天"},
        of | {"at": _at(1)},
        of | {"at": "1066-10-14 09:00:00"},
        of | {"at": _at(-3), "next_contact_on": _at(-4)[:10]},
        of | {"next_contact_on": _at(-1)[:10]},
        of | {"content": "长" * 2001},
        of | {"content": "a\0b", "customer": "华\0夏"},
        of | {"member": "无此人"},
        of | {"member": "李四"},
        of | {"customer": "没有这家"},
        of | {"at": _at(-3), "next_contact_on": _at(-3)[:10]},
    )

    assert _codes(results) == [
        (FAILED, [("customer", "missing"), ("content", "missing")]),
        (FAILED, [("at", "moment_invalid"), ("next_contact_on", "date_invalid"), ("method", "unknown_option")]),
        (FAILED, [("at", "at_in_future")]),
        (FAILED, [("at", "moment_invalid")]),
        (FAILED, [("next_contact_on", "next_contact_past")]),
        (FAILED, [("next_contact_on", "next_contact_past")]),
        (FAILED, [("content", "string_too_long")]),
        (FAILED, [("content", "null_character"), ("customer", "null_character")]),
        (FAILED, [("member", "unknown_owner")]),
        (FAILED, [("member", "forbidden")]),
        (FAILED, [("customer", "customer_not_found")]),
        (CREATED, []),
    ]
    assert [one["id"] for one in _listed(customers, company)] == [results[-1].record_id]


def test_a_row_goes_where_the_importer_may_work(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    sales = organisation.sales
    for _ in range(2):
        customers.create(sales, "同名", contact={"mobile": "13900139000"})
    customers.create(organisation.rival, "王五的", contact={"mobile": "13700137000"})
    pooled = {"pool_id": str(customers.open_pool), "contact": {"mobile": "13600136000"}}
    customers.create(organisation.admin, "公海的", **pooled)
    customers.share(organisation.rival, customers.create(organisation.rival, "只读的"), sales)
    places = ("同名", "13900139000", "王五的", "13700137000", "公海的", "13600136000", "只读的")

    results = importer.write_follow_ups(*({"customer": one, "content": "谈过"} for one in places))

    assert _codes(results) == [
        (FAILED, [("customer", "ambiguous_customer")]),
        (FAILED, [("customer", "ambiguous_customer")]),
        (FAILED, [("customer", "customer_not_found")]),
        (FAILED, [("customer", "customer_not_found")]),
        (FAILED, [("customer", "claim_first")]),
        (FAILED, [("customer", "customer_not_found")]),
        (FAILED, [("customer", "read_only_collaborator")]),
    ]
    assert _count(customers) == 0


def test_others_follow_ups_are_written_by_whoever_may_act_for_them(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    company = customers.create(organisation.sales, "华夏")
    rows = [{"customer": "华夏", "content": "谈过", "member": one, "at": _at(-1)} for one in ("李四", "rival", "")]

    results = importer.write_follow_ups(*rows, actor=organisation.supervisor)

    assert _codes(results) == [(CREATED, []), (FAILED, [("member", "owner_out_of_reach")]), (CREATED, [])]
    assert {one["member"]["id"] for one in _listed(customers, company)} == {
        str(organisation.colleague.id),
        str(organisation.supervisor.id),
    }


def test_what_is_recorded_already_is_skipped(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    body = {"customer_id": company["id"], "kind": "follow_up", "method": "phone", "content": "谈过"}
    live = customers.request("POST", "/activities", sales, json=body).json
    at = datetime.fromisoformat(live["at"]).astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)
    told = at.isoformat(" ", "seconds")  # as an export tells it

    results = importer.write_follow_ups(
        {"customer": "华夏", "content": "谈过", "at": told},
        {"customer": "华夏", "content": "谈过"},
        {"customer": "华夏", "content": "别的", "at": told},
        {"customer": company["id"], "content": "别的", "at": told},
        {"customer": "华夏", "content": "谈过", "at": _at(-1)},
    )

    assert _codes(results) == [
        (SKIPPED, [("", "already_recorded")]),
        (SKIPPED, [("", "already_recorded")]),
        (CREATED, []),
        (SKIPPED, [("", "repeated_in_file")]),
        (CREATED, []),
    ]
    assert [one.record_id for one in results[:2]] == [live["id"]] * 2
    assert results[3].problems[0].parameters == {"first_row": "4"}


def test_the_clock_moves_to_the_last_follow_up_of_who_works_on_the_customer(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    own = customers.create(organisation.sales, "自己的")
    shared = customers.create(organisation.colleague, "合作的")
    customers.share(organisation.colleague, shared, organisation.sales, access="write")
    others = customers.create(organisation.colleague, "同事的")
    supervisor = organisation.supervisor
    before = len(customers.outbox(CustomerUpdated))

    results = importer.write_follow_ups(
        {"customer": "自己的", "content": "早", "at": _at(-9), "member": "张三"},
        {"customer": "自己的", "content": "晚", "at": _at(-2), "member": "张三"},
        {"customer": "自己的", "content": "主管", "at": _at(-1)},
        {"customer": "合作的", "content": "协助", "at": _at(-3), "member": "张三"},
        {"customer": "同事的", "content": "旁人", "at": _at(-3), "member": "张三"},
        actor=supervisor,
    )

    assert [one.outcome for one in results] == [CREATED] * 5
    assert _last_touch(customers, own) == _moment(_at(-2))
    assert _last_touch(customers, shared) == _moment(_at(-3))
    assert _last_touch(customers, others) is None
    (told,) = customers.outbox(CustomerUpdated)[before:]
    assert told.actor_id == str(supervisor.id)
    assert {one.id: one.last_touch_at.ToDatetime(ZoneInfo("UTC")) for one in told.customers} == {
        own["id"]: _moment(_at(-2)),
        shared["id"]: _moment(_at(-3)),
    }
    read = customers.request("GET", f"/customers/{own['id']}", organisation.sales).json
    assert (read["version"], read["updated_at"]) == (own["version"], own["updated_at"])

    importer.write_follow_ups({"customer": "自己的", "content": "更早", "at": _at(-30)})

    assert _last_touch(customers, own) == _moment(_at(-2))
    assert len(customers.outbox(CustomerUpdated)) == before + 1


def test_no_clock_goes_back_whatever_order_the_rows_have() -> None:
    customer, owner, helper, other = (record_id_of(UUID(int=7 << 80), number) for number in range(4))
    begun = now()

    def row(number: int, member: UUID, hours: int) -> Row:
        at = begun + timedelta(hours=hours)
        return Row(number, "", "", "谈过", None, at, True, None, [], customer, member)

    rows = [row(1, owner, 3), row(2, helper, 1), row(3, other, 9)]

    for last, expected in ((None, 3), (0, 3), (3, None), (5, None)):
        touched = None if last is None else begun + timedelta(hours=last)
        workers = {customer: Worker(owner, {helper}, touched)}
        for order in (rows, rows[::-1]):
            moved = touches(order, workers)
            assert moved == ({customer: begun + timedelta(hours=expected)} if expected else {})


def test_a_promise_that_was_past_when_it_was_imported_reminds_nobody(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "旧约")
    customers.create(sales, "今天的约")
    importer.write_follow_ups(
        {"customer": "旧约", "content": "约好", "at": _at(-30), "next_contact_on": _at(-20)[:10]},
        {"customer": "今天的约", "content": "约好", "at": _at(-30), "next_contact_on": _at(0)[:10]},
    )

    due = customers.request("GET", "/reminders/follow_up", sales).json["items"]

    assert [one["customer_name"] for one in due] == ["今天的约"]


def test_a_rehearsal_tells_what_would_become_of_rows_and_writes_nothing(customers: Any, importer: Importer) -> None:
    customers.create(customers.organisation.sales, "华夏")
    rows = [{"customer": "华夏", "content": "谈过", "at": _at(-1)}] * 2 + [{"customer": "华夏", "content": ""}]
    request = importer.follow_ups_request(*rows, rehearsal=True)

    results = importer.send(request).results

    assert _codes(results) == [
        (CREATED, []),
        (SKIPPED, [("", "repeated_in_file")]),
        (FAILED, [("content", "missing")]),
    ]
    assert (results[0].record_id, _count(customers)) == ("", 0)
    request.rehearsal = False
    assert [one.outcome for one in importer.send(request).results] == [CREATED, SKIPPED, FAILED]


def test_a_redo_answers_the_same_also_when_its_answer_is_forgotten(customers: Any, importer: Importer) -> None:
    customers.create(customers.organisation.sales, "华夏")
    request = importer.follow_ups_request({"customer": "华夏", "content": "谈过"}, {"customer": "华夏"})

    first = importer.send(request)

    assert first.results[0].record_id == str(record_id_of(UUID(request.job_id), 2))
    assert importer.send(request) == first
    with customers.database.transaction() as session:
        session.execute(text("DELETE FROM bulk_write_results"))
    assert importer.send(request) == first
    assert _count(customers) == 1


def test_two_imports_of_one_file_at_once_create_each_record_once(customers: Any, importer: Importer) -> None:
    customers.create(customers.organisation.sales, "华夏")
    rows = [{"customer": "华夏", "content": f"第{number}次"} for number in range(25)]
    rows += [{"customer": "华夏", "content": "谈过", "at": _at(-number - 1)} for number in range(25)]

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: importer.write_follow_ups(*rows), range(2)))

    assert sorted({one.outcome for results in both for one in results}) == [CREATED, SKIPPED]
    assert _count(customers) == 50


def test_an_attempt_that_breaks_off_anywhere_leaves_nothing_and_the_next_one_does_it_all(
    customers: Any, importer: Importer
) -> None:
    company = customers.create(customers.organisation.sales, "华夏")
    request = importer.follow_ups_request({"customer": "华夏", "content": "谈过", "at": _at(-1)})

    place = 0
    while True:
        with failing_at(customers.database, place) as failed:
            try:
                importer.send(request)
            except grpc.RpcError:
                assert failed
        if not failed:
            break
        assert (_count(customers), _last_touch(customers, company)) == (0, None)
        place += 1

    assert place > 10
    assert [one.outcome for one in importer.send(request).results] == [CREATED]
    assert (_count(customers), _last_touch(customers, company)) == (1, _moment(_at(-1)))
    assert len(customers.outbox(CustomerUpdated)) == 1


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    for number in range(20):
        customers.create(sales, f"客户{number}")

    counts = []
    for start, count in ((2, 2), (50, 100)):
        rows = [
            {"customer": f"客户{number % 20}", "content": f"第{number}次", "method": "电话", "at": _at(-200 + number)}
            for number in range(start, start + count)
        ]
        with statements_of(customers.database) as found:
            results = importer.write_follow_ups(*rows, {"customer": "13800138000", "content": "无"})
        assert [one.outcome for one in results] == [CREATED] * count + [FAILED]
        counts.append(len(found))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("without", ["import.run", "customer.update"])
def test_whoever_lacks_a_right_writes_nothing(customers: Any, importer: Importer, without: str) -> None:
    customers.create(customers.organisation.sales, "华夏")
    customers.grant("sales", without=(without,))

    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        importer.write_follow_ups({"customer": "华夏", "content": "谈过"})

    assert _count(customers) == 0


def test_a_malformed_chunk_is_refused_as_a_whole(customers: Any, importer: Importer) -> None:
    with customers.refused("uuid_parsing", grpc.StatusCode.INVALID_ARGUMENT):
        importer.write_follow_ups({"customer": "华夏"}, chunk_id="x")
    with customers.refused("malformed_chunk", grpc.StatusCode.INVALID_ARGUMENT):
        importer.write_follow_ups({"customer": "华夏", "title": "x"})


def test_an_import_of_follow_ups_is_undone_and_the_clock_stays(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    request = importer.follow_ups_request(
        *({"customer": "华夏", "content": one, "at": _at(-1)} for one in ("甲", "乙"))
    )
    results = importer.send(request).results
    headers = {"If_Match": '"1"'}
    path = f"/activities/{results[1].record_id}"
    assert customers.request("PATCH", path, sales, json={"content": "改过"}, headers=headers).status_code == 200

    undone = importer.send(
        pb.RevertRowsRequest(
            job_id=request.job_id,
            actor_id=request.actor_id,
            kind=pb.RECORD_KIND_ACTIVITIES,
            rows=[pb.WrittenRow(row_number=one.row_number, record_id=one.record_id, created=True) for one in results],
        )
    ).rows

    assert [one.outcome for one in undone] == [pb.REVERT_OUTCOME_UNDONE, pb.REVERT_OUTCOME_LEFT]
    assert [one["content"] for one in _listed(customers, company)] == ["改过"]
    assert _last_touch(customers, company) == _moment(_at(-1))


def test_an_export_of_follow_ups_comes_back_without_a_change(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    customers.grant("sales", "customer.export")
    company = customers.create(sales, "华夏")
    for content in ("谈过", '=1+1\n"，😀'):
        body = {"customer_id": company["id"], "kind": "follow_up", "method": "phone", "content": content}
        assert customers.request("POST", "/activities", sales, json=body).status_code == 201
    before = _listed(customers, company)
    asked = pb.ExportRowsRequest(actor_id=str(sales.id), kind=pb.RECORD_KIND_ACTIVITIES)
    asked.selection.ids.ids.extend(one["id"] for one in before)
    exported = importer.send(asked)
    names = [column.name for column in exported.columns]

    rows = [dict(zip(names, row.cells, strict=True)) for row in exported.rows]
    results = importer.write_follow_ups(*({name: row[name] for name in names if name in KNOWN} for row in rows))

    assert _codes(results) == [(SKIPPED, [("", "already_recorded")])] * 2
    assert {one.record_id for one in results} == {one["id"] for one in before}
    assert _listed(customers, company) == before
