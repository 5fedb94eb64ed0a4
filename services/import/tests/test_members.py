"""Importing members: the same way as customers, with other fields, another right, and identity writing the rows."""

import io

import pytest
from openpyxl import load_workbook

from chassis.errors import Forbidden
from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.identity.v1 import identity_events_pb2 as pb
from crm.imports.v1.imports_events_pb2 import ImportFinished
from crm_import.chunks.worker import handle_chunk
from crm_import.kinds.members import MEMBERS
from crm_import.mapping.rules import guess_mapping
from directory import store
from directory.permissions import Permission

ZHANG = ["zhang.san", "张三", "zhang@example.test", 13800138000.0, "华东销售部", "销售、销售主管", "中文"]
LI = ["li.si", "李四", "li@example.test", "", "华东销售部", "", ""]
LOST = ["wang.wu", "王五", "wang@example.test", "", "火星部", "", ""]


@pytest.fixture
def admin(imports, importer):
    return importer(imports, imports.organisation.admin)


def _imported(running, *rows, **settings):
    job = running.admin.uploaded_members(*rows)
    if settings:
        job = running.admin.patch(job, **settings).json
    assert running.admin.post(job, "start").status_code == 200
    with running.workers():
        return running.ended(job)


def test_a_file_of_members_is_mapped_and_every_row_is_written_by_identity(running) -> None:
    job = _imported(running, ZHANG, LI)

    (request,) = running.identity.requests
    assert (job["kind"], job["status"], job["created"]) == ("members", "finished", 2)
    assert (request.job_id, request.actor_id) == (job["id"], str(running.service.organisation.admin.id))
    assert (request.mode, request.clear_empty) == (rows_pb.IMPORT_MODE_CREATE_ONLY, False)
    assert running.identity.sent[0] == {
        "login": "zhang.san",
        "name": "张三",
        "email": "zhang@example.test",
        "phone": "13800138000",
        "department": "华东销售部",
        "roles": "销售、销售主管",
        "language": "中文",
    }
    (event,) = running.service.outbox(ImportFinished)
    assert (event.job.kind, event.job.created) == ("members", 2)
    rows = running.admin.get(f"/imports/{job['id']}/rows").json["items"]
    assert [row["record_id"] for row in rows] == [running.identity.ids[login] for login in ("zhang.san", "li.si")]
    assert running.customers.requests == []


def test_members_that_exist_are_skipped_or_updated_as_the_mode_says(running) -> None:
    running.identity.ids["zhang.san"] = str(new_id())

    again = _imported(running, ZHANG, LI)
    updating = _imported(running, ZHANG, LI, mode="create_and_update", clear_empty=True)

    assert (again["created"], again["skipped"]) == (1, 1)
    assert (updating["updated"], updating["created"]) == (2, 0)
    assert running.identity.requests[-1].clear_empty


def test_the_reasons_are_told_in_words_of_members_in_both_languages(running) -> None:
    job = _imported(running, LOST)
    path = f"/imports/{job['id']}/rows"

    chinese, english = (
        running.admin.get(path, Accept_Language=language).json["items"][0]["problems"][0]["message"]
        for language in ("zh", "en")
    )

    assert chinese == "第2行 部门：没有该部门：火星部。请改为已有部门的名称，或先新建该部门"
    assert english.startswith("Row 2, Department: There is no department 火星部")


def test_an_error_list_of_members_that_was_corrected_is_imported_again(running) -> None:
    job = _imported(running, LOST, ZHANG)
    errors = running.admin.get(f"/imports/{job['id']}/errors.xlsx", Accept_Language="zh").data
    book = load_workbook(io.BytesIO(errors))
    assert [cell.value for cell in book.active[2]][-1].startswith("部门：没有该部门")
    book.active["E2"] = "华东销售部"
    corrected = io.BytesIO()
    book.save(corrected)

    again = running.admin.upload(corrected.getvalue(), query="?kind=members").json
    running.admin.post(again, "start")
    with running.workers():
        again = running.ended(again)

    assert (again["created"], again["failed"]) == (1, 0)


def test_a_repeated_login_is_skipped_unless_the_first_row_lacks_what_it_needs(running) -> None:
    unnamed = ["wang.wu", "", "wang@example.test", "", "华东销售部", "", ""]

    job = _imported(running, ZHANG, ["ZHANG.SAN", *ZHANG[1:]], unnamed, ["wang.wu", "王五", *LI[2:]])

    rows = running.admin.get(f"/imports/{job['id']}/rows?outcome=skipped").json["items"]
    assert [(row["row_number"], row["problems"][0]["reason"]) for row in rows] == [(3, "与第2行重复")]


def test_settings_of_customers_are_refused_for_members_and_nothing_else_changes(admin) -> None:
    job = admin.uploaded_members(ZHANG)

    foreign = admin.patch(job, target_pool_id=str(new_id()), mobile_required=True)
    other_match = admin.patch(job, match_fields=["name"])
    unset = admin.patch(job, target_pool_id=None, mobile_required=False, mode="create_and_update")

    assert foreign.status_code == 422
    assert [(error["pointer"], error["code"]) for error in foreign.json["errors"]] == [
        ("/mobile_required", "not_of_this_kind"),
        ("/target_pool_id", "not_of_this_kind"),
    ]
    assert foreign.json["errors"][0]["message"] == "此设置不适用于这类导入，请去掉"
    assert (other_match.status_code, other_match.json["errors"][0]["code"]) == (422, "not_a_match_field")
    assert (unset.status_code, unset.json["mode"], unset.json["version"]) == (200, "create_and_update", 2)


def test_new_members_need_more_columns_than_known_ones(admin) -> None:
    job = admin.uploaded_members(ZHANG)
    login_and_department = [{"column": 0, "field": "login"}, {"column": 4, "field": "department"}]

    creating = admin.patch(job, mapping=login_and_department)
    updating = admin.patch(job, mapping=login_and_department, mode="create_and_update")
    back = admin.patch(updating.json, mode="create_only").json

    assert creating.json["detail"] == "必选字段未映射：姓名、邮箱"
    assert updating.status_code == 200
    assert admin.post(back, "start").json["code"] == "required_not_mapped"


def test_members_are_imported_by_those_alone_who_manage_the_organisation(imports, importer, admin, workbook) -> None:
    supervisor = importer(imports, imports.organisation.supervisor)
    job = admin.uploaded_members(ZHANG)

    refused = supervisor.upload(workbook(["登录名"], ["a"]), query="?kind=members")
    _take_right(imports.database, imports.organisation)
    not_started = admin.post(job, "start")

    for reply in (refused, not_started):
        assert (reply.status_code, reply.json["code"]) == (403, "forbidden")
        assert "organisation.manage" in reply.json["detail"]


def test_whoever_may_no_longer_manage_the_organisation_imports_no_further_member(running) -> None:
    job = running.admin.uploaded_members(*([f"m{number:02}", *ZHANG[1:]] for number in range(15)))
    running.admin.post(job, "start")
    first, second = running.split(job)
    handle_chunk(running.service.runtime, first)
    _take_right(running.service.database, running.service.organisation)

    handle_chunk(running.service.runtime, second)

    job = running.admin.get(f"/imports/{job['id']}").json
    assert (job["status"], job["failure_code"]) == ("failed", "importer_not_allowed")
    assert (job["created"], job["skipped"], len(running.identity.requests)) == (10, 5, 1)


def test_a_right_that_identity_knows_to_be_gone_ends_the_job(running) -> None:
    running.identity.refusals = [Forbidden("forbidden", permission="organisation.manage")] * 3
    job = running.admin.uploaded_members(ZHANG)
    running.admin.post(job, "start")
    (message,) = running.split(job)

    while handle_chunk(running.service.runtime, message) is not None:
        pass

    job = running.admin.get(f"/imports/{job['id']}").json
    assert (job["status"], job["failure_code"], job["skipped"]) == ("failed", "forbidden", 1)
    assert "organisation.manage" in job["failure_message"]


@pytest.mark.parametrize(
    ("query", "form", "pointer"), [("?kind=pools", {}, "/kind"), ("", {"kind": "members"}, "/kind")]
)
def test_a_kind_that_is_unknown_or_in_the_wrong_place_is_refused(
    imports, admin, workbook, query, form, pointer
) -> None:
    file = (io.BytesIO(workbook(["登录名"], ["a"])), "a.xlsx")

    reply = imports.client.post(
        f"/api/v1/imports{query}",
        data={"file": file, **form},
        content_type="multipart/form-data",
        headers=imports.headers(admin.member),
    )

    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, pointer)


def test_imports_are_listed_by_kind(admin) -> None:
    customers, members = admin.uploaded(["甲", 13800138000, "其他", ""]), admin.uploaded_members(ZHANG)

    assert (customers["kind"], members["kind"]) == ("customers", "members")
    assert [job["id"] for job in admin.get("/imports?kind=members").json["items"]] == [members["id"]]
    assert [job["id"] for job in admin.get("/imports?kind=customers").json["items"]] == [customers["id"]]
    assert admin.get("/imports").json["total"] == 2


@pytest.mark.parametrize(
    "headers",
    [
        ("账号", "姓名", "电子邮箱", "手机号码", "所属部门", "角色名称", "界面语言"),
        ("工号", "员工姓名", "邮箱", "联系电话", "部门名称", "员工角色", "语言"),
        ("Username", "Full name", "E-mail", "Mobile", "Department", "Role", "Language"),
        ("employee ID", "Employee name", "Email address", "Phone number", "Dept.", "Roles", "locale"),
    ],
)
def test_usual_headers_of_members_are_recognised(headers: tuple[str, ...]) -> None:
    assert guess_mapping(headers, MEMBERS) == [field.name for field in MEMBERS.fields]


def test_the_template_of_members_maps_itself_and_marks_what_is_needed(admin) -> None:
    for language, sheet in (("zh", "成员"), ("en", "Members")):
        book = _template(admin, Accept_Language=language)
        for column, text in enumerate(ZHANG, 1):
            book[sheet].cell(2, column, text)
        content = io.BytesIO()
        book.save(content)

        job = admin.upload(content.getvalue(), query="?kind=members").json

        assert [column["field"] for column in job["columns"]] == [field.name for field in MEMBERS.fields]
        starred = [str(cell.value).endswith("*") for cell in book[sheet][1]]
        assert starred == [True, True, True, False, True, False, False]
    assert admin.get("/import-templates/nonsense.xlsx").status_code == 404


def test_the_template_of_members_offers_the_departments_and_roles_there_are(imports, importer, admin) -> None:
    organisation = imports.organisation
    made = [
        pb.Department(id=str(new_id()), version=1, name=name, parent_id=str(parent))
        for name, parent in (("外勤", organisation.east), ("外勤", organisation.south), ("=1+1", organisation.east))
    ]
    with imports.database.transaction() as session:
        store.store_departments(session, made)

    book = _template(admin)

    choices = {str(item.sqref)[0]: item.formula1 for item in book["成员"].data_validations.dataValidation}
    assert choices == {"E": "options!$E$1:$E$6", "F": "options!$F$1:$F$4", "G": "options!$G$1:$G$2"}
    offered = book["options"]
    assert {cell.value for cell in offered["E"]} == {
        "公司", "华东销售部", "华南销售部", "华东销售部/外勤", "华南销售部/外勤", "=1+1",
    }  # fmt: skip
    assert {cell.data_type for cell in offered["E"]} == {"s"}
    assert {"企业管理员", "运营", "销售主管", "销售"} == {cell.value for cell in offered["F"][:4]}
    supervisor = importer(imports, organisation.supervisor)
    assert supervisor.get("/import-templates/members.xlsx").status_code == 403


def _template(admin, **headers):
    reply = admin.get("/import-templates/members.xlsx", **headers)
    assert reply.status_code == 200, reply.text
    return load_workbook(io.BytesIO(reply.data))


def _take_right(database, organisation) -> None:
    state = organisation.role_state("administrator")
    state.version = 2
    state.permissions.remove(Permission.ORGANISATION_MANAGE)
    with database.transaction() as session:
        store.store_roles(session, [state])
