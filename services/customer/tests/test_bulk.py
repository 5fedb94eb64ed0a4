"""Bulk writes: what becomes of each row, once and for all, in a fixed number of statements."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import event, func, select, text

from chassis.identifiers import new_id
from chassis.rpc.errors import refusal_of
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_service_pb2 as pb
from crm.customer.v1.customer_events_pb2 import CustomerCreated, CustomerUpdated
from crm_customer.customers.model import Customer
from crm_customer.imports import rpc
from crm_customer.imports.commands import make_ready
from crm_customer.imports.due import forget_answers
from crm_customer.imports.model import BulkWriteResult
from crm_customer.imports.rules import record_id_of
from tests.support.bulk import Importer, by_columns, in_columns, results_of

CREATED, UPDATED, SKIPPED, FAILED = (
    rows_pb.IMPORT_OUTCOME_CREATED,
    rows_pb.IMPORT_OUTCOME_UPDATED,
    rows_pb.IMPORT_OUTCOME_SKIPPED,
    rows_pb.IMPORT_OUTCOME_FAILED,
)
FULL = {
    "name": "华夏春松科技",
    "customer_type": "重要客户",
    "industry": "教育/培训",
    "source": "其他",
    "company_nature": "民营",
    "postcode": "210000",
    "annual_turnover": "150000",
    "rating": "三星",
    "province": "江苏",
    "city": "南京",
    "address_detail": "中山路1号",
    "employee_count": "30",
    "remark": "展会",
    "contact.name": "陈立",
    "contact.salutation": "先生",
    "contact.email": "chen@example.com",
    "contact.position": "经理",
    "contact.qq": "12345",
    "contact.phone": "025-1234567",
    "contact.mobile": "138 0013 8000",
    "contact.remark": "下午",
}


def _codes(results: list[Any]) -> list[Any]:
    return [(result.outcome, [(problem.field, problem.code) for problem in result.problems]) for result in results]


def _count(customers: Any, name: str) -> int:
    with customers.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Customer).where(Customer.name == name)) or 0


def test_a_created_row_is_a_customer_like_any_other(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales

    (result,) = importer.write(FULL)

    customer = customers.request("GET", f"/customers/{result.record_id}", sales).json
    by_hand = customers.create(sales, **_as_body(FULL))
    changing = ("id", "created_at", "updated_at")
    assert result.outcome == CREATED
    assert {k: v for k, v in customer.items() if k not in changing} == {
        k: v for k, v in by_hand.items() if k not in changing
    }
    assert customers.listed(sales, search="华夏春松") != []
    assert result.record_id in [
        item["id"] for item in customers.request("GET", "/customers?search=13800138000", sales).json["items"]
    ]
    history = customers.request("GET", f"/customers/{result.record_id}/history", sales).json["items"]
    assert [(item["action"], item["actor"]["name"]) for item in history] == [("customer.imported", "张三")]


def _as_body(row: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {name: value for name, value in row.items() if "." not in name and name != "name"}
    body["rating"] = 3
    body["contact"] = {name[8:]: value for name, value in row.items() if name.startswith("contact.")}
    return body


def test_rows_are_written_already_lying_where_pool_planned(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    request = importer.request(
        {"name": "自己的"},
        {"name": "指定的", "owner": "李四"},
        {"name": "按登录名", "owner": "rival"},
        actor=organisation.operations,
    )

    results = importer.results(request)

    owners = [
        customers.request("GET", f"/customers/{result.record_id}", organisation.admin).json["owner"]["name"]
        for result in results
    ]
    assert owners == ["运营小陈", "李四", "王五"]
    (created,) = customers.outbox(CustomerCreated)
    assert (created.batch_id, created.placement_id) == (request.job_id, request.chunk_id)
    assert {(born.common.assignment_version, born.common.facts_version) for born in created.born} == {(1, 1)}
    assert [(list(born.ids), list(born.names)) for born in created.born] == [
        ([result.record_id], [name]) for result, name in zip(results, ("自己的", "指定的", "按登录名"), strict=True)
    ]
    assert [born.common.wish.owner_id for born in created.born] == [result.owner_id for result in results]
    assert customers.listed(organisation.rival_supervisor) == ["按登录名"]


def test_a_row_with_an_owner_out_of_reach_fails_unless_it_is_skipped_anyway(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    customers.create(organisation.colleague, "已有的")
    rows = [
        {"name": "越界的", "owner": "王五"},
        {"name": "本部门的", "owner": "李四"},
        {"name": "已有的", "owner": "王五"},
    ]

    results = importer.write(*rows, actor=organisation.supervisor)

    assert _codes(results) == [
        (FAILED, [("owner", "owner_out_of_reach")]),
        (CREATED, []),
        (SKIPPED, [("", "customer_exists")]),
    ]


def test_rows_without_owner_go_to_the_jobs_pool(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales

    results = importer.write(
        {"name": "公海的"}, {"name": "自己的", "owner": "张三"}, target_pool_id=str(customers.open_pool)
    )

    names = {str(customers.open_pool): "公海", "": ""}
    assert [(row.pool_id, row.pool_name) for row in results] == list(names.items())
    assert customers.listed(sales, pool_id=str(customers.open_pool)) == ["公海的"]
    assert customers.listed(sales, view="mine") == ["自己的"]


def test_each_wrong_value_of_a_row_is_named(customers: Any, importer: Importer) -> None:
    results = importer.write(
        {"name": "", "contact.mobile": "1"},
        {"name": ""},
        {"name": "a" * 51, "industry": "航天", "postcode": "1"},
        {"name": "城市", "city": "南京"},
        {"name": "备注", "contact.remark": "x"},
        {"name": "空\0字符"},
        {"name": "甲", "owner": "无此人"},
        {"name": "乙", "owner": "李四"},
        {"name": "好的"},
    )

    assert _codes(results) == [
        (FAILED, [("contact.mobile", "mobile_invalid")]),
        (FAILED, [("name", "missing")]),
        (FAILED, [("name", "string_too_long"), ("industry", "unknown_option"), ("postcode", "postcode_invalid")]),
        (FAILED, [("city", "province_required")]),
        (FAILED, [("contact.remark", "contact_remark_alone")]),
        (FAILED, [("name", "null_character")]),
        (FAILED, [("owner", "unknown_owner")]),
        (FAILED, [("owner", "forbidden")]),
        (CREATED, []),
    ]
    too_long, unknown, _ = results[2].problems
    assert (too_long.parameters, unknown.value) == ({"max_length": "50"}, "航天")
    assert customers.listed(customers.organisation.sales) == ["好的"]


def test_a_name_borne_by_two_members_is_no_owner(customers: Any, importer: Importer) -> None:
    from dataclasses import replace

    from directory import store

    organisation = customers.organisation
    twin = organisation.member_state(replace(organisation.rival, id=new_id(), name="李四", email="twin@example.test"))
    with customers.database.transaction() as session:
        store.store_members(session, [twin])

    (result,) = importer.write({"name": "甲", "owner": "李四"}, actor=organisation.supervisor)

    assert _codes([result]) == [(FAILED, [("owner", "ambiguous_owner")])]


def test_in_mode_create_matched_rows_are_skipped(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    known = customers.create(sales, "ＡＣＭＥ 科技", contact={"mobile": "13800138000"})

    results = importer.write(
        {"name": "acme科技"},
        {"name": "别名", "contact.mobile": "138-0013-8000"},
        {"name": "按号", "id": known["id"].upper()},
        {"name": "新的"},
        match_fields=["id", "name", "contact.mobile"],
    )

    assert _codes(results) == [(SKIPPED, [("", "customer_exists")])] * 3 + [(CREATED, [])]
    assert [result.record_id for result in results[:3]] == [known["id"]] * 3


def test_a_match_out_of_scope_is_skipped_without_telling_more(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    customers.create(organisation.rival, "王五的")
    customers.create(organisation.rival, "公海的", pool_id=str(customers.open_pool), contact={"mobile": "13800138000"})

    for update in (False, True):
        results = importer.write(
            {"name": "王五的"},
            {"name": "试号", "contact.mobile": "13800138000"},
            match_fields=["name", "contact.mobile"],
            update=update,
        )

        assert _codes(results) == [(SKIPPED, [("", "exists_out_of_scope")])] * 2
        assert [result.record_id for result in results] == ["", ""]


def test_updates_leave_empty_cells_alone_unless_told_to_clear(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    known = customers.create(
        sales, "春松", industry="other", postcode="210000", contact={"mobile": "13800138000", "qq": "1"}
    )
    row = {"name": "春松", "industry": "教育/培训", "postcode": "", "contact.mobile": "", "contact.qq": "2"}

    (kept,) = importer.write(row, update=True)
    after = customers.request("GET", f"/customers/{known['id']}", sales).json

    assert (kept.outcome, kept.record_id) == (UPDATED, known["id"])
    assert (after["industry"], after["postcode"], after["version"]) == ("education", "210000", 2)
    assert (after["contact"]["mobile"], after["contact"]["qq"]) == ("13800138000", "2")

    importer.write(row, update=True, clear_empty=True)
    cleared = customers.request("GET", f"/customers/{known['id']}", sales).json

    assert (cleared["postcode"], cleared["contact"]["mobile"], cleared["version"]) == (None, None, 3)


def test_only_rows_that_change_something_raise_the_version_and_are_recorded(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    same, other = customers.create(sales, "不变", rating=1), customers.create(sales, "改变", rating=1)

    results = importer.write(
        {"name": "不变", "rating": "1"}, {"name": "改变", "rating": "2", "contact.qq": "7"}, update=True
    )

    assert [result.outcome for result in results] == [UPDATED, UPDATED]
    (updated,) = customers.outbox(CustomerUpdated)
    assert [(state.id, state.facts_version) for state in updated.customers] == [(other["id"], 2)]
    assert customers.request("GET", f"/customers/{same['id']}", sales).json == same
    newest = customers.request("GET", f"/customers/{other['id']}/history", sales).json["items"][0]
    assert newest["action"] == "customer.changed_by_import"
    changes = {change["field"]: (change["before"], change["after"]) for change in newest["changes"]}
    assert changes == {"rating": (1, 2), "contact.qq": (None, "7"), "contact.name": (None, "改变")}


def test_a_renamed_customer_is_found_by_its_new_name(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    known = customers.create(sales, "旧字号", province="江苏", city="南京")

    importer.write({"id": known["id"], "name": "新名称", "province": "浙江"}, update=True, match_fields=["id"])

    assert customers.listed(sales, search="名称") == ["新名称"]
    assert customers.listed(sales, search="字号") == []
    assert customers.listed(sales, address="浙江") == ["新名称"]
    assert customers.request("GET", f"/customers/{known['id']}", sales).json["city"] is None


def test_updates_obey_the_rules_of_the_form_and_of_pools(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    customers.create(organisation.sales, "无联系人")
    customers.create(organisation.sales, "同名")
    customers.create(organisation.sales, "同名")
    customers.create(organisation.admin, "公海的", pool_id=str(customers.open_pool))

    results = importer.write(
        {"name": "无联系人", "contact.remark": "x"},
        {"name": "同名", "rating": "1"},
        {"name": "公海的", "rating": "1"},
        {"name": "无联系人", "rating": "3"},
        update=True,
    )

    assert _codes(results) == [
        (FAILED, [("contact.remark", "contact_remark_alone")]),
        (FAILED, [("name", "ambiguous_match")]),
        (SKIPPED, [("", "claim_first")]),
        (SKIPPED, [("", "repeated_in_file")]),
    ]


def test_repeats_within_a_chunk_make_one_customer(customers: Any, importer: Importer) -> None:
    results = importer.write({"name": "春松"}, {"name": "春 松"}, {"name": "别的"})

    assert _codes(results) == [(CREATED, []), (SKIPPED, [("", "repeated_in_file")]), (CREATED, [])]
    assert results[1].problems[0].parameters == {"first_row": "2"}


def test_a_redo_answers_the_same_and_writes_nothing_twice(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "已有", rating=1)
    request = importer.request({"name": "新的"}, {"name": "已有", "rating": "2"}, {"name": ""}, update=True)

    first = importer.send(request)
    events = len(customers.outbox(CustomerCreated)) + len(customers.outbox(CustomerUpdated))
    second = importer.send(request)

    assert second == first
    assert len(customers.outbox(CustomerCreated)) + len(customers.outbox(CustomerUpdated)) == events
    assert _count(customers, "新的") == 1


def test_a_redo_whose_answer_is_forgotten_still_finds_its_rows(customers: Any, importer: Importer) -> None:
    request = importer.request({"name": "新的"}, {"name": "又一个"})
    first = importer.send(request)
    with customers.database.transaction() as session:
        session.execute(text("UPDATE bulk_write_results SET written_at = written_at - INTERVAL '8 days'"))

    forget_answers(customers.runtime)

    with customers.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(BulkWriteResult)) == 0
    assert importer.results(request) == results_of(first)
    assert _count(customers, "新的") == 1


def test_concurrent_attempts_at_one_chunk_agree(customers: Any, importer: Importer) -> None:
    request = importer.request(*({"name": f"客户{number}"} for number in range(50)))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(importer.send, [request, request])

    assert first == second
    with customers.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 50


def test_two_concurrent_chunks_with_one_name_create_one_customer(customers: Any, importer: Importer) -> None:
    barrier = threading.Barrier(2)
    customers.pool.meanwhile = lambda: barrier.wait(30)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: importer.write({"name": "同一家"}), range(2)))

    assert sorted(outcome for (result,) in results for outcome in [result.outcome]) == sorted([CREATED, SKIPPED])
    assert _count(customers, "同一家") == 1


def test_a_customer_made_by_hand_while_pool_is_asked_is_matched(customers: Any, importer: Importer) -> None:
    customers.pool.meanwhile = lambda: customers.create(customers.organisation.sales, "同一家")

    results = importer.write({"name": "同一家"}, {"name": "另一家"})

    assert _codes(results) == [(SKIPPED, [("", "customer_exists")]), (CREATED, [])]


@pytest.mark.parametrize("meanwhile", ["nothing", "a namesake", "its owner moves"])
def test_what_is_written_is_as_things_stand_under_the_lock_of_all_imports(
    customers: Any, importer: Importer, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    organisation, elsewhere = customers.organisation, new_id()
    acts = {
        "nothing": lambda: None,
        "a namesake": lambda: customers.create(organisation.sales, "同一家"),
        "its owner moves": lambda: _move(customers, organisation.supervisor.id, elsewhere),
    }

    def ready_and_then(*arguments: Any) -> Any:
        ready = make_ready(*arguments)
        acts[meanwhile]()
        return ready

    monkeypatch.setattr(rpc, "make_ready", ready_and_then)
    results = importer.write(
        {"name": "同一家"}, {"name": "另一家", "contact.name": "王"}, actor=organisation.supervisor
    )

    _move(customers, organisation.supervisor.id, organisation.supervisor.department_id)
    department = elsewhere if meanwhile == "its owner moves" else organisation.supervisor.department_id
    with customers.database.reading() as session:
        written = select(Customer.name, Customer.owner_department_id).where(Customer.source_row.is_not(None))
        kept = dict(session.execute(written.order_by(Customer.source_row)).all())
    skipped = (SKIPPED, [("", "customer_exists")])
    assert _codes(results) == [skipped if meanwhile == "a namesake" else (CREATED, []), (CREATED, [])]
    assert kept == dict.fromkeys(["另一家"] if meanwhile == "a namesake" else ["同一家", "另一家"], department)


def _move(customers: Any, member_id: UUID, department_id: UUID) -> None:
    with customers.database.transaction() as session:
        statement = text("UPDATE directory_members SET department_id = :department WHERE id = :id")
        session.execute(statement, {"department": department_id, "id": member_id})


def test_a_refusal_of_pool_is_the_rows_failure(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    customers.pool.refuse[str(organisation.colleague.id)] = "holding_cap_reached"

    results = importer.write({"name": "给李四", "owner": "李四"}, {"name": "自己的"}, actor=organisation.supervisor)

    assert _codes(results) == [(FAILED, [("owner", "holding_cap_reached")]), (CREATED, [])]
    assert _count(customers, "给李四") == 0


def test_while_pool_is_away_nothing_is_created_and_the_worker_is_told_to_wait(
    customers: Any, importer: Importer
) -> None:
    customers.pool.away = True
    request = importer.request({"name": "新的"})

    with customers.refused("peer_unavailable", grpc.StatusCode.UNAVAILABLE):
        importer.send(request)

    customers.pool.away = False
    assert [result.outcome for result in importer.results(request)] == [CREATED]


@contextmanager
def statements(customers: Any) -> Iterator[list[str]]:
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, _parameters: Any, _context: Any, many: bool) -> None:
        found.append(f"{'MANY ' if many else ''}{statement}")

    event.listen(customers.database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(customers.database.engine, "before_cursor_execute", note)


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(customers: Any, importer: Importer) -> None:
    def rows(start: int, count: int, rating: str) -> list[dict[str, str]]:
        return [FULL | {"name": f"客户{number}", "rating": rating} for number in range(start, start + count)]

    counts = []
    for start, count in ((0, 2), (1000, 250)):
        importer.write(*rows(start, count, "1"))
        with statements(customers) as found:
            results = importer.write(*rows(start, count, "2"), *rows(start + count, count, "1"), update=True)
        assert [result.outcome for result in results] == [UPDATED] * count + [CREATED] * count
        assert [statement for statement in found if statement.startswith("MANY") and "outbox" not in statement] == []
        counts.append(len(found))

    assert counts[0] == counts[1] < 40


def test_only_two_chunks_are_written_at_once_and_two_wait_for_them(customers: Any, importer: Importer) -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    def busy() -> None:
        entered.release()
        leave.wait(30)

    customers.pool.meanwhile = busy
    with ThreadPoolExecutor(7) as pool:
        sent = [pool.submit(importer.write, {"name": f"客户{number}"}) for number in range(7)]
        refused = list(itertools.islice(as_completed(sent, timeout=30), 3))
        for _ in range(2):
            assert entered.acquire(timeout=30)
        assert not entered.acquire(timeout=0.5)  # those that wait do not begin
        leave.set()

    for one in refused:
        error = one.exception()
        assert isinstance(error, grpc.RpcError)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal_of(error, "customer").retry_after_seconds == 1
    assert all(one.result()[0].outcome == CREATED for one in sent if one not in refused)
    assert _written(customers) == 4


def _written(customers: Any) -> int:
    with customers.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Customer)) or 0


def test_only_import_may_write_in_bulk(customers: Any, rpc: Any) -> None:
    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        rpc("pool").BulkWriteCustomers(pb.BulkWriteCustomersRequest())


@pytest.mark.parametrize(
    ("permission", "update"), [("import.run", False), ("customer.create", False), ("customer.update", True)]
)
def test_the_importers_rights_are_checked_for_every_chunk(
    customers: Any, importer: Importer, permission: str, update: bool
) -> None:
    customers.grant("sales", without=(permission,))

    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        importer.write({"name": "新的"}, update=update)


def test_a_pool_out_of_sight_and_an_importer_who_left_are_refused(customers: Any, importer: Importer) -> None:
    from dataclasses import replace

    with customers.refused("pool_not_found", grpc.StatusCode.NOT_FOUND):
        importer.write({"name": "新的"}, target_pool_id=str(customers.hidden_pool))
    with customers.refused("token_revoked", grpc.StatusCode.UNAUTHENTICATED):
        importer.write({"name": "新的"}, actor=replace(customers.organisation.sales, id=new_id()))


@pytest.mark.parametrize(
    "requested",
    [
        lambda importer: importer.request(FULL, FULL | {"name": "乙", "contact.mobile": "", "industry": "没有"}),
        lambda importer: importer.contacts_request(
            {"customer": "甲", "name": "王芳"}, {"customer": "", "name": "李雷"}, {"customer": "无", "name": "李雷"}
        ),
        lambda importer: importer.follow_ups_request(
            {"customer": "甲", "content": "谈了"}, {"customer": "甲", "content": ""}
        ),
    ],
    ids=["customers", "contacts", "follow-ups"],
)
def test_rows_mean_the_same_whether_fields_are_named_once_or_by_each_row(
    customers: Any, importer: Importer, requested: Any
) -> None:
    customers.create(customers.organisation.sales, name="甲")
    request = requested(importer)
    request.rehearsal = True

    once, each = importer.send(by_columns(request)), importer.send(request)

    assert by_columns(request).ByteSize() < request.ByteSize()
    assert once == each
    assert {result.outcome for result in once.results} == {CREATED, FAILED}


@pytest.mark.parametrize(
    ("fields", "texts"),
    [(["name"], []), (["name"], ["a", "b"]), ([], ["a"]), (["name", "name"], ["a", "b"]), (["colour"], ["red"])],
)
def test_texts_that_do_not_fit_the_fields_are_refused(
    customers: Any, importer: Importer, fields: list[str], texts: list[str]
) -> None:
    with customers.refused("malformed_chunk", grpc.StatusCode.INVALID_ARGUMENT):
        importer.write((2, {}, {"texts": texts}), fields=fields)


def test_rows_mean_the_same_by_column(customers: Any, importer: Importer) -> None:
    customers.create(customers.organisation.sales, name="甲")
    rows = [FULL, FULL | {"name": "乙", "industry": "没有"}, FULL | {"name": "甲"}, dict.fromkeys(FULL, "")]
    request = importer.request(*rows, update=True)
    request.rehearsal = True

    rows_wise, by_column = importer.send(request), importer.send(in_columns(request))

    assert by_column == rows_wise
    assert [result.outcome for result in by_column.results] == [CREATED, FAILED, UPDATED, FAILED]


# What means something to COPY, to arrays or to SQL.
HOSTILE = (
    "a\tb",
    "\\",
    "\\N",
    "\\.",
    "a\\",
    "\\t",
    "a\nb",
    "a\r\nb",
    '"',
    "{}",
    '","',
    "NULL",
    "';--",
    "%s",
    "𠮷",
    "9" * 40,
    "\x01\x1f~",
)


@pytest.mark.parametrize("sent", [lambda request: request, by_columns, in_columns], ids=["by-row", "texts", "columns"])
def test_whatever_stands_in_a_cell_is_kept_as_it_is(customers: Any, importer: Importer, sent: Any) -> None:
    fields = ("remark", "address_detail", "wechat_nickname", "contact.name", "contact.position")
    rows = [dict.fromkeys(fields, text) | {"name": f"甲{number}{text}"} for number, text in enumerate(HOSTILE)]

    results = importer.results(sent(importer.request(*rows, {**rows[0], "remark": "\0"})))

    assert _codes(results) == [*[(CREATED, [])] * len(rows), (FAILED, [("remark", "null_character")])]
    for row, result in zip(rows, results, strict=False):
        found = customers.request("GET", f"/customers/{result.record_id}", customers.organisation.sales).json
        told = found | {f"contact.{name}": value for name, value in found["contact"].items()}
        assert {name: told[name] for name in row} == row
        assert found["name"] in customers.listed(customers.organisation.sales, search=row["name"])


def _columns(**texts: list[str]) -> list[Any]:
    return [rows_pb.ImportColumn(field=name, texts=of_rows) for name, of_rows in texts.items()]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"row_numbers": [2, 3], "columns": _columns(name=["甲"])}, "malformed_chunk"),
        ({"row_numbers": [2], "columns": _columns(name=["甲"], remark=[])}, "malformed_chunk"),
        ({"row_numbers": [], "columns": _columns(name=["甲"])}, "malformed_chunk"),
        ({"row_numbers": [2], "columns": _columns(name=["甲"]) * 2}, "malformed_chunk"),
        ({"row_numbers": [2], "columns": _columns(name=["甲"]), "fields": ["remark"]}, "malformed_chunk"),
        ({"row_numbers": [2, 2], "columns": _columns(name=["甲", "乙"])}, "malformed_chunk"),
        ({"row_numbers": [2], "columns": _columns(colour=["red"])}, "malformed_chunk"),
        ({"row_numbers": [2], "columns": _columns(name=["甲"]), "rows": [{"row_number": 3}]}, "malformed_chunk"),
        ({"row_numbers": [2], "columns": _columns(name=["甲"]), "rows": [{"row_number": 2}] * 2}, "malformed_chunk"),
        (
            {
                "row_numbers": [2],
                "columns": _columns(name=["甲"]),
                "rows": [{"row_number": 2, "values": {"name": "乙"}}],
            },
            "malformed_chunk",
        ),
        (
            {"row_numbers": [2], "columns": _columns(name=["甲"]), "rows": [{"row_number": 2, "texts": ["乙"]}]},
            "malformed_chunk",
        ),
        ({"row_numbers": range(1001), "columns": _columns(name=["甲"] * 1001)}, "too_many_items"),
    ],
    ids=[
        "a-text-too-few",
        "no-texts",
        "no-numbers",
        "a-field-twice",
        "fields-beside-columns",
        "a-number-twice",
        "an-unknown-field",
        "a-decision-for-no-row",
        "two-decisions-for-one-row",
        "values-beside-columns",
        "texts-beside-columns",
        "too-many-rows",
    ],
)
def test_malformed_columns_are_refused(customers: Any, importer: Importer, fields: dict[str, Any], code: str) -> None:
    head = importer.request()
    head.MergeFrom(pb.BulkWriteCustomersRequest(**fields))

    with customers.refused(code, grpc.StatusCode.INVALID_ARGUMENT):
        importer.send(head)


@pytest.mark.parametrize(
    ("rows", "fields", "code"),
    [
        ([{"name": "a", "colour": "red"}], {}, "malformed_chunk"),
        ([(2, {"name": "a"}), (2, {"name": "b"})], {}, "malformed_chunk"),
        ([{"name": "a"}], {"match_fields": ["remark"]}, "malformed_chunk"),
        ([{"name": "a"}], {"match_fields": []}, "malformed_chunk"),
        ([{"name": "a"}], {"job_id": "x"}, "uuid_parsing"),
        ([(number, {}) for number in range(1001)], {}, "too_many_items"),
    ],
)
def test_malformed_chunks_are_refused(customers: Any, importer: Importer, rows: Any, fields: Any, code: str) -> None:
    with customers.refused(code, grpc.StatusCode.INVALID_ARGUMENT):
        importer.write(*rows, **fields)


def test_an_unreadable_id_is_named_when_rows_are_matched_by_id(customers: Any, importer: Importer) -> None:
    row = {"name": "甲", "id": "4711"}

    assert _codes(importer.write(row, match_fields=["id"])) == [(FAILED, [("id", "uuid_parsing")])]
    assert _codes(importer.write(row, match_fields=["name"])) == [(CREATED, [])]


def test_ids_of_rows_are_fixed_and_in_row_order() -> None:
    job = new_id()
    ids = [record_id_of(job, number) for number in (2, 3, 200_000, 2**31 - 1)]

    assert ids == sorted(set(ids)) == [record_id_of(job, number) for number in (2, 3, 200_000, 2**31 - 1)]
    assert {id_.version for id_ in ids} == {7}
    assert record_id_of(new_id(), 2) != ids[0]


def test_an_owned_place_is_not_disturbed_by_an_update(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    known = customers.create(organisation.sales, "春松")
    customers.move(known, 4, Place(owner_id=str(organisation.colleague.id)))

    importer.write({"name": "春松", "rating": "2", "owner": "王五"}, actor=organisation.supervisor, update=True)

    after = customers.request("GET", f"/customers/{known['id']}", organisation.supervisor).json
    assert (after["owner"]["name"], after["rating"], after["assignment_version"]) == ("李四", 2, 4)
