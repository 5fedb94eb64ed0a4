"""Custom fields, extended columns and the file of S0: how columns find their fields, and what the template offers."""

import io

import pytest
from openpyxl import load_workbook

from crm.customer.v1 import customer_service_pb2 as pb
from crm_import.kinds.customers import CUSTOMERS
from crm_import.kinds.s0_file import S0_FILES
from crm_import.mapping.rules import guess_mapping

CUSTOM = pb.ListCustomFieldsResponse(
    fields=[
        pb.CustomField(key="area", label_zh="面积", label_en="Area", kind="number"),
        pb.CustomField(
            key="hobby", label_zh="=爱好", label_en="Hobby", kind="multiple_choice", options=["高尔夫", "钓鱼"]
        ),
    ],
    options=[pb.FieldOptions(field="industry", labels=["教育/培训", "文化"])],
)


@pytest.mark.parametrize("file", S0_FILES)
def test_each_of_the_40_columns_of_an_s0_file_finds_its_field_in_any_order(file) -> None:
    headers, fields = zip(*file.fields, strict=True)

    assert len(headers) == 40
    assert guess_mapping(headers, CUSTOMERS) == list(fields)
    assert guess_mapping(headers[::-1], CUSTOMERS) == list(fields)[::-1]
    assert set(fields) - {None} <= CUSTOMERS.by_name.keys()


def test_half_an_s0_file_is_known_and_fewer_columns_mean_what_they_usually_do() -> None:
    (headers, _), ambiguous = zip(*S0_FILES[0].fields, strict=True), ["地址", "说明", "员工"]

    known = guess_mapping([*headers[:17], *ambiguous, "创建人", "面积"], CUSTOMERS)
    usual = guess_mapping(["名称", *ambiguous, "办公电话", "[账单地址]街道", "【送货地址】邮编"], CUSTOMERS)

    assert known[17:] == ["profile.address", "profile.description", "profile.employees", None, None]
    assert usual[1:] == [
        "address_detail",
        "remark",
        "employee_count",
        "contact.phone",
        "profile.billing_street",
        "profile.shipping_postcode",
    ]


def test_custom_fields_are_guessed_offered_and_mapped(sales, customers, workbook) -> None:
    customers[0].custom_fields = CUSTOM

    job = sales.upload(workbook(["客户名称", "面积", "custom.hobby", "Area"], ["甲", 120, "钓鱼", ""])).json

    assert [column["field"] for column in job["columns"]] == ["name", "custom.area", "custom.hobby", None]
    assert [column["field_label"] for column in job["columns"]] == ["客户名称", "面积", "=爱好", None]
    offered = {field["name"]: field for field in job["fields"]}
    assert offered["custom.area"] == {"name": "custom.area", "label": "面积", "required": False}
    assert (offered["name"]["required"], offered["profile.fax"]["label"]) == (True, "传真")
    assert job["custom_fields_known"]
    remapped = sales.patch(
        job, mapping=[{"column": 0, "field": "name"}, {"column": 3, "field": "custom.area"}], match_fields=["name"]
    )
    assert [column["field"] for column in remapped.json["columns"]] == ["name", None, None, "custom.area"]
    listed = sales.get("/imports").json["items"][0]
    assert "fields" not in listed
    assert listed["columns"][3]["field_label"] == "面积"


def test_a_required_custom_field_needs_a_column_unless_known_customers_are_updated(sales, customers, workbook) -> None:
    customers[0].custom_fields = pb.ListCustomFieldsResponse(
        fields=[pb.CustomField(key="area", label_zh="面积", label_en="Area", kind="number", required=True)]
    )
    job = sales.upload(workbook(["客户名称"], ["甲"])).json

    refused = sales.post(job, "start")
    updating = sales.patch(job, mode="create_and_update", match_fields=["name"]).json
    started = sales.post(updating, "start")

    assert (refused.status_code, refused.json["detail"]) == (422, "必选字段未映射：面积")
    # 张三 may import, and create and change customers: nothing else is in the way.
    assert started.status_code == 200


def test_while_customer_is_away_a_file_is_read_without_custom_fields_and_that_is_said(
    sales, customers, workbook
) -> None:
    customers[0].custom_fields = None
    content = workbook(["客户名称", "面积"], ["甲", 120])

    job = sales.upload(content).json
    template = sales.get("/import-templates/customers.xlsx")

    assert (job["custom_fields_known"], job["columns"][1]["field"]) == (False, None)
    first = load_workbook(io.BytesIO(template.data))["填写说明"]["A1"].value
    assert "自定义字段" in first
    customers[0].custom_fields = CUSTOM
    mapping = [{"column": 0, "field": "name"}, {"column": 1, "field": "custom.area"}]
    again = sales.patch(job, mapping=mapping).json
    assert (again["custom_fields_known"], again["columns"][1]["field"]) == (True, "custom.area")


def test_customer_is_asked_for_custom_fields_for_files_of_customers_alone(sales, customers, workbook) -> None:
    content = workbook(["客户名称", "联系人姓名", "跟进内容"], ["甲", "李", "谈过"])
    asked = []
    for kind, fields in (
        ("contacts", ("customer", "name")),
        ("activities", ("customer", "content")),
        ("customers", ("name",)),
    ):
        job = sales.upload(content, query=f"?kind={kind}").json
        mapping = [{"column": column, "field": field} for column, field in enumerate(fields)]
        assert sales.patch(job, mapping=mapping).json["custom_fields_known"]
        asked.append(customers[0].fields_asked)

    assert asked == [0, 0, 2]


def test_a_custom_field_that_the_importer_does_not_see_cannot_be_mapped(sales, customers, workbook) -> None:
    job = sales.upload(workbook(["客户名称", "面积"], ["甲", 120])).json

    reply = sales.patch(job, mapping=[{"column": 0, "field": "name"}, {"column": 1, "field": "custom.area"}])

    assert (reply.status_code, reply.json["errors"][0]["code"]) == (422, "unknown_field")


def test_the_template_has_the_members_custom_fields_and_the_options_of_today(sales, customers) -> None:
    customers[0].custom_fields = CUSTOM

    book = load_workbook(io.BytesIO(sales.get("/import-templates/customers.xlsx", Accept_Language="zh").data))

    rows = book["客户"]
    header = [cell.value for cell in rows[1]]
    assert header[-2:] == ["面积", "=爱好"]
    assert rows.cell(1, len(header)).data_type == "s"
    assert [cell.value for cell in book["options"]["B"]][:3] == ["教育/培训", "文化", None]
    choices = {str(item.sqref): item for item in rows.data_validations.dataValidation}
    letter = rows.cell(1, len(header)).column_letter
    assert choices[f"{letter}2:{letter}5001"].formula1 == f"options!${letter}$1:${letter}$2"
    assert not choices[f"{letter}2:{letter}5001"].showErrorMessage, "several may be written into one cell"
    explained = [[cell.value for cell in row] for row in book["填写说明"].iter_rows(min_row=2)]
    assert explained[-1] == [
        "=爱好",
        "否",
        "须与系统中的选项一致；多个选项用分号、逗号或顿号隔开",
        "高尔夫、钓鱼",
    ]
    assert "标签" in header
    assert "传真" not in header, "extended columns are hidden at first (X-19)"


def test_rows_carry_custom_fields_and_extended_columns_to_customer(running, workbook) -> None:
    running.customers.custom_fields = CUSTOM
    job = running.member.upload(workbook(["客户名称", "面积", "传真"], ["甲", 120.5, "025-1"])).json
    running.member.post(job, "start")

    with running.workers():
        done = running.ended(job)

    assert (done["status"], done["created"]) == ("finished", 1)
    (texts,) = running.customers.sent
    assert texts == {"name": "甲", "custom.area": "120.5", "profile.fax": "025-1"}
