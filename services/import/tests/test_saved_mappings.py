"""Mappings that are kept under a name: applied to files that have all of their headers, by their own member alone."""

import pytest

from chassis.identifiers import new_id
from directory import store

HEADER = ["单位", "老板电话", "谁管", "x"]
FIELDS = {0: "name", 1: "contact.mobile", 2: "owner"}


def _upload(member, workbook, *header: str):
    reply = member.upload(workbook(list(header), [f"{number}" for number in range(len(header))]))
    assert reply.status_code == 201, reply.text
    return reply.json


def _mapped(job) -> list[str | None]:
    return [column["field"] for column in job["columns"]]


def _save(member, job, name: str = "分公司"):
    headers = member.service.headers(member.member)
    body = {"name": name, "import_id": job["id"]}
    return member.service.client.post("/api/v1/import-mappings", json=body, headers=headers)


def _send(member, method: str, mapping, **options):
    headers = member.service.headers(member.member, If_Match=f'"{mapping["version"]}"')
    return member.service.client.open(
        f"/api/v1/import-mappings/{mapping['id']}", method=method, headers=headers, **options
    )


@pytest.fixture
def job(sales, workbook):
    """An import that was mapped by hand."""
    job = _upload(sales, workbook, *HEADER)
    mapping = [{"column": column, "field": field} for column, field in FIELDS.items()]
    return sales.patch(job, mapping=mapping, mode="create_and_update", match_fields=["name"], date_order="dmy").json


def test_a_file_with_all_headers_of_a_saved_mapping_is_mapped_by_it(sales, workbook, job) -> None:
    saved = _save(sales, job).json

    again = _upload(sales, workbook, "备注", "谁管", "＊老板电话", "单位")
    other = _upload(sales, workbook, "单位", "老板电话")

    assert (_mapped(again), again["saved_mapping_id"]) == ([None, "owner", "contact.mobile", "name"], saved["id"])
    assert (again["mode"], again["match_fields"], again["date_order"]) == ("create_and_update", ["name"], "dmy")
    assert (_mapped(other), other["saved_mapping_id"]) == (["name", None], None)
    assert saved["fields"][1] == {"header": "老板电话", "field": "contact.mobile", "field_label": "手机"}
    assert sales.get(f"/imports/{job['id']}").json["saved_mapping_id"] == saved["id"]


def test_its_match_fields_win_over_those_that_a_file_suggests(sales, workbook) -> None:
    rows = ["ID", "客户名称"], [str(new_id()), "甲"]
    job = sales.patch(sales.upload(workbook(*rows)).json, match_fields=["name"]).json
    saved = _save(sales, job)

    again = sales.upload(workbook(*rows)).json

    assert (saved.status_code, again["match_fields"]) == (201, ["name"])


def test_nothing_is_kept_while_no_column_is_mapped(sales, workbook) -> None:
    refused = _save(sales, _upload(sales, workbook, "甲", "乙"))

    assert (refused.status_code, refused.json["code"]) == (409, "nothing_mapped")


def test_of_two_that_fit_the_one_last_used_is_applied_and_another_may_be_chosen(sales, workbook, job) -> None:
    first = _save(sales, job, "甲").json
    changed = sales.patch(job, mapping=[{"column": 3, "field": "name"}]).json
    second = _save(sales, changed, "乙").json

    fresh = _upload(sales, workbook, *HEADER)
    by_first = sales.patch(fresh, saved_mapping_id=first["id"]).json
    after = _upload(sales, workbook, *HEADER)

    assert changed["saved_mapping_id"] is None
    assert (fresh["saved_mapping_id"], _mapped(fresh)) == (second["id"], [None, None, None, "name"])
    assert (by_first["saved_mapping_id"], _mapped(by_first)[0]) == (first["id"], "name")
    assert after["saved_mapping_id"] == first["id"]
    assert [one["name"] for one in sales.get("/import-mappings?kind=customers").json["items"]] == ["甲", "乙"]
    assert sales.get("/import-mappings?kind=members").json["total"] == 0


def test_one_that_lacks_columns_or_is_not_ones_own_cannot_be_applied(sales, imports, importer, workbook, job) -> None:
    saved = _save(sales, job).json
    short = _upload(sales, workbook, "单位", "谁管")
    colleague = importer(imports, imports.organisation.colleague)
    theirs = _upload(colleague, workbook, *HEADER)

    lacking = sales.patch(short, saved_mapping_id=saved["id"])
    foreign = colleague.patch(theirs, saved_mapping_id=saved["id"])

    assert (lacking.status_code, lacking.json["code"]) == (422, "mapping_does_not_fit")
    assert "老板电话" in lacking.json["detail"]
    assert (foreign.status_code, foreign.json["errors"][0]["pointer"]) == (422, "/saved_mapping_id")
    assert theirs["saved_mapping_id"] is None
    assert colleague.get("/import-mappings").json["total"] == 0
    assert [
        _send(colleague, method, saved, **body).status_code
        for method, body in (("PATCH", {"json": {"name": "x"}}), ("DELETE", {}))
    ] == [404, 404]
    assert _save(colleague, job).status_code == 404


def test_names_are_taken_once_changed_by_version_and_given_up(sales, workbook, job) -> None:
    saved = _save(sales, job, " 甲 ").json
    other = _save(sales, job, "乙").json

    assert (saved["name"], _save(sales, job, "甲").json["code"]) == ("甲", "mapping_name_taken")
    assert _send(sales, "PATCH", other, json={"name": "甲"}).status_code == 409
    renamed = _send(sales, "PATCH", other, json={"name": "丙"}).json
    assert (renamed["name"], renamed["version"]) == ("丙", 2)
    assert (
        _send(sales, "PATCH", other, json={"name": "丁"}).status_code,
        _send(sales, "DELETE", other).status_code,
    ) == (412, 412)
    assert _send(sales, "DELETE", renamed).status_code == 204
    assert [one["name"] for one in sales.get("/import-mappings").json["items"]] == ["甲"]
    assert _send(sales, "PATCH", saved, json={"name": ""}).status_code == 422


def test_a_field_that_is_gone_is_left_out(sales, customers, workbook) -> None:
    from crm.customer.v1 import customer_service_pb2 as pb

    field = pb.CustomField(key="area", label_zh="面积", label_en="Area", kind="number")
    customers[0].custom_fields = pb.ListCustomFieldsResponse(fields=[field])
    saved = _save(sales, _upload(sales, workbook, "客户名称", "面积")).json
    customers[0].custom_fields = pb.ListCustomFieldsResponse()

    again = _upload(sales, workbook, "客户名称", "面积")

    assert (_mapped(again), again["saved_mapping_id"]) == (["name", None], saved["id"])


def test_saving_wants_a_token_the_right_and_an_import_of_ones_own(sales, imports, job) -> None:
    path = "/api/v1/import-mappings"
    headers = imports.headers(sales.member)
    unknown = imports.client.post(path, json={"name": "x", "import_id": str(new_id())}, headers=headers)
    once, twice = (
        imports.client.post(
            path,
            json={"name": "一次", "import_id": job["id"]},
            headers=imports.headers(sales.member, Idempotency_Key="k"),
        )
        for _ in range(2)
    )

    assert unknown.status_code == 404
    assert (once.json, once.status_code) == (twice.json, 201)
    assert imports.client.get(path).status_code == 401
    state = imports.organisation.role_state("sales")
    state.version = 2
    del state.permissions[:]
    with imports.database.transaction() as session:
        store.store_roles(session, [state])
    assert [
        imports.client.open(path, method=method, headers=headers, json={}).status_code for method in ("GET", "POST")
    ] == [403, 403]
