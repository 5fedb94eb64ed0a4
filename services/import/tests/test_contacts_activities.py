"""Importing contacts and follow-up records: the same way as customers, with fields of their own (D-03, D-04)."""

import io

import pytest
from openpyxl import load_workbook

from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm_import.kinds.activities import ACTIVITIES
from crm_import.kinds.contacts import CONTACTS
from crm_import.mapping.rules import guess_mapping

CONTACTS_HEADER = ("公司名称", "姓名", "手机号码", "邮编", "出生日期", "分组")
ACTIVITIES_HEADER = ("客户名称", "跟进内容", "跟进方式", "跟进日期", "跟进人", "下次跟进时间")


def _imported(running, kind, *rows, **settings):
    job = running.member.uploaded_as(kind, *rows)
    if settings:
        reply = running.member.patch(job, **settings)
        assert reply.status_code == 200, reply.text
        job = reply.json
    assert running.member.post(job, "start").status_code == 200
    with running.workers():
        return running.ended(job)


def _results(running, job):
    return running.member.get(f"/imports/{job['id']}/rows").json["items"]


def test_a_file_of_contacts_is_mapped_and_every_row_is_written_by_customer(running) -> None:
    header = (*CONTACTS_HEADER, "尊称")
    job = _imported(
        running,
        "contacts",
        header,
        ["华夏", "王芳", 13800138000.0, 310020, "2026年1月5日", "决策人", "女士"],
        ["坏公司", "李雷", "", "", "", "", ""],
        match_fields=["id", "email", "mobile", "name"],
    )

    (request,) = running.customers.requests
    assert (job["kind"], job["status"], job["created"], job["failed"]) == ("contacts", "finished", 1, 1)
    assert type(request) is pb.BulkWriteContactsRequest
    assert (request.mode, list(request.match_fields)) == (rows_pb.IMPORT_MODE_CREATE_ONLY, ["mobile", "name"])
    assert running.customers.sent[0] == {
        "customer": "华夏",
        "name": "王芳",
        "mobile": "13800138000",
        "postcode": "310020",
        "birthday": "2026-01-05",
        "contact_group": "决策人",
        "salutation": "女士",
    }
    failed = _results(running, job)[1]
    assert failed["problems"][0]["message"] == (
        "第3行 所属客户：没有客户“坏公司”，或不在您的权限范围内。请填写客户的完整名称或编号"
    )


def test_namesakes_of_different_customers_are_no_repeats(running) -> None:
    job = _imported(
        running,
        "contacts",
        CONTACTS_HEADER,
        ["华夏", "王芳", "13800138000", "", "", ""],
        ["春松", "王芳", "13800138000", "", "", ""],
        ["华 夏", "王芳", "", "", "", ""],
        ["华夏", "李雷", "+86 13800138000", "", "", ""],
    )

    assert (job["created"], job["skipped"]) == (2, 2)
    told = [(row["problems"][0]["field"], row["problems"][0]["code"]) for row in _results(running, job)[2:]]
    assert told == [("name", "repeated_in_file"), ("mobile", "repeated_in_file")]


def test_contacts_are_updated_by_their_id_without_their_customer(running) -> None:
    job = running.member.uploaded_as("contacts", ["ID", "手机"], ["01a21834-d1fc-7457-b52c-8b5cd10d60f3", "1"])
    assert running.member.post(job, "start").json["code"] == "required_not_mapped"

    updating = running.member.patch(job, mode="create_and_update", match_fields=["mobile"]).json
    refused = running.member.post(updating, "start")
    assert (refused.status_code, refused.json["code"]) == (422, "match_field_not_mapped")
    by_id = running.member.patch(updating, match_fields=["mobile", "id"]).json
    assert running.member.post(by_id, "start").status_code == 200


def test_a_file_of_follow_ups_is_mapped_and_every_row_is_written_by_customer(running) -> None:
    job = _imported(
        running,
        "activities",
        ACTIVITIES_HEADER,
        ["华夏", "谈了报价", "电话", "2026/1/5 下午3:05", "张三", "2026年1月9日"],
        ["华夏", "谈了报价", "电话", "2026/1/5 下午3:05", "张三", "2026年1月9日"],
    )

    (request,) = running.customers.requests
    assert (job["status"], job["created"], job["match_fields"]) == ("finished", 2, [])
    assert type(request) is pb.BulkWriteActivitiesRequest
    assert running.customers.sent[0] == {
        "customer": "华夏",
        "content": "谈了报价",
        "method": "电话",
        "at": "2026-01-05 15:05:00",
        "member": "张三",
        "next_contact_on": "2026-01-09",
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "create_and_update"},
        {"match_fields": ["customer"]},
        {"clear_empty": True},
        {"mobile_required": True},
        {"target_pool_id": "01a21834-d1fc-7457-b52c-8b5cd10d60f3"},
    ],
)
def test_follow_ups_have_no_settings_but_how_they_are_read(sales, settings) -> None:
    job = sales.uploaded_as("activities", ACTIVITIES_HEADER, ["华夏", "谈过", "", "", "", ""])

    refused = sales.patch(job, **settings)

    assert (refused.status_code, [(one["pointer"], one["code"]) for one in refused.json["errors"]]) == (
        422,
        [(f"/{next(iter(settings))}", "not_of_this_kind")],
    )
    harmless = {"mode": "create_only", "match_fields": [], "clear_empty": False}
    assert sales.patch(job, **harmless).status_code == 200


@pytest.mark.parametrize("kind", ["contacts", "activities"])
def test_the_template_offers_the_options_of_today_and_fits_the_kind(sales, customers, kind) -> None:
    customers[0].custom_fields = pb.ListCustomFieldsResponse(
        options=[
            pb.FieldOptions(field="contact_group", labels=["老板", "财务"]),
            pb.FieldOptions(field="follow_up_method", labels=["视频会议"]),
        ]
    )
    offered = {"contacts": "老板、财务", "activities": "视频会议"}[kind]
    fixed = {"contacts": "决策人、影响人、使用人", "activities": "电话、邮件、上门拜访、短信、活动"}[kind]
    path = f"/import-templates/{kind}.xlsx"

    book = load_workbook(io.BytesIO(sales.get(path, Accept_Language="zh").data))

    titles = [cell.value for cell in book.worksheets[0][1]]
    assert sales.uploaded_as(kind, titles, ["x"] * len(titles))["mapping"] == [
        {"column": index, "field": field.name}
        for index, field in enumerate(
            field for field in {"contacts": CONTACTS, "activities": ACTIVITIES}[kind].fields if field.in_template
        )
    ]
    assert offered in [row[3] for row in book["填写说明"].values]

    customers[0].custom_fields = None
    book = load_workbook(io.BytesIO(sales.get(path, Accept_Language="zh").data))
    assert fixed in [row[3] for row in book["填写说明"].values if len(row) > 3]
    assert "暂时无法读取" in str(book["填写说明"]["A1"].value)


@pytest.mark.parametrize(
    ("kind", "header", "field"),
    [
        (CONTACTS, "联系人姓名*", "name"),
        (CONTACTS, "Company Name", "customer"),
        (CONTACTS, "称呼", "salutation"),
        (CONTACTS, "联系人手机", "mobile"),
        (CONTACTS, "E-mail", "email"),
        (CONTACTS, "生日", "birthday"),
        (CONTACTS, "联系人负责人", "owner"),
        (CONTACTS, "客户编号", "customer"),
        (CONTACTS, "创建时间", None),
        (ACTIVITIES, "所属客户", "customer"),
        (ACTIVITIES, "跟单人员", "member"),
        (ACTIVITIES, "跟进日期", "at"),
        (ACTIVITIES, "下次联系时间", "next_contact_on"),
        (ACTIVITIES, "跟进的方式", "method"),
        (ACTIVITIES, "Next contact date", "next_contact_on"),
        (ACTIVITIES, "ID", None),
    ],
)
def test_usual_headers_are_recognised(kind, header, field) -> None:
    assert guess_mapping([header], kind) == [field]
