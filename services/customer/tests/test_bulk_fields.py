"""Bulk writes of extended columns, custom fields and tags, and of what an S0 file says beyond (T-1)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.customers.model import Customer
from crm_customer.fields.model import CustomField
from crm_customer.profiles.model import CustomerProfile
from crm_customer.tags.model import CustomerTag, Tag, TagGroup
from tests.support.bulk import Importer

CREATED, UPDATED, FAILED = (
    rows_pb.IMPORT_OUTCOME_CREATED,
    rows_pb.IMPORT_OUTCOME_UPDATED,
    rows_pb.IMPORT_OUTCOME_FAILED,
)
PROFILE = {
    "profile.website": "www.highsea.cn",
    "profile.non_primary_emails": "a@b.cn; c@d.cn",
    "profile.annual_revenue": "100000000",
    "profile.employees": "200",
    "profile.latitude": "31.2304",
    "profile.billing_postcode": "210000",
}


@pytest.fixture
def tags(customers: Any) -> dict[str, str]:
    """Ids of tags by name: 规模 holds one of 大型 and 小型, 兴趣 several of 展会, 培训 and 大型."""
    ids: dict[str, str] = {}
    with customers.database.transaction() as session:
        for place, (group, multiple, names) in enumerate(
            (("规模", False, ("大型", "小型")), ("兴趣", True, ("展会", "培训", "大型")))
        ):
            group_id = new_id()
            session.execute(
                insert(TagGroup).values(id=group_id, version=1, name=group, multiple=multiple, position=place)
            )
            for number, name in enumerate(names):
                tag_id = new_id()
                ids[f"{group}:{name}"] = str(tag_id)
                values = {"id": tag_id, "version": 1, "group_id": group_id, "name": name, "color": "red"}
                session.execute(insert(Tag).values(**values, position=number))
    return ids


def _borne(customers: Any, customer_id: str) -> set[str]:
    with customers.database.reading() as session:
        found = select(CustomerTag.tag_id).where(CustomerTag.customer_id == customer_id)
        return {str(id_) for id_ in session.scalars(found)}


def _read(customers: Any, customer_id: str) -> Any:
    return customers.request("GET", f"/customers/{customer_id}", customers.organisation.admin).json


def _history(customers: Any, customer_id: str) -> dict[str, tuple[Any, Any]]:
    items = customers.request("GET", f"/customers/{customer_id}/history", customers.organisation.admin).json["items"]
    return {change["field"]: (change["before"], change["after"]) for change in items[0]["changes"]}


def _codes(results: list[Any]) -> list[Any]:
    return [[(problem.field, problem.code) for problem in result.problems] for result in results]


def test_extended_columns_are_written_as_the_form_writes_them(customers: Any, importer: Importer) -> None:
    (result, plain) = importer.write({"name": "春松", **PROFILE}, {"name": "无"})

    by_hand = customers.create(
        customers.organisation.sales,
        "手工",
        profile={name.removeprefix("profile."): value for name, value in PROFILE.items()},
    )
    imported = _read(customers, result.record_id)
    for field in ("profile", "annual_turnover", "employee_count"):
        assert imported[field] == by_hand[field] is not None
    assert _read(customers, plain.record_id)["profile"] is None


def test_a_number_in_a_range_column_is_kept_beside_its_range(customers: Any, importer: Importer) -> None:
    (result,) = importer.write({"name": "春松", "annual_turnover": "120,000", "profile.annual_revenue": ""})

    customer = _read(customers, result.record_id)
    assert (customer["profile"]["annual_revenue"], customer["annual_turnover"] is not None) == ("120000", True)


def test_updates_of_extended_columns_leave_empty_cells_unless_told_to_clear(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    known = customers.create(sales, "春松", profile={"fax": "025-1", "sic_code": "7372"})
    bare = customers.create(sales, "夏柏")
    rows = [{"name": name, "profile.fax": "", "profile.website": "a.cn"} for name in ("春松", "夏柏")]

    importer.write(*rows, update=True)

    kept = _read(customers, known["id"])
    assert [kept["profile"][name] for name in ("fax", "sic_code", "website")] == ["025-1", "7372", "a.cn"]
    assert _read(customers, bare["id"])["profile"]["website"] == "a.cn"
    assert _history(customers, known["id"]) == {"profile.website": (None, "a.cn")}

    importer.write(rows[0], update=True, clear_empty=True)
    importer.write({"name": "夏柏", "profile.website": ""}, update=True, clear_empty=True)

    cleared = _read(customers, known["id"])
    assert [cleared["profile"][name] for name in ("fax", "sic_code")] == [None, "7372"]
    assert _history(customers, known["id"]) == {"profile.fax": ("025-1", None)}
    assert _read(customers, bare["id"])["profile"] is None
    assert _read(customers, known["id"])["version"] == 3


def test_wrong_extended_columns_are_named(customers: Any, importer: Importer) -> None:
    customers.create(customers.organisation.sales, "外国", profile={"billing_country": "UK"})
    results = importer.write(
        {"name": "甲", "profile.website": "x", "profile.annual_revenue": "很多", "profile.latitude": "91"},
        {"name": "乙", "profile.billing_postcode": "1", "profile.parent_customer_id": str(new_id())},
        {"name": "外国", "profile.billing_postcode": "SW1A"},
        {"name": "外国", "profile.billing_country": "中国", "profile.billing_postcode": "SW1A"},
        update=True,
    )

    assert _codes(results) == [
        [
            ("profile.website", "url_invalid"),
            ("profile.annual_revenue", "number_invalid"),
            ("profile.latitude", "out_of_range"),
        ],
        [("profile.billing_postcode", "postcode_invalid"), ("profile.parent_customer_id", "parent_not_found")],
        [],
        [("", "repeated_in_file")],
    ]


def test_parents_within_a_chunk_make_no_cycle(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    first, second = customers.create(sales, "甲"), customers.create(sales, "乙")
    third = customers.create(sales, "丙", profile={"parent_customer_id": first["id"]})
    above = "profile.parent_customer_id"

    results = importer.write(
        {"name": "甲", above: second["id"]},
        {"name": "乙", above: third["id"], "rating": "1"},
        {"name": "丙", above: first["id"]},
        update=True,
    )

    assert [result.outcome for result in results] == [UPDATED, FAILED, UPDATED]
    assert _codes(results)[1] == [(above, "parent_cycle")]
    assert _read(customers, first["id"])["profile"]["parent"]["name"] == "乙"
    assert [_read(customers, second["id"])[name] for name in ("profile", "rating", "version")] == [None, None, 1]


def test_only_fields_that_the_importer_sees_are_filled(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    with customers.database.transaction() as session:
        for key, roles in (("open", []), ("secret", [organisation.role_ids["operations"]])):
            values = {"id": new_id(), "key": key, "version": 1, "kind": "text", "label_zh": key, "label_en": key}
            session.execute(insert(CustomField).values(**values, options=[], role_ids=roles, position=0))

    fine, refused = importer.write({"name": "甲", "custom.open": "1"}, {"name": "乙", "custom.secret": "1"})
    (allowed,) = importer.write({"name": "乙", "custom.secret": "1"}, actor=organisation.operations)

    assert _codes([fine, refused, allowed]) == [[], [("custom.secret", "unknown_field")], []]
    with customers.database.reading() as session:
        found = session.execute(select(Customer.name, Customer.custom))
        assert {row.name: row.custom for row in found} == {"甲": {"open": "1"}, "乙": {"secret": "1"}}


def test_tags_are_found_by_name_or_group_and_name(customers: Any, importer: Importer, tags: dict[str, str]) -> None:
    results = importer.write(
        {"name": "甲", "tags": "展会、规模：大型"},
        {"name": "乙", "tags": "展会；培训;展会"},
        {"name": "丙", "tags": "展会,没有的"},
        {"name": "丁", "tags": "大型"},
        {"name": "戊", "tags": "规模:大型，小型"},
        {"name": "己", "tags": " "},
    )

    assert _codes(results) == [
        [],
        [],
        [("tags", "unknown_tag")],
        [("tags", "ambiguous_tag")],
        [("tags", "one_tag_per_group")],
        [],
    ]
    assert [problem.value for result in results for problem in result.problems] == ["没有的", "大型", "规模"]
    assert _borne(customers, results[0].record_id) == {tags["兴趣:展会"], tags["规模:大型"]}
    assert _borne(customers, results[1].record_id) == {tags["兴趣:展会"], tags["兴趣:培训"]}
    assert _borne(customers, results[5].record_id) == set()


def test_a_cell_of_tags_says_all_of_them(customers: Any, importer: Importer, tags: dict[str, str]) -> None:
    (made,) = importer.write({"name": "甲", "tags": "展会;小型"})

    importer.write({"name": "甲", "tags": ""}, update=True)
    assert len(_borne(customers, made.record_id)) == 2
    importer.write({"name": "甲", "tags": "小型;培训"}, update=True)
    assert _borne(customers, made.record_id) == {tags["规模:小型"], tags["兴趣:培训"]}
    assert _history(customers, made.record_id) == {"tags": (["小型", "展会"], ["培训", "小型"])}
    importer.write({"name": "甲", "tags": "培训;小型"}, update=True)
    assert _read(customers, made.record_id)["version"] == 2
    importer.write({"name": "甲", "tags": ""}, update=True, clear_empty=True)
    assert _borne(customers, made.record_id) == set()


def test_an_owner_is_named_by_id_before_name(customers: Any, importer: Importer) -> None:
    organisation = customers.organisation
    colleague, unknown = str(organisation.colleague.id), str(new_id())
    results = importer.write(
        {"name": "甲", "owner_id": colleague},
        {"name": "乙", "owner": "张三", "owner_id": colleague},
        {"name": "丙", "owner": "李四", "owner_id": unknown},
        {"name": "丁", "owner": "", "owner_id": unknown},
        {"name": "戊", "owner_id": "1"},
        actor=organisation.operations,
    )

    assert _codes(results) == [[], [], [], [("owner_id", "unknown_owner")], [("owner_id", "unknown_owner")]]
    owners = [_read(customers, result.record_id)["owner"]["name"] for result in results[:3]]
    assert owners == ["李四", "李四", "李四"]


def test_a_deleted_record_is_not_imported(customers: Any, importer: Importer) -> None:
    results = importer.write(*({"name": f"客户{text}", "deleted": text} for text in ("0", "", "否", "1", "是", "TRUE")))

    refused = [("deleted", "deleted_refused")]
    assert _codes(results) == [[], [], [], refused, refused, refused]


@contextmanager
def _statements(customers: Any) -> Iterator[list[str]]:
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, _parameters: Any, _context: Any, many: bool) -> None:
        found.append(f"{'MANY ' if many else ''}{statement}")

    event.listen(customers.database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(customers.database.engine, "before_cursor_execute", note)


def test_many_rows_of_extended_columns_and_tags_take_as_many_statements_as_few(
    customers: Any, importer: Importer, tags: dict[str, str]
) -> None:
    parent = customers.create(customers.organisation.sales, "总公司")["id"]

    def rows(start: int, count: int, tag: str) -> list[dict[str, str]]:
        extended = {**PROFILE, "profile.fax": tag, "profile.parent_customer_id": parent, "tags": tag}
        return [{"name": f"客户{number}", **extended} for number in range(start, start + count)]

    counts = []
    for start, count in ((0, 2), (1000, 250)):
        importer.write(*rows(start, count, "小型"))
        with _statements(customers) as found:
            results = importer.write(*rows(start, count, "展会"), *rows(start + count, count, "培训"), update=True)
        assert [result.outcome for result in results] == [UPDATED] * count + [CREATED] * count
        assert [statement for statement in found if statement.startswith("MANY") and "outbox" not in statement] == []
        counts.append(len(found))
    assert counts[0] == counts[1] < 50


def test_rows_without_extended_columns_and_tags_ask_nothing_about_them(customers: Any, importer: Importer) -> None:
    customers.create(customers.organisation.sales, "已有的")

    with _statements(customers) as found:
        importer.write({"name": "已有的", "rating": "2"}, {"name": "新的"}, update=True)

    extras = [model.__tablename__ for model in (CustomerProfile, CustomerTag, TagGroup)]
    assert [one for one in found if any(extra in one for extra in extras)] == []


def test_imported_contacts_are_found_by_name_and_their_changes_are_theirs(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales

    def found(name: str) -> list[Any]:
        items: list[Any] = customers.request("GET", "/contacts", sales, query_string={"name": name}).json["items"]
        return items

    importer.write({"name": "春松", "contact.name": "欧阳锋", "contact.mobile": "13800138000"})
    (contact,) = found("阳锋")
    importer.write({"name": "春松", "contact.name": "黄药师"}, {"name": "无人"}, update=True)
    importer.write({"name": "无人", "contact.name": "洪七公"}, update=True)

    assert found("欧阳") == []
    (renamed,) = found("药师")
    assert (renamed["id"], renamed["version"]) == (contact["id"], contact["version"] + 1)
    history = customers.request("GET", f"/contacts/{contact['id']}/history", sales).json["items"]
    assert history[0]["changes"] == [{"field": "name", "before": "欧阳锋", "after": "黄药师"}]
    assert len(found("七公")) == 1
