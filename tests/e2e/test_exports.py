"""What is exported is imported again without a change (E-09), through the gateway alone."""

import csv
import io
from typing import Any

import openpyxl
import pytest

from chassis.identifiers import new_id
from highsea_local.demo import steps
from highsea_local.demo.gateway import Person, until
from tests.support.whole import Whole

pytestmark = pytest.mark.system
UGLY: dict[str, Any] = {
    "address_detail": '说 "好",\n第二行；第三',
    "remark": "'+86 138 👨‍👩‍👧 𠮷 1.38E+10",
    "wechat_nickname": "@x",
    "postcode": "010010",
    "province": "内蒙古自治区",
    "city": "呼和浩特市",
    "industry": "education",
    "rating": 3,
    "kind": "individual",
    "annual_turnover": "120000",
    "profile": {
        "website": "https://a.cn/?a=1&b=%20",
        "non_primary_emails": "a@b.cn;c@d.cn",
        "employees": "200",
        "latitude": "-31.2",
        "description": "=cmd|' /C calc'!A0",
        "phone_office": "0086-025-88886666",
        "sic_code": "0139",
        "ticker_symbol": "600000",
    },
}


def _exported(person: Person, **body: Any) -> tuple[Any, bytes]:
    """The view of an export that has ended, and its file."""
    job = person.post("/exports", {"kind": "customers"} | body)
    ended = until(lambda: (now := person.get(f"/exports/{job['id']}"))["finished_at"] and now)
    assert ended["status"] == "finished", ended
    url = person.post(f"/exports/{job['id']}:ticket")["url"]
    return ended, person.download(url.removeprefix("/api/v1"))


def _rows(content: bytes, file_format: str) -> list[dict[str, str]]:
    if file_format == "csv":
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    header, *rows = openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)
    return [dict(zip(map(str, header), (str(cell or "") for cell in row), strict=True)) for row in rows]


@pytest.mark.parametrize("file_format", ["xlsx", "csv"])
def test_what_is_exported_is_imported_again_without_a_change(whole: Whole, file_format: str) -> None:
    person, mark = whole.person("operations"), new_id().hex
    admin = whole.person("administrator")
    field = admin.post("/fields", {"zh": f"流水{mark}", "en": f"Serial {mark}", "kind": "text"})
    custom = {field["key"].removeprefix("custom."): "000123456789012345678"}
    contact = {"name": f"-李{mark[:9]}", "phone": "+8602512345678", "qq": "00123", "email": f"{mark[:9]}@example.cn"}
    made = [
        person.post("/customers", {**UGLY, "name": f"{start}{mark}", "contact": contact, "custom": custom})
        for start in ("=1+1", "00138", "𠮷", "'=", '"', "2026-11-26 ")
    ]

    job, content = _exported(person, format=file_format, filter={"search": mark})

    assert (job["rows"], job["left_out"], job["file_bytes"]) == (len(made), 0, len(content))
    rows = _rows(content, file_format)
    assert {row["ID"] for row in rows} == {one["id"] for one in made}
    assert {row[f"流水{mark}"] for row in rows} == {"000123456789012345678"}
    assert not [text for row in rows for text in row.values() if text.startswith(("=", "+", "-", "@"))]

    uploaded = person.upload("/imports", job["file_name"], content)
    unmapped = [column["header"] for column in uploaded["columns"] if column["field"] is None]
    assert unmapped == ["客户池", "创建人", "创建时间", "修改时间", "最后跟进时间"]
    settings = {"mode": "create_and_update", "match_fields": ["id"], "clear_empty": True}
    done = steps.run_import(person, uploaded, settings)

    assert (done.job["updated"], done.job["total"]) == (len(made), len(made)), person.get(
        f"/imports/{done.job['id']}/rows"
    )
    assert [person.get(f"/customers/{one['id']}")["version"] for one in made] == [one["version"] for one in made]
    notice = until(lambda: _told(person, job))
    assert notice["title"] == f"导出完成：{job['file_name']}"


def _told(person: Person, job: Any) -> Any:
    items = person.get("/notifications", page_size=50)["items"]
    return next((one for one in items if (one["subject"] or {}).get("id") == job["id"]), None)


def test_exported_contacts_and_follow_ups_come_back_without_a_change(whole: Whole) -> None:
    person, mark = whole.person("operations"), new_id().hex
    customer = person.post("/customers", {"name": f"=客户{mark}"})
    contacts = [
        person.post("/contacts", {"name": f"{start}{mark[:20]}", "customer_id": customer["id"], **more})
        for start, more in (
            (
                "-李",
                {
                    "mobile": "13800138000",
                    "qq": "00123",
                    "remark": "'=1\n二",
                    "birthday": "1990-01-05",
                    "birthday_is_lunar": True,
                },
            ),
            ("𠮷", {"phone": "+8602512345678", "address": '"路", 1号', "postcode": "010010", "salutation": "女士"}),
        )
    ]
    follow_up = {
        "customer_id": customer["id"],
        "kind": "follow_up",
        "method": "phone",
        "content": "@老板\n=1+1，谈好了",
    }
    person.post("/activities", follow_up)
    wanted = {"filter": {"search": mark}}

    _, content = _exported(person, kind="contacts", format="csv", **wanted)
    uploaded = person.upload("/imports?kind=contacts", "联系人.csv", content)
    settings = {"mode": "create_and_update", "match_fields": ["id"], "clear_empty": True}
    done = steps.run_import(person, uploaded, settings).job
    assert (done["updated"], done["total"]) == (2, 2)
    assert [person.get(f"/contacts/{one['id']}")["version"] for one in contacts] == [one["version"] for one in contacts]

    _, content = _exported(person, kind="activities", **wanted)
    done = steps.run_import(person, person.upload("/imports?kind=activities", "跟进记录.xlsx", content), {}).job
    assert (done["skipped"], done["total"]) == (1, 1)
    assert person.get("/activities", customer_id=customer["id"])["total"] == 1


def test_sales_export_nothing_and_a_lead_nothing_of_a_pool(whole: Whole) -> None:
    lead, mark = whole.person("supervisor"), new_id().hex
    pool = steps.public_pool(lead)
    whole.person("operations").post("/customers", {"name": f"公海{mark}", "pool_id": pool["id"]})
    until(lambda: lead.get("/customers", search=mark)["items"])

    job, content = _exported(lead, format="csv", filter={"search": mark})

    assert (job["rows"], job["left_out"], _rows(content, "csv")) == (0, 1, [])
    with pytest.raises(steps.Refused) as refused:
        lead.post("/exports", {"kind": "customers", "pool_id": pool["id"]})
    assert (refused.value.status, refused.value.code) == (403, "pool_administrators_only")
    with pytest.raises(steps.Refused) as refused:
        whole.person("sales").post("/exports", {"kind": "customers", "filter": {}})
    assert refused.value.status == 403
