"""Rehearsals of imports: judged as they would be written, and nothing is; and rows that somebody has decided about."""

from typing import Any

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.database import Base
from tests.support.bulk import Importer, in_columns

CREATED, UPDATED, SKIPPED, FAILED = (
    rows_pb.IMPORT_OUTCOME_CREATED,
    rows_pb.IMPORT_OUTCOME_UPDATED,
    rows_pb.IMPORT_OUTCOME_SKIPPED,
    rows_pb.IMPORT_OUTCOME_FAILED,
)
ASK = {"mode": rows_pb.IMPORT_MODE_ASK}


def _codes(result: Any) -> list[str]:
    return [problem.code for problem in result.problems]


def _contents(customers: Any) -> dict[str, list[str]]:
    """Every row of every table."""
    with customers.database.reading() as session:
        return {
            table.name: sorted(session.scalars(text(f'SELECT t::text FROM "{table.name}" t')))
            for table in Base.metadata.sorted_tables
        } | {"outbox": list(session.scalars(text("SELECT id::text FROM outbox ORDER BY id")))}


def test_a_rehearsal_tells_what_writing_does_and_writes_nothing(customers: Any, importer: Importer) -> None:
    people = customers.organisation
    known = customers.create(people.sales, "老客户", industry="其他", remark="旧备注", province="江苏", city="南京")
    customers.create(people.rival, "别人的")
    rows = [
        {"name": "新客户", "contact.mobile": "13800138000"},
        {"name": "老客户", "industry": "教育/培训", "remark": "新备注", "province": "上海"},
        {"name": "别人的"},
        {"name": "坏", "industry": "没有的行业"},
        {"name": "给别人", "owner": "没有这人"},
    ]
    before = _contents(customers)
    rehearsed = importer.write(*rows, update=True, rehearsal=True)
    again = importer.write(*rows, update=True, rehearsal=True)

    assert _contents(customers) == before
    assert [(one.outcome, _codes(one)) for one in rehearsed] == [
        (CREATED, []),
        (UPDATED, []),
        (SKIPPED, ["exists_out_of_scope"]),
        (FAILED, ["unknown_option"]),
        (FAILED, ["unknown_owner"]),
    ]
    assert (rehearsed[0].record_id, rehearsed[0].owner_id) == ("", str(people.sales.id))
    assert (rehearsed[1].record_id, rehearsed[1].matched_by) == (known["id"], "name")
    assert {one.field: one.before for one in rehearsed[1].changes} == {
        "industry": "其他",
        "remark": "旧备注",
        "province": "江苏省",
        "city": "南京市",
    }
    assert again == rehearsed
    written = importer.write(*rows, update=True)
    assert [one.outcome for one in written] == [one.outcome for one in rehearsed]
    assert written[0].owner_id == rehearsed[0].owner_id


def test_a_refusal_of_pool_names_the_owner_and_counts_what_was_rehearsed_before(
    customers: Any, importer: Importer, pool: Any
) -> None:
    sales = customers.organisation.sales
    pool.refuse = {str(sales.id): "holding_cap_reached"}
    given = [rows_pb.RehearsedOwner(owner_id=str(sales.id), customers=7)]

    (rehearsed,) = importer.write({"name": "满了"}, rehearsal=True, rehearsed=given)

    assert pool.rehearsed == {str(sales.id): 7}
    assert [(one.code, one.value) for one in rehearsed.problems] == [("holding_cap_reached", sales.name)]


def test_rows_that_match_wait_for_a_decision_and_show_what_an_update_would_change(
    customers: Any, importer: Importer
) -> None:
    known = customers.create(customers.organisation.sales, "老客户", remark="旧")

    rehearsed = importer.write({"name": "老客户", "remark": "新"}, {"name": "新的"}, rehearsal=True, **ASK)
    undecided = importer.write({"name": "老客户", "remark": "新"}, **ASK)

    assert [(one.outcome, _codes(one)) for one in rehearsed] == [(SKIPPED, ["undecided"]), (CREATED, [])]
    assert (rehearsed[0].record_id, rehearsed[0].matched_by) == (known["id"], "name")
    assert [(one.field, one.before) for one in rehearsed[0].changes] == [("remark", "旧")]
    assert [(one.outcome, _codes(one)) for one in undecided] == [(SKIPPED, ["customer_exists"])]


@pytest.mark.parametrize("sent", [lambda request: request, in_columns], ids=["by-row", "by-column"])
def test_decided_rows_do_what_was_decided_about_the_record_they_still_match(
    customers: Any, importer: Importer, sent: Any
) -> None:
    sales = customers.organisation.sales
    one, other = (customers.create(sales, name) for name in ("甲", "乙"))
    update, create = rows_pb.IMPORT_DECISION_UPDATE, rows_pb.IMPORT_DECISION_CREATE

    request = importer.request(
        (2, {"name": "甲", "remark": "改"}, {"decision": update, "record_id": one["id"]}),
        (3, {"name": "乙", "remark": "改"}, {"decision": update, "record_id": str(new_id())}),
        (4, {"name": "丙", "remark": ""}, {"decision": update, "record_id": other["id"]}),
        (5, {"name": "乙", "remark": ""}, {"decision": create, "record_id": other["id"]}),
        **ASK,
    )
    results = importer.results(sent(request))

    assert [(result.outcome, _codes(result)) for result in results] == [
        (UPDATED, []),
        (SKIPPED, ["match_changed"]),
        (SKIPPED, ["match_changed"]),
        (CREATED, []),
    ]
    assert results[3].record_id not in (one["id"], other["id"])
    detail = customers.request("GET", f"/customers/{one['id']}", sales).json
    assert detail["remark"] == "改"


def test_similar_names_of_customers_that_the_importer_sees_are_met(customers: Any, importer: Importer) -> None:
    """By core: legal form, region and brackets do not count, another region or branch does (decision 0032)."""
    people = customers.organisation
    known = customers.create(people.sales, "北京华夏春松科技有限公司")
    located = customers.create(people.sales, "云溪食品", province="江苏", city="南京")
    customers.create(people.rival, "海棠电器有限公司")
    rows = [
        {"name": "华夏春松科技（有限责任公司）", "remark": "一"},
        {"name": "上海华夏春松科技有限公司"},
        {"name": "北京华夏春松科技有限公司上海分公司"},
        {"name": "华夏春松贸易有限公司"},
        {"name": "南京云溪食品有限公司", "remark": "二"},
        {"name": "杭州云溪食品有限公司"},
        {"name": "海棠电器"},
        {"name": "海棠电器股份有限公司"},
    ]
    similar = {"match_fields": ["name", "similar_name"], "update": True}

    rehearsed, written = importer.write(*rows, **similar, rehearsal=True), importer.write(*rows, **similar)

    met = [(UPDATED, "similar_name", known["id"]), (UPDATED, "similar_name", located["id"])]
    for results in (rehearsed, written):
        assert [(one.outcome, one.matched_by, one.record_id) for one in (results[0], results[4])] == met
        assert [one.outcome for one in results] == [UPDATED, *[CREATED] * 3, UPDATED, CREATED, CREATED, SKIPPED]
    assert _codes(written[7]) == ["repeated_in_file"]
    assert customers.listed(people.sales, search="华夏春松科技（有限责任公司）") == ["华夏春松科技（有限责任公司）"]
