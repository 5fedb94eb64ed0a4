"""Fields that administrators define: setting them up, filling them in, who sees them, and their end (A-83)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from chassis.clock import now
from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1.customer_service_pb2 import BulkWriteCustomersRequest
from crm_customer.fields.due import build_field_indexes, remove_deleted_fields
from crm_customer.fields.model import CustomField
from directory.permissions import Permission
from directory.store import store_roles
from tests.support.bulk import results_of

SIZES = [{"zh": "大", "en": "Large"}, {"zh": "小", "en": "Small"}]


def _send(customers: Any, method: str, path: str, version: int | None = None, **options: Any) -> Any:
    headers = {} if version is None else {"If_Match": f'"{version}"'}
    return customers.request(method, path, customers.organisation.admin, headers=headers, **options)


def _add(customers: Any, en: str = "Size", kind: str = "text", **settings: Any) -> Any:
    reply = _send(customers, "POST", "/fields", json={"zh": f"字段{en}", "en": en, "kind": kind} | settings)
    assert reply.status_code == 201, reply.text
    return reply.json


def _change(customers: Any, field: Any, **changes: Any) -> Any:
    return _send(customers, "PATCH", f"/fields/{field['id']}", field["version"], json=changes)


def _delete(customers: Any, field: Any) -> Any:
    return _send(customers, "DELETE", f"/fields/{field['id']}", field["version"])


def _restore(customers: Any, field: Any) -> Any:
    return _send(customers, "POST", f"/fields/{field['id']}:restore")


def _shown(customers: Any, member: Any, **query: Any) -> dict[str, Any]:
    fields = customers.request("GET", "/fields", member, query_string=query).json["fields"]
    return {field["key"]: field for field in fields}


def _attempt(customers: Any, member: Any, **fields: Any) -> Any:
    return customers.request("POST", "/customers", member, json={"name": "新客户"} | fields)


def _errors(reply: Any) -> list[tuple[str, str]]:
    assert reply.status_code == 422, reply.text
    return [(error["pointer"], error["code"]) for error in reply.json["errors"]]


def _work(customers: Any) -> None:
    """Due work until nothing is left to do."""
    while build_field_indexes(customers.runtime) or remove_deleted_fields(customers.runtime):
        pass


def _indexes(customers: Any) -> dict[str, str]:
    with customers.database.reading() as session:
        rows = session.execute(
            text("SELECT indexname, indexdef FROM pg_indexes WHERE starts_with(indexname, 'ix_customers_custom_')")
        )
        return {row.indexname: row.indexdef for row in rows}


def _age(customers: Any, field: Any, days: int) -> None:
    with customers.database.transaction() as session:
        session.execute(
            update(CustomField).where(CustomField.id == UUID(field["id"])).values(deleted_at=now() - timedelta(days))
        )


def test_a_field_added_is_in_the_catalogue_and_can_be_filled_in_by_everybody(customers: Any) -> None:
    sales = customers.organisation.sales
    field = _add(customers, "Fleet size", "number", zh="车辆数")

    created = customers.create(sales, custom={"fleet_size": 12})

    assert (field["key"], field["version"], field["built_in"], field["import"]) == ("custom.fleet_size", 1, False, True)
    assert _shown(customers, sales)["custom.fleet_size"] == field | {"role_ids": None}
    assert created["custom"] == {"fleet_size": 12}
    assert customers.request("GET", f"/customers/{created['id']}", sales).json == created
    (listed,) = customers.request("GET", "/customers", sales).json["items"]
    assert listed.items() <= created.items()


def test_the_catalogue_tells_where_each_field_of_the_product_can_be_used(customers: Any) -> None:
    shown = _shown(customers, customers.organisation.sales)
    contacts = _shown(customers, customers.organisation.sales, record="contacts")

    assert (shown["name"]["required"], shown["name"]["batch"], shown["name"]["filter"]) == (True, False, ["contains"])
    assert (shown["industry"]["zh"], shown["industry"]["control"]) == ("客户行业", "radio")
    assert [option["zh"] for option in shown["industry"]["options"]] == ["教育/培训", "电子商务", "对外贸易", "其他"]
    assert shown["industry"]["filter"] == ["any_of", "none_of", "empty", "filled"]
    # Numbers of contacts may be masked.
    assert (shown["contact.mobile"]["filter"], shown["contact.mobile"]["column"]) == ([], True)
    assert (shown["profile.website"]["import"], shown["profile.website"]["column"]) == (True, False)
    assert (contacts["birthday"]["kind"], contacts["birthday"]["import"]) == ("date", False)
    assert all(field["built_in"] for field in [*shown.values(), *contacts.values()])


VALUES = [
    ("text", " 甲\u3000", "甲"),
    ("text", "  ", None),
    ("number", 0, 0),
    ("number", "1,234.50", 1234.5),
    ("number", "－３", -3),
    ("number", 1e15, 10**15),
    ("number", "0.1000", 0.1),
    ("date", "2024-02-29", "2024-02-29"),
    ("date", "2024年2月9日", "2024-02-09"),
    ("single_choice", "large", "large"),
    ("single_choice", "小", "small"),
    ("multiple_choice", ["小", "large", "Small"], ["large", "small"]),
    ("multiple_choice", "大、小", ["large", "small"]),
    ("multiple_choice", [], None),
]


@pytest.mark.parametrize(("kind", "given", "kept"), VALUES)
def test_values_are_kept_in_one_form_however_they_are_written(customers: Any, kind: str, given: Any, kept: Any) -> None:
    _add(customers, "Size", kind, options=SIZES if "choice" in kind else [])

    created = customers.create(customers.organisation.sales, custom={"size": given})

    assert created["custom"] == ({} if kept is None else {"size": kept})


WRONG = [
    ("text", "长" * 501, "string_too_long"),
    ("text", "a\0b", "null_character"),
    ("text", 5, "string_type"),
    ("text", {"$ne": 1}, "string_type"),
    ("number", "十二", "number_invalid"),
    ("number", True, "number_invalid"),
    ("number", [1], "number_invalid"),
    ("number", "NaN", "number_invalid"),
    ("number", "1e400", "number_out_of_range"),
    ("number", -(10**15) - 1, "number_out_of_range"),
    ("number", "1.0000000000000001", "number_invalid"),
    ("date", "2023-02-29", "date_invalid"),
    ("date", "0000-01-01", "date_invalid"),
    ("date", 20240101, "date_invalid"),
    ("single_choice", "中", "unknown_option"),
    ("single_choice", ["large"], "string_type"),
    ("multiple_choice", ["large", "中"], "unknown_option"),
    ("multiple_choice", [1], "list_type"),
    ("multiple_choice", {"large": 1}, "list_type"),
]


@pytest.mark.parametrize(("kind", "given", "code"), WRONG)
def test_a_wrong_value_is_refused_where_it_stands(customers: Any, kind: str, given: Any, code: str) -> None:
    sales = customers.organisation.sales
    _add(customers, "Size", kind, options=SIZES if "choice" in kind else [])

    assert _errors(_attempt(customers, sales, custom={"size": given})) == [("/custom/size", code)]
    assert customers.listed(sales) == []


@pytest.mark.parametrize("custom", [{"Not a key": 1}, {"a.b": 1}, {"x" * 41: 1}, "x", None, [1]])
def test_what_is_no_set_of_fields_is_refused(customers: Any, custom: Any) -> None:
    assert _attempt(customers, customers.organisation.sales, custom=custom).status_code == 422


def test_changes_of_values_are_in_the_history_and_in_conflicts(customers: Any) -> None:
    organisation = customers.organisation
    _add(customers, "Size", "number")
    _add(customers, "Note")
    customer = customers.create(organisation.sales, custom={"size": 1, "note": "旧"})

    changed = customers.patch(organisation.supervisor, customer, custom={"size": 2}).json
    same = customers.patch(organisation.sales, changed, custom={"size": "2.0"}).json
    stale = customers.patch(organisation.sales, customer, custom={"size": 3, "note": "新"})
    cleared = customers.patch(organisation.sales, same, custom={"size": None}).json
    items = customers.request("GET", f"/customers/{customer['id']}/history", organisation.sales).json["items"]

    assert changed["custom"] == same["custom"] == {"size": 2, "note": "旧"}
    assert (changed["version"], same["version"]) == (2, 2)
    assert stale.json["conflicts"] == [{"field": "custom.size", "current": 2, "yours": 3}]
    assert cleared["custom"] == {"note": "旧"}
    assert [[(one["field"], one["before"], one["after"]) for one in item["changes"]] for item in items[:2]] == [
        [("custom.size", 2, None)],
        [("custom.size", 1, 2)],
    ]


def test_a_required_field_is_asked_for_at_creation_and_never_emptied(customers: Any) -> None:
    sales = customers.organisation.sales
    old = customers.create(sales, "老客户")
    _add(customers, "Size", required=True)

    assert _errors(_attempt(customers, sales)) == [("/custom/size", "missing")]
    # One from before is changed in other fields, and not asked for this one.
    changed = customers.patch(sales, old, remark="改").json
    filled = customers.patch(sales, changed, custom={"size": "大"}).json
    assert _errors(customers.patch(sales, filled, custom={"size": " "})) == [("/custom/size", "missing")]


def test_rows_of_imports_keep_to_the_same_rules(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    grown = {"zh": "巨大", "en": "Huge"}
    field = _add(customers, "Size", "single_choice", options=[*SIZES, grown])
    customers.create(sales, "老客户", custom={"size": "huge"})
    _change(customers, field, required=True, options=[*field["options"][:2], field["options"][2] | {"active": False}])
    rows: list[tuple[str, dict[str, str]]] = [
        ("甲", {"custom.size": "大"}),
        ("乙", {}),
        ("丙", {"custom.size": "巨大"}),
        ("老客户", {"custom.size": "Huge", "remark": "改"}),
    ]
    request = BulkWriteCustomersRequest(
        chunk_id=str(new_id()),
        job_id=str(new_id()),
        actor_id=str(sales.id),
        mode=rows_pb.IMPORT_MODE_CREATE_AND_UPDATE,
        match_fields=["name"],
        rows=[
            rows_pb.ImportRow(row_number=number, values={"name": name} | values)
            for number, (name, values) in enumerate(rows, 2)
        ],
    )

    results = results_of(rpc("import").BulkWriteCustomers(request))

    problems = [[(problem.field, problem.code) for problem in result.problems] for result in results]
    assert problems == [[], [("custom.size", "missing")], [("custom.size", "option_inactive")], []]
    items = customers.request("GET", "/customers", sales).json["items"]
    assert {item["name"]: item["custom"] for item in items} == {"甲": {"size": "large"}, "老客户": {"size": "huge"}}


def test_whom_no_role_lets_see_a_field_neither_reads_nor_fills_it(customers: Any) -> None:
    organisation = customers.organisation
    roles = [str(organisation.role_ids["supervisor"])]
    _add(customers, "Margin", "number", role_ids=roles, required=True)
    _add(customers, "Note")

    mine = customers.create(organisation.sales, custom={"note": "n"})
    filled = customers.patch(organisation.supervisor, mine, custom={"margin": 30}).json
    kept = customers.patch(organisation.sales, filled, custom={"note": "m"}).json
    history = f"/customers/{mine['id']}/history"
    told = customers.request("GET", history, organisation.sales).json["items"]

    assert "custom.margin" not in _shown(customers, organisation.sales)
    assert _shown(customers, organisation.admin)["custom.margin"]["role_ids"] == roles
    assert filled["custom"] == {"margin": 30, "note": "n"}
    assert kept["custom"] == {"note": "m"}
    assert customers.request("GET", "/customers", organisation.sales).json["items"][0]["custom"] == {"note": "m"}
    assert customers.request("GET", f"/customers/{mine['id']}", organisation.supervisor).json["custom"]["margin"] == 30
    assert _errors(customers.patch(organisation.sales, kept, custom={"margin": 1})) == [
        ("/custom/margin", "unknown_field")
    ]
    assert [item["action"] for item in told] == ["customer.changed", "customer.created"]
    assert len(customers.request("GET", history, organisation.supervisor).json["items"]) == 3


def test_an_option_is_hidden_when_customers_have_it_and_removed_when_none_does(customers: Any) -> None:
    sales = customers.organisation.sales
    field = _add(customers, "Size", "multiple_choice", options=[*SIZES, {"zh": "中", "en": "Medium"}])
    large, small, medium = field["options"]
    customer = customers.create(sales, custom={"size": ["large", "small"]})

    refused = _change(customers, field, options=[small, medium])
    hidden = _change(customers, field, options=[large | {"active": False, "zh": "特大"}, small]).json

    assert (refused.status_code, refused.json["code"]) == (409, "field_option_in_use")
    assert [(option["key"], option["zh"], option["active"]) for option in hidden["options"]] == [
        ("large", "特大", False),
        ("small", "小", True),
    ]
    kept = customers.patch(sales, customer, custom={"size": ["特大"]}).json
    assert kept["custom"] == {"size": ["large"]}
    assert _errors(_attempt(customers, sales, custom={"size": "large"})) == [("/custom/size", "option_inactive")]
    assert _errors(_attempt(customers, sales, custom={"size": "medium"})) == [("/custom/size", "unknown_option")]


SETTINGS = [
    ({"zh": ""}, 422, "/zh"),
    ({"kind": "file"}, 422, "/kind"),
    ({"key": "Größe"}, 422, "/key"),
    ({"options": SIZES}, 422, "/options"),
    ({"kind": "single_choice"}, 422, "/options"),
    ({"kind": "single_choice", "options": [SIZES[0] | {"active": False}]}, 422, "/options"),
    ({"kind": "single_choice", "options": [*SIZES, {"zh": "大 ", "en": "Huge"}]}, 422, "/options/2"),
    ({"kind": "single_choice", "options": [SIZES[0], SIZES[0] | {"key": "large"}]}, 422, "/options/1"),
    ({"role_ids": [str(new_id())]}, 422, "/role_ids/0"),
    ({"position": -1}, 422, "/position"),
    ({"zh": "客户行业"}, 409, "field_label_taken"),
    ({"en": "taken"}, 409, "field_label_taken"),
    ({"key": "taken"}, 409, "field_key_taken"),
]


@pytest.mark.parametrize(("wrong", "status", "what"), SETTINGS)
def test_a_field_that_cannot_be_is_refused(customers: Any, wrong: Any, status: int, what: str) -> None:
    _add(customers, "Taken")
    before = _shown(customers, customers.organisation.admin)

    reply = _send(customers, "POST", "/fields", json={"zh": "规模", "en": "Size", "kind": "text"} | wrong)

    assert reply.status_code == status, reply.text
    assert what in (reply.json["code"], *(error["pointer"] for error in reply.json.get("errors", [])))
    assert _shown(customers, customers.organisation.admin) == before


def test_the_kind_and_key_of_a_field_never_change(customers: Any) -> None:
    field = _add(customers)

    assert _change(customers, field, kind="number").status_code == 422
    assert _change(customers, field, key="other").status_code == 422
    assert _change(customers, field, zh="名录").json["key"] == "custom.size"


def test_a_field_whose_role_is_gone_can_still_be_changed(customers: Any) -> None:
    roles = [str(customers.organisation.role_ids["sales"])]
    field = _add(customers, role_ids=roles)
    gone = customers.organisation.role_state("sales")
    gone.version = 2
    with customers.database.transaction() as session:
        store_roles(session, [gone], deleted=True)

    assert _change(customers, field, zh="新名").json["zh"] == "新名"
    assert _errors(
        _send(customers, "PATCH", f"/fields/{field['id']}", 2, json={"role_ids": [*roles, str(new_id())]})
    ) == [("/role_ids/1", "role_not_found")]


def test_a_stale_change_of_a_field_gets_both_values(customers: Any) -> None:
    field = _add(customers)
    _change(customers, field, zh="先")

    reply = _change(customers, field, zh="后")

    assert (reply.status_code, reply.json["version"]) == (412, 2)
    assert reply.json["conflicts"] == [{"field": "zh", "current": "先", "yours": "后"}]
    assert _delete(customers, field).status_code == 412


def test_at_most_twenty_fields_can_be_filtered_by_however_many_are_added_at_once(customers: Any) -> None:
    for number in range(19):
        _add(customers, f"F{number}", filterable=True)
    last = {"kind": "text", "filterable": True}

    with ThreadPoolExecutor(2) as both:
        replies = list(
            both.map(
                lambda name: _send(customers, "POST", "/fields", json=last | {"zh": name, "en": name}), ("G1", "G2")
            )
        )

    assert sorted(reply.status_code for reply in replies) == [201, 409]
    assert next(reply for reply in replies if reply.status_code == 409).json["code"] == "too_many_filterable_fields"
    plain = _add(customers, "Plain")
    assert _change(customers, plain, filterable=True).json["code"] == "too_many_filterable_fields"


def test_a_hidden_field_comes_back_with_its_values(customers: Any) -> None:
    organisation = customers.organisation
    field = _add(customers)
    customer = customers.create(organisation.sales, custom={"size": "大"})
    path = f"/customers/{customer['id']}"

    assert _delete(customers, field).status_code == 204
    assert "custom.size" not in _shown(customers, organisation.admin)
    assert customers.request("GET", path, organisation.sales).json["custom"] == {}
    assert _errors(customers.patch(organisation.sales, customer, custom={"size": "小"})) == [
        ("/custom/size", "unknown_field")
    ]
    assert customers.patch(organisation.sales, customer, remark="改").status_code == 200
    assert list(_shown(customers, organisation.admin, deleted="true")) == ["custom.size"]
    assert customers.request("GET", "/fields?deleted=true", organisation.sales).status_code == 403
    # Its key is not given to another one meanwhile.
    assert _add(customers, "Size", zh="另一个")["key"] == "custom.size_2"
    assert _restore(customers, field).json["code"] == "field_label_taken"

    _delete(customers, _shown(customers, organisation.admin)["custom.size_2"])
    restored = _restore(customers, field)

    assert (restored.status_code, restored.json["version"]) == (200, 3)
    assert _restore(customers, field).json == restored.json
    assert customers.request("GET", path, organisation.sales).json["custom"] == {"size": "大"}


def test_thirty_days_after_a_field_was_deleted_its_values_and_index_are_gone(customers: Any) -> None:
    sales = customers.organisation.sales
    field, other = _add(customers, filterable=True), _add(customers, "Other")
    customer = customers.create(sales, custom={"size": "大", "other": "x"})
    customers.create(sales, "没有填")
    _work(customers)
    _delete(customers, field)
    _age(customers, field, 29)
    _work(customers)
    assert (len(_indexes(customers)), _restore(customers, field).status_code) == (1, 200)

    _delete(customers, _shown(customers, customers.organisation.admin)["custom.size"])
    _age(customers, field, 30)
    assert _restore(customers, field).status_code == 404
    _work(customers)

    read = customers.request("GET", f"/customers/{customer['id']}", sales).json
    with customers.database.reading() as session:
        kept = session.scalars(text("SELECT custom FROM customers ORDER BY id")).all()
    assert kept == [{"other": "x"}, {}]
    assert (read["custom"], read["version"], read["updated_at"]) == ({"other": "x"}, 1, customer["updated_at"])
    assert _indexes(customers) == {}
    assert _add(customers, kind="number")["key"] == "custom.size"
    assert other["key"] in _shown(customers, sales)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", "大", "(((custom ->> 'size'::text)), id)"),
        ("date", "2024-01-01", "(((custom ->> 'size'::text)), id)"),
        ("single_choice", "large", "(((custom ->> 'size'::text)), id)"),
        ("number", 1.5, "((((custom ->> 'size'::text))::numeric), id)"),
        ("multiple_choice", ["large"], "USING gin (((custom -> 'size'::text)))"),
    ],
)
def test_a_filterable_field_gets_its_index_and_loses_it(customers: Any, kind: str, value: Any, expected: str) -> None:
    options = SIZES if "choice" in kind else []
    customers.create(customers.organisation.sales)
    field = _add(customers, "Size", kind, options=options, filterable=True)
    customers.create(customers.organisation.sales, custom={"size": value})
    assert field["index"] == "building"

    _work(customers)

    ready = _shown(customers, customers.organisation.admin)["custom.size"]
    (definition,) = _indexes(customers).values()
    assert (ready["index"], ready["version"]) == ("ready", 1)
    assert expected in definition
    assert definition.endswith("WHERE ((deleted_at IS NULL) AND (custom ? 'size'::text))")

    plain = _change(customers, ready, filterable=False).json
    _work(customers)

    assert (plain["index"], plain["filter"], _indexes(customers)) == ("none", [], {})


def test_an_index_whose_building_broke_off_is_built_anew(customers: Any) -> None:
    _add(customers, filterable=True)
    for _ in range(2):
        customers.create(customers.organisation.sales, custom={"size": "大"})
    with (
        customers.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(IntegrityError),
    ):
        # What a killed process leaves behind: an index that is there and finds nothing.
        connection.exec_driver_sql(
            "CREATE UNIQUE INDEX CONCURRENTLY ix_customers_custom_size ON customers ((custom ->> 'size'))"
        )

    assert build_field_indexes(customers.runtime)
    assert _shown(customers, customers.organisation.admin)["custom.size"]["index"] == "building"
    _work(customers)

    assert _shown(customers, customers.organisation.admin)["custom.size"]["index"] == "ready"
    assert "UNIQUE" not in _indexes(customers)["ix_customers_custom_size"]


def test_only_those_who_configure_set_up_fields_and_the_audit_tells_it(customers: Any) -> None:
    organisation = customers.organisation
    refused = customers.request(
        "POST", "/fields", organisation.operations, json={"zh": "规模", "en": "Size", "kind": "text"}
    )
    field = _add(customers, "Size", role_ids=[str(organisation.role_ids["sales"])])
    changed = _change(customers, field, required=True, role_ids=[]).json
    _delete(customers, changed)
    _restore(customers, changed)

    entries = customers.request("GET", "/customer/audit", organisation.admin).json["items"]

    assert (refused.status_code, refused.json["permission"]) == (403, Permission.CUSTOMER_CONFIGURE)
    assert [entry["action"].removeprefix("custom_field.") for entry in entries] == [
        "restored",
        "deleted",
        "changed",
        "added",
    ]
    assert (entries[2]["before"]["required"], entries[2]["after"]["required"]) == (False, True)
    assert {entry["subject_id"] for entry in entries} == {field["id"]}
