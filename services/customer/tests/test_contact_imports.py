"""Bulk writes of contacts: what becomes of each row, once and for all, in a fixed number of statements (D-03, D-32)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import func, select, text

from chassis.audit import audit_of
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.contact_imports.rules import KNOWN
from crm_customer.contacts.model import Contact
from crm_customer.imports.rules import record_id_of
from tests.support.bulk import Importer
from tests.support.statements import failing_at, statements_of

CREATED, UPDATED, SKIPPED, FAILED = (
    rows_pb.IMPORT_OUTCOME_CREATED,
    rows_pb.IMPORT_OUTCOME_UPDATED,
    rows_pb.IMPORT_OUTCOME_SKIPPED,
    rows_pb.IMPORT_OUTCOME_FAILED,
)
FULL = {
    "name": "王芳",
    "salutation": "Ms",
    "position": "采购经理",
    "phone": "025-1234567",
    "mobile": "138 0013 8000",
    "qq": "１２３４５",
    "email": "wang@example.com",
    "address": "中山路1号",
    "postcode": "210000",
    "birthday": "1990-02-28",
    "contact_group": "决策人",
    "remark": "下午联系",
}


def _codes(results: list[Any]) -> list[Any]:
    return [(result.outcome, [(problem.field, problem.code) for problem in result.problems]) for result in results]


def _one(customers: Any, contact_id: str, member: Any = None) -> Any:
    return customers.contact(member or customers.organisation.sales, {"id": contact_id})


def _count(customers: Any) -> int:
    with customers.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Contact)) or 0


def test_a_created_row_is_a_contact_like_any_other(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏春松")

    (result,) = importer.write_contacts(FULL | {"customer": " 华夏 春松"})

    by_hand = customers.new_contact(sales, **FULL, customer_id=company["id"])
    contact = _one(customers, result.record_id)
    own = ("id", "created_at", "updated_at", "customers")
    assert result.outcome == CREATED
    assert {k: v for k, v in contact.items() if k not in own} == {k: v for k, v in by_hand.items() if k not in own}
    assert [one["is_primary"] for one in contact["customers"] + by_hand["customers"]] == [True, False]
    assert {one["id"] for one in customers.contacts(sales, name="王芳")} == {contact["id"], by_hand["id"]}
    history = customers.request("GET", f"/contacts/{contact['id']}/history", sales).json["items"]
    assert [(one["action"], one["actor"]["name"]) for one in history] == [("contact.imported", "张三")]
    told = customers.request("GET", f"/customers/{company['id']}/history", sales).json["items"]
    added = [one for one in told if one["action"] == "customer.contact_added"]
    fields = {"contact", "relation_type", "is_primary"}
    assert [{change["field"] for change in one["changes"]} for one in added] == [fields] * 2


def test_everything_wrong_with_a_row_is_named_and_nothing_of_it_is_written(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "华夏")
    of = {"customer": "华夏"}

    results = importer.write_contacts(
        of | {"name": ""},
        of | {"name": "长" * 51, "salutation": "道长", "mobile": "12345", "email": "a@b", "qq": "x"},
        of | {"name": "甲", "birthday": "2026-13-45", "contact_group": "航天", "postcode": "１２"},
        of | {"name": "甲", "birthday": "2999-01-01", "address": "长" * 101, "phone": "1" * 21},
        of | {"name": "a\0b"},
        {"name": "甲", "customer": "华\0夏", "id": "x"},
        {"name": "甲"},
        {"name": "甲", "customer": "没有这家"},
        of | {"name": "甲", "owner": "无此人"},
        of | {"name": "甲", "owner": "李四"},
        of | {"name": "𠮷野家😀", "remark": "=1+1\n'\"，"},
        match_fields=["id", "name"],
    )

    assert _codes(results) == [
        (FAILED, [("name", "contact_name_missing")]),
        (
            FAILED,
            [
                ("name", "contact_name_too_long"),
                ("salutation", "unknown_option"),
                ("mobile", "mobile_invalid"),
                ("qq", "qq_invalid"),
                ("email", "email_invalid"),
            ],
        ),
        (FAILED, [("postcode", "postcode_invalid"), ("birthday", "date_invalid"), ("contact_group", "unknown_option")]),
        (FAILED, [("phone", "string_too_long"), ("address", "string_too_long"), ("birthday", "birthday_not_past")]),
        (FAILED, [("name", "null_character")]),
        (FAILED, [("customer", "null_character"), ("id", "uuid_parsing")]),
        (FAILED, [("customer", "missing")]),
        (FAILED, [("customer", "customer_not_found")]),
        (FAILED, [("owner", "unknown_owner")]),
        (FAILED, [("owner", "forbidden")]),
        (CREATED, []),
    ]
    assert [one["name"] for one in customers.contacts(sales)] == ["𠮷野家😀"]


def test_a_row_goes_where_the_importer_may_work(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    sales = organisation.sales
    twins = [customers.create(sales, "同名") for _ in range(2)]
    customers.create(organisation.rival, "王五的")
    customers.create(organisation.admin, "公海的", pool_id=str(customers.open_pool))
    shared = customers.create(organisation.rival, "只读的")
    customers.share(organisation.rival, shared, sales)

    rows = [
        {"name": "甲", "customer": where}
        for where in ("同名", twins[1]["id"].upper(), "王五的", "公海的", "只读的", str(organisation.sales.id))
    ]
    results = importer.write_contacts(*rows)

    assert _codes(results) == [
        (FAILED, [("customer", "ambiguous_customer")]),
        (CREATED, []),
        (FAILED, [("customer", "customer_not_found")]),
        (FAILED, [("customer", "claim_first")]),
        (FAILED, [("customer", "read_only_collaborator")]),
        (FAILED, [("customer", "customer_not_found")]),
    ]
    assert _one(customers, results[1].record_id)["customer"]["id"] == twins[1]["id"]
    (result,) = importer.write_contacts({"name": "甲", "customer": "公海的"}, actor=organisation.admin)
    assert _one(customers, result.record_id, organisation.admin)["owner"] is None


def test_the_owner_is_whom_the_importer_may_name(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    customers.create(organisation.sales, "华夏")
    rows = [{"name": f"甲{owner}", "customer": "华夏", "owner": owner} for owner in ("", "李四", "王五")]

    results = importer.write_contacts(*rows, actor=organisation.supervisor)

    assert _codes(results) == [(CREATED, []), (CREATED, []), (FAILED, [("owner", "owner_out_of_reach")])]
    owners = [_one(customers, result.record_id, organisation.supervisor)["owner"]["id"] for result in results[:2]]
    assert owners == [str(organisation.supervisor.id), str(organisation.colleague.id)]


def test_contacts_that_a_customer_has_already_are_skipped_by_any_of_the_match_fields(
    customers: Any, importer: Importer
) -> None:
    sales = customers.organisation.sales
    here, there = customers.create(sales, "华夏"), customers.create(sales, "别家")
    known = customers.new_contact(
        sales, name="王 芳", mobile="13800138000", email="Wang@example.com", customer_id=here["id"]
    )

    results = importer.write_contacts(
        {"name": "王芳", "customer": "华夏"},
        {"name": "甲", "customer": "华夏", "mobile": "+86 138-0013-8000"},
        {"name": "乙", "customer": "华夏", "email": "wang@EXAMPLE.com"},
        {"name": "丙", "id": known["id"].upper()},
        {"name": "王芳", "customer": "别家", "mobile": "13800138000"},
        match_fields=["id", "mobile", "email", "name"],
    )

    assert _codes(results) == [(SKIPPED, [("", "contact_exists")])] * 4 + [(CREATED, [])]
    assert [one.matched_by for one in results] == ["name", "mobile", "email", "id", ""]
    assert [one.record_id for one in results[:4]] == [known["id"]] * 4
    assert [one["name"] for one in customers.contacts_of(sales, there)] == ["王芳"]


def test_repeats_within_a_chunk_make_one_contact_of_each_customer(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    customers.create(sales, "别家")

    results = importer.write_contacts(
        {"name": "王芳", "customer": "华夏"},
        {"name": "王芳", "customer": company["id"]},
        {"name": "王芳", "customer": "别家"},
    )

    assert _codes(results) == [(CREATED, []), (SKIPPED, [("", "repeated_in_file")]), (CREATED, [])]
    assert results[1].problems[0].parameters == {"first_row": "2"}


def test_updates_change_what_a_row_fills_and_record_it(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    known = customers.new_contact(
        sales, name="王芳", mobile="13800138000", qq="1", contact_group="decision_maker", customer_id=company["id"]
    )
    row = {"name": "王小芳", "mobile": "13800138000", "qq": "", "birthday": "1990-02-28", "contact_group": ""}

    request = importer.contacts_request(row | {"customer": "华夏"}, update=True)
    (kept,) = importer.send(request).results

    after = _one(customers, known["id"])
    assert (kept.outcome, kept.record_id, kept.matched_by) == (UPDATED, known["id"], "mobile")
    assert (after["name"], after["qq"], after["birthday"], after["version"]) == ("王小芳", "1", "1990-02-28", 2)
    assert [one["id"] for one in customers.contacts(sales, name="小芳")] == [known["id"]]
    with customers.database.reading() as session:
        entry = audit_of(session, "contact", UUID(known["id"]))[0]
    assert entry.before == {"version": 1, "name": "王芳", "birthday": None}
    assert entry.after == {
        "version": 2,
        "name": "王小芳",
        "birthday": "1990-02-28",
        "source_job": request.job_id,
    }
    told = customers.request("GET", f"/customers/{company['id']}/history", sales).json["items"][0]
    assert (told["action"], {change["field"] for change in told["changes"]}) == (
        "customer.contact_changed",
        {"contact.name", "contact.birthday"},
    )

    (cleared,) = importer.write_contacts(row | {"id": known["id"]}, update=True, match_fields=["id"], clear_empty=True)

    after = _one(customers, known["id"])
    assert (cleared.outcome, after["qq"], after["contact_group"], after["version"]) == (UPDATED, None, None, 3)
    importer.write_contacts(row | {"id": known["id"]}, update=True, match_fields=["id"])
    assert _one(customers, known["id"])["version"] == 3


def test_updates_obey_the_rules_of_the_form_and_never_change_the_wrong_one(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    sales = organisation.sales
    here = customers.create(sales, "华夏")
    customers.create(sales, "别家")
    twins = [customers.new_contact(sales, name="王芳", customer_id=here["id"]) for _ in range(2)]
    strange = customers.new_contact(organisation.rival, name="外人")
    gone = customers.new_contact(sales, name="走了", customer_id=here["id"])
    customers.delete_contacts(sales, gone)

    results = importer.write_contacts(
        {"name": "王芳", "customer": "华夏"},
        {"id": twins[0]["id"], "customer": "别家", "qq": "2"},
        {"id": strange["id"], "customer": "华夏", "name": "甲"},
        {"id": twins[0]["id"], "mobile": "1"},
        {"id": twins[0]["id"], "qq": "3"},
        {"id": twins[0]["id"], "qq": "4"},
        {"id": gone["id"], "customer": "华夏", "name": "走了"},
        update=True,
        match_fields=["id", "name"],
    )

    assert _codes(results) == [
        (FAILED, [("name", "ambiguous_match")]),
        (FAILED, [("customer", "not_of_this_customer")]),
        (SKIPPED, [("", "exists_out_of_scope")]),
        (FAILED, [("mobile", "mobile_invalid")]),
        (UPDATED, []),
        (SKIPPED, [("", "repeated_in_file")]),
        (CREATED, []),
    ]
    assert results[2].record_id == ""
    assert _one(customers, twins[0]["id"])["qq"] == "3"


def test_values_that_the_form_would_not_take_any_more_may_stay(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏", contact={"name": "王芳", "salutation": "道长"})
    (contact,) = customers.contacts_of(sales, company)

    (result,) = importer.write_contacts({"id": contact["id"], "salutation": "道长"}, update=True, match_fields=["id"])

    assert _codes([result]) == [(UPDATED, [])]


def test_a_rehearsal_tells_what_would_become_of_rows_and_writes_nothing(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    known = customers.new_contact(
        sales, name="王芳", contact_group="decision_maker", birthday="1990-02-28", customer_id=company["id"]
    )
    rows = [
        {"name": "王芳", "customer": "华夏", "contact_group": "使用人", "qq": "1", "birthday": "1991-01-01"},
        {"name": "新人", "customer": "华夏"},
        {"name": "新人", "customer": "华夏"},
    ]
    rehearsed = importer.contacts_request(*rows, update=True, rehearsal=True)

    results = importer.send(rehearsed).results

    assert [(one.outcome, one.record_id, one.matched_by) for one in results] == [
        (UPDATED, known["id"], "name"),
        (CREATED, "", ""),
        (SKIPPED, "", ""),
    ]
    assert {one.field: one.before for one in results[0].changes} == {
        "contact_group": "决策人",
        "qq": "",
        "birthday": "1990-02-28",
    }
    assert _one(customers, known["id"]) == known
    assert _count(customers) == 1
    rehearsed.rehearsal = False
    assert [one.outcome for one in importer.send(rehearsed).results] == [UPDATED, CREATED, SKIPPED]


def test_rows_that_meet_a_contact_wait_for_what_somebody_decides(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    known = [customers.new_contact(sales, name=name, customer_id=company["id"]) for name in ("甲", "乙", "丙", "丁")]
    update, create = rows_pb.IMPORT_DECISION_UPDATE, rows_pb.IMPORT_DECISION_CREATE
    decided = [
        (number, {"name": name, "customer": "华夏", "qq": "1"}, decision)
        for number, name, decision in (
            (2, "甲", {}),
            (3, "乙", {"decision": update, "record_id": known[1]["id"]}),
            (4, "丙", {"decision": update, "record_id": known[0]["id"]}),
            (5, "丁", {"decision": create}),
        )
    ]

    results = importer.write_contacts(*decided, mode=rows_pb.IMPORT_MODE_ASK)

    assert _codes(results) == [
        (SKIPPED, [("", "contact_exists")]),
        (UPDATED, []),
        (SKIPPED, [("", "match_changed")]),
        (CREATED, []),
    ]
    assert [_one(customers, one["id"])["qq"] for one in known] == [None, "1", None, None]
    (waiting,) = importer.write_contacts(
        {"name": "甲", "customer": "华夏", "qq": "2"}, mode=rows_pb.IMPORT_MODE_ASK, rehearsal=True
    )
    assert _codes([waiting]) == [(SKIPPED, [("", "undecided")])]
    assert (waiting.record_id, waiting.matched_by) == (known[0]["id"], "name")
    assert [(one.field, one.before) for one in waiting.changes] == [("qq", "")]


def test_a_redo_answers_the_same_also_when_its_answer_is_forgotten(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "华夏")
    request = importer.contacts_request({"name": "王芳", "customer": "华夏"}, {"name": "", "customer": "华夏"})

    first = importer.send(request)

    assert first.results[0].record_id == str(record_id_of(UUID(request.job_id), 2))
    assert importer.send(request) == first
    with customers.database.transaction() as session:
        session.execute(text("DELETE FROM bulk_write_results"))
    assert importer.send(request) == first
    assert _count(customers) == 1


def test_two_imports_of_one_file_at_once_create_each_contact_once(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    rows = [{"name": f"联系人{number}", "customer": "华夏"} for number in range(50)]

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: importer.write_contacts(*rows), range(2)))

    assert sorted({one.outcome for results in both for one in results}) == [CREATED, SKIPPED]
    assert _count(customers) == 50
    assert [one["customers"][0]["is_primary"] for one in customers.contacts_of(sales, company)].count(True) == 1


def test_an_attempt_that_breaks_off_anywhere_leaves_nothing_and_the_next_one_does_it_all(
    customers: Any, importer: Importer
) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    customers.new_contact(sales, name="王芳", customer_id=company["id"])
    request = importer.contacts_request(
        {"name": "王芳", "customer": "华夏", "qq": "1"}, {"name": "新人", "customer": "华夏"}, update=True
    )

    place = 0
    while True:
        with failing_at(customers.database, place) as failed:
            try:
                importer.send(request)
            except grpc.RpcError:
                assert failed
        if not failed:
            break
        with customers.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Contact).where(Contact.qq.is_not(None))) == 0
        assert _count(customers) == 1
        place += 1

    assert place > 10
    assert [one.outcome for one in importer.send(request).results] == [UPDATED, CREATED]
    assert sorted(one["name"] for one in customers.contacts_of(sales, company)) == ["新人", "王芳"]


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    for number in range(20):
        customers.create(sales, f"客户{number}")

    def rows(start: int, count: int, qq: str) -> list[dict[str, str]]:
        return [
            FULL | {"name": f"人{number}", "mobile": "", "customer": f"客户{number % 20}", "qq": qq}
            for number in range(start, start + count)
        ]

    counts = []
    for start, count in ((0, 2), (1000, 100)):
        importer.write_contacts(*rows(start, count, "1"))
        with statements_of(customers.database) as found:
            results = importer.write_contacts(*rows(start, count, "2"), *rows(start + count, count, "1"), update=True)
        assert [one.outcome for one in results] == [UPDATED] * count + [CREATED] * count
        counts.append(len(found))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("without", ["import.run", "customer.create", "customer.update"])
def test_whoever_lacks_a_right_writes_nothing(customers: Any, importer: Importer, without: str) -> None:
    customers.create(customers.organisation.sales, "华夏")
    customers.grant("sales", without=(without,))

    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        importer.write_contacts({"name": "王芳", "customer": "华夏"}, update=True)

    assert _count(customers) == 0


def test_a_malformed_chunk_is_refused_as_a_whole(customers: Any, importer: Importer) -> None:
    for wrong in ({"match_fields": []}, {"match_fields": ["qq"]}, {"mode": 0}, {"job_id": "x"}):
        code = "uuid_parsing" if "job_id" in wrong else "malformed_chunk"
        with customers.refused(code, grpc.StatusCode.INVALID_ARGUMENT):
            importer.write_contacts({"name": "王芳"}, **wrong)
    with customers.refused("malformed_chunk", grpc.StatusCode.INVALID_ARGUMENT):
        importer.write_contacts({"name": "王芳", "is_primary": "1"})


def test_an_import_of_contacts_is_undone_as_far_as_nobody_has_touched_it(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    known = customers.new_contact(sales, name="王芳", qq="1", customer_id=company["id"])
    rows = [
        {"name": name, "customer": "华夏", "qq": "2", "birthday": "1990-02-28"} for name in ("王芳", "新人", "动过")
    ]
    request = importer.contacts_request(*rows, update=True)
    results = importer.send(request).results
    touched = _one(customers, results[2].record_id)
    assert customers.patch_contact(sales, touched, qq="3").status_code == 200

    undone = importer.send(
        pb.RevertRowsRequest(
            job_id=request.job_id,
            actor_id=request.actor_id,
            kind=pb.RECORD_KIND_CONTACTS,
            rows=[
                pb.WrittenRow(row_number=one.row_number, record_id=one.record_id, created=one.outcome == CREATED)
                for one in results
            ],
        )
    ).rows

    assert [one.outcome for one in undone] == [
        pb.REVERT_OUTCOME_UNDONE,
        pb.REVERT_OUTCOME_UNDONE,
        pb.REVERT_OUTCOME_LEFT,
    ]
    again = _one(customers, known["id"])
    assert (again["qq"], again["birthday"]) == ("1", None)
    assert {one["name"] for one in customers.contacts_of(sales, company)} == {"王芳", "动过"}


def test_an_export_of_contacts_comes_back_without_a_change(customers: Any, importer: Importer) -> None:
    """E-09, whatever stands in it: every row is an update that changes nothing, and nothing is recorded."""
    sales = customers.organisation.sales
    customers.grant("sales", "customer.export")
    company = customers.create(sales, "华夏", contact={"name": "=1+1", "salutation": "道长", "qq": "0012345"})
    for _ in range(2):
        twin = customers.create(sales, "同名")
        customers.new_contact(
            sales, **FULL | {"name": '𠮷"野,\n家😀', "birthday_is_lunar": True}, customer_id=twin["id"]
        )
    customers.new_contact(sales, name="不属于谁", phone="+86 25-1234567")
    before = {one["id"]: customers.contact(sales, one) for one in customers.contacts(sales)}
    asked = pb.ExportRowsRequest(actor_id=str(sales.id), kind=pb.RECORD_KIND_CONTACTS)
    asked.selection.ids.ids.extend(before)
    exported = importer.send(asked)
    names = [column.name for column in exported.columns]
    known = {name for name in names if name in KNOWN}

    rows = [dict(zip(names, row.cells, strict=True)) for row in exported.rows]
    results = importer.write_contacts(
        *({name: value for name, value in row.items() if name in known} for row in rows),
        update=True,
        clear_empty=True,
        match_fields=["id"],
    )

    assert _codes(results) == [(UPDATED, [])] * 4
    assert {one["id"]: customers.contact(sales, one) for one in customers.contacts(sales)} == before
    assert known >= {"id", "customer", *FULL, "birthday_is_lunar", "owner"}
    assert company["id"] not in [row["customer"] for row in rows]
