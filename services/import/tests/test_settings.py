"""Mapping, match fields, pool, start and cancel; and who may do it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from chassis.days import day_of
from chassis.identifiers import new_id
from crm.imports.v1.imports_events_pb2 import ImportFinished, SplitRequested
from crm_import.streams import SPLIT_SUBJECT
from directory import store
from directory.permissions import Permission


def test_settings_are_kept_and_a_pool_demands_the_mobile(sales) -> None:
    job = sales.uploaded(["甲", 13800138000, "其他", ""])
    pool = str(new_id())

    changed = sales.patch(
        job,
        mapping=[{"column": 0, "field": "name"}, {"column": 1, "field": "contact.mobile"}],
        mode="create_and_update",
        match_fields=["name"],
        target_pool_id=pool,
        clear_empty=True,
    ).json

    assert changed["mode"] == "create_and_update"
    assert (changed["match_fields"], changed["target_pool_id"]) == (["name"], pool)
    assert (changed["clear_empty"], changed["mobile_required"]) == (True, True)
    assert [column["field"] for column in changed["columns"]] == ["name", "contact.mobile", None, None]
    assert changed["version"] == 2
    assert sales.patch(changed, mobile_required=False).json["mobile_required"] is False
    assert sales.get(f"/imports/{job['id']}").json["version"] == 3


@pytest.mark.parametrize(
    ("settings", "pointer", "code"),
    [
        ({"mapping": [{"column": 9, "field": "name"}]}, "/mapping/0/column", "unknown_column"),
        ({"mapping": [{"column": 0, "field": "nonsense"}]}, "/mapping/0/field", "unknown_field"),
        (
            {"mapping": [{"column": 0, "field": "name"}, {"column": 0, "field": "remark"}]},
            "/mapping/1/column",
            "column_mapped_twice",
        ),
        (
            {"mapping": [{"column": 0, "field": "name"}, {"column": 1, "field": "name"}]},
            "/mapping/1/field",
            "field_mapped_twice",
        ),
        ({"match_fields": []}, "/match_fields", "not_a_match_field"),
        ({"match_fields": ["remark"]}, "/match_fields/0", "not_a_match_field"),
        ({"match_fields": ["name", "name"]}, "/match_fields/1", "not_a_match_field"),
        ({"mode": "overwrite"}, "/mode", "enum"),
        ({"mapping": [{"column": True, "field": "name"}]}, "/mapping/0/column", "int_type"),
        ({"clear_empty": "yes"}, "/clear_empty", "bool_type"),
        ({"header_row": "2"}, "/header_row", "int_type"),
        ({"header_row": -1}, "/header_row", "greater_than_equal"),
        ({"quote": "`"}, "/quote", "literal_error"),
        ({"date_order": "ymd"}, "/date_order", "enum"),
        ({"target_pool_id": "x"}, "/target_pool_id", "uuid_parsing"),
        ({"nonsense": 1}, "/nonsense", "extra_forbidden"),
    ],
)
def test_a_wrong_setting_is_422_naming_its_place(sales, settings, pointer: str, code: str) -> None:
    job = sales.uploaded(["甲", 13800138000, "其他", ""])

    reply = sales.patch(job, **settings)

    assert (reply.status_code, reply.json["errors"][0]["pointer"], reply.json["errors"][0]["code"]) == (
        422,
        pointer,
        code,
    )
    assert sales.get(f"/imports/{job['id']}").json["version"] == 1


def test_a_mapping_without_required_fields_is_refused_in_the_agreed_words(sales, imports) -> None:
    job = sales.uploaded(["甲", 13800138000, "其他", ""])

    plain = sales.patch(job, mapping=[{"column": 3, "field": "remark"}])
    with_pool = sales.patch(job, target_pool_id=str(new_id()), mapping=[{"column": 3, "field": "remark"}])

    assert (plain.status_code, plain.json["code"]) == (422, "required_not_mapped")
    assert plain.json["detail"] == "必选字段未映射：客户名称"
    assert with_pool.json["detail"] == "必选字段未映射：客户名称、手机"


def test_what_is_wrong_is_said_in_the_words_of_the_page(sales) -> None:
    job = sales.uploaded(["甲", 13800138000, "其他", ""])
    mapping = [{"column": 0, "field": "name"}, {"column": 0, "field": "name"}, {"column": 9, "field": "remark"}]

    mapped = sales.patch(job, mapping=mapping).json["errors"]
    matched = sales.patch(job, match_fields=[]).json["errors"]
    mode = sales.patch(job, mode="both").json["errors"]

    assert [error["message"] for error in (*mapped, *matched, *mode)] == [
        "第 1 列映射了多次",
        "该字段映射了多列：客户名称",
        "文件中没有第 10 列",
        "查重字段只能是 手机、客户名称、ID、相似名称，不能重复，至少一个",
        "只能是 'create_only', 'create_and_update', 'ask' 之一",
    ]


def test_a_change_needs_the_current_version_and_shows_what_clashes(sales, imports) -> None:
    job = sales.uploaded(["甲", 13800138000, "其他", ""])
    sales.patch(job, mode="create_and_update")

    stale = sales.patch(job, mode="create_only")
    without = imports.client.patch(
        f"/api/v1/imports/{job['id']}", json={"mode": "create_only"}, headers=imports.headers(sales.member)
    )

    assert (stale.status_code, without.status_code) == (412, 428)
    assert stale.json["clashes"] == [{"field": "mode", "current": "create_and_update", "yours": "create_only"}]


def test_starting_queues_one_split_however_often_it_is_asked(sales, imports) -> None:
    job = sales.uploaded(["甲", 13800138000, "其他", ""])
    barrier = threading.Barrier(4)

    def start(_number: int) -> int:
        barrier.wait()
        headers = imports.headers(sales.member)
        path = f"/api/v1/imports/{job['id']}:start"
        return imports.client.application.test_client().post(path, headers=headers).status_code

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [200] * 4

    assert sales.get(f"/imports/{job['id']}").json["status"] == "queued"
    assert _queued_splits(imports) == [job["id"]]
    assert sales.patch(sales.get(f"/imports/{job['id']}").json, mode="create_only").status_code == 409


def test_a_file_with_ids_of_ours_is_matched_by_them_before_all_else_unless_somebody_chose(sales, workbook) -> None:
    rows = ["ID", "客户名称", "号"], [str(new_id()), "甲", str(new_id())]
    ours = sales.upload(workbook(*rows)).json
    foreign = sales.upload(workbook(rows[0], ["C-001", "甲", "1"])).json
    other = sales.patch(foreign, mapping=[{"column": 1, "field": "name"}, {"column": 2, "field": "id"}]).json
    by_hand = sales.patch(ours, mapping=[{"column": 1, "field": "name"}]).json
    chosen = sales.patch(by_hand, match_fields=["name"], mapping=[{"column": 2, "field": "id"}, *by_hand["mapping"]])
    again = sales.patch(chosen.json, header_row=1, mapping=chosen.json["mapping"])
    contacts = sales.upload(workbook(["ID", "联系人姓名"], [str(new_id()), "李"]), query="?kind=contacts").json

    usual = ["contact.mobile", "name"]
    assert ours["match_fields"] == ["id", *usual]
    assert foreign["match_fields"] == other["match_fields"] == by_hand["match_fields"] == usual
    assert chosen.json["match_fields"] == again.json["match_fields"] == ["name"]
    assert contacts["match_fields"] == ["id", "mobile", "name"]


def test_a_job_that_lacks_a_required_column_does_not_start(sales, workbook) -> None:
    unnamed = sales.upload(workbook(["备注", "邮箱"], ["甲", "a@b.cn"])).json
    unmatched = sales.uploaded(["甲", 13800138000, "其他", ""])
    unmatched = sales.patch(unmatched, match_fields=["id"]).json

    assert sales.post(unnamed, "start").json["code"] == "required_not_mapped"
    assert sales.post(unmatched, "start").json["code"] == "match_field_not_mapped"


def test_cancelling_before_the_split_ends_the_job_and_publishes_it_once(sales, imports) -> None:
    job = sales.uploaded(["甲", 13800138000, "其他", ""])
    sales.post(job, "start")

    replies = [sales.post(job, "cancel") for _ in range(2)]

    assert [reply.json["status"] for reply in replies] == ["cancelled", "cancelled"]
    assert [event.job.status for event in imports.outbox(ImportFinished)] == ["cancelled"]
    assert (sales.post(job, "start").status_code, sales.post(job, "start").json["code"]) == (
        409,
        "import_already_ended",
    )


def test_who_uploaded_changed_started_and_cancelled_is_in_the_audit_with_what_changed(sales, imports) -> None:
    job = sales.uploaded(["甲", 13800138000, "其他", ""])
    sales.patch(job, mode="create_and_update", match_fields=["contact.mobile", "name"])
    sales.post(job, "start")
    sales.post(job, "cancel")

    admin = imports.headers(imports.organisation.admin)
    path = f"/api/v1/import/audit?subject_type=import&subject_id={job['id']}"
    entries = imports.client.get(path, headers=admin).json["items"]

    assert [entry["action"] for entry in entries] == [
        "import.cancel", "import.start", "import.change", "import.upload",
    ]  # fmt: skip
    assert (entries[2]["before"], entries[2]["after"]) == ({"mode": "create_only"}, {"mode": "create_and_update"})
    assert entries[3]["after"]["kind"] == "customers"
    assert {entry["actor"]["id"] for entry in entries} == {str(sales.member.id)}


ROUTES = [
    ("POST", "/imports"),
    ("GET", "/imports"),
    ("GET", "/imports/{id}"),
    ("PATCH", "/imports/{id}"),
    ("POST", "/imports/{id}:start"),
    ("POST", "/imports/{id}:cancel"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_wants_a_token_and_the_right_to_import(sales, imports, method: str, path: str) -> None:
    address = "/api/v1" + path.format(id=sales.uploaded(["甲", 13800138000, "其他", ""])["id"])
    _take_right(imports, Permission.IMPORT_RUN)
    headers = imports.headers(sales.member, If_Match='"1"')
    body = {"json": {}} if method == "PATCH" else {}

    assert imports.client.open(address, method=method, **body).status_code == 401
    assert imports.client.open(address, method=method, headers=headers, **body).status_code == 403


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "{id}" in route[1]])
def test_another_members_import_does_not_exist(sales, imports, method: str, path: str) -> None:
    address = "/api/v1" + path.format(id=sales.uploaded(["甲", 13800138000, "其他", ""])["id"])
    headers = imports.headers(imports.organisation.colleague, If_Match='"1"')
    body = {"json": {}} if method == "PATCH" else {}

    assert imports.client.open(address, method=method, headers=headers, **body).status_code == 404


def test_starting_wants_the_rights_that_writing_the_rows_takes(sales, imports) -> None:
    job = sales.patch(sales.uploaded(["甲", 13800138000, "其他", ""]), mode="create_and_update").json
    _take_right(imports, Permission.CUSTOMER_UPDATE)

    reply = sales.post(job, "start")

    assert (reply.status_code, reply.json["code"]) == (403, "forbidden")
    assert "customer.update" in reply.json["detail"]


def test_lists_hold_ones_own_imports_or_everybodys_with_that_right(sales, imports, importer) -> None:
    older, newer = (sales.uploaded([name, 13800138000, "其他", ""]) for name in ("甲", "乙"))
    colleague = importer(imports, imports.organisation.colleague)
    admin = importer(imports, imports.organisation.admin)

    assert [job["id"] for job in sales.get("/imports").json["items"]] == [newer["id"], older["id"]]
    assert colleague.get("/imports").json["total"] == 0
    assert admin.get("/imports?page_size=1&page=2").json["items"][0]["id"] == older["id"]
    assert admin.get(f"/imports/{older['id']}").status_code == 200
    assert admin.post(older, "start").status_code == 404
    assert admin.get("/imports?page=0").status_code == 422
    assert admin.get(f"/imports?created_by={sales.member.id}").json["total"] == 2
    assert admin.get(f"/imports?created_by={admin.member.id}").json["total"] == 0
    today = day_of(datetime.fromisoformat(newer["created_at"]), "Asia/Shanghai")
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    counts = [
        sales.get(f"/imports?from={first}&to={last}").json["total"]
        for first, last in ((yesterday, yesterday), (yesterday, tomorrow), (tomorrow, tomorrow))
    ]
    assert counts == [0, 2, 0]


def _queued_splits(imports) -> list[str]:
    from sqlalchemy import select

    from chassis.database.tables import outbox

    with imports.database.reading() as session:
        payloads = session.scalars(select(outbox.c.payload).where(outbox.c.subject == SPLIT_SUBJECT))
        return [SplitRequested.FromString(payload).job_id for payload in payloads]


def _take_right(imports, permission: Permission) -> None:
    state = imports.organisation.role_state("sales")
    state.version = 2
    state.permissions.remove(permission)
    with imports.database.transaction() as session:
        store.store_roles(session, [state])
