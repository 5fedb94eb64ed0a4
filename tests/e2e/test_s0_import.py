"""The customers' file of S0 with its 40 columns (T-1), and a custom field, through the gateway alone."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest

from chassis.identifiers import new_id
from highsea_local.demo import steps
from highsea_local.demo.gateway import Person
from tests.support.whole import Whole, owner_of

pytestmark = pytest.mark.system
HEADERS = (
    "名称", "ID", "网址", "Email 地址", "非主邮件地址", "办公电话", "其他电话", "传真", "[账单地址]街道", "[账单地址]城市",
    "[账单地址]省份", "[账单地址]邮编", "[账单地址]国家", "[送货地址]街道", "[送货地址]城市", "[送货地址]省份", "[送货地址]邮编",
    "[送货地址]国家", "说明", "类型", "行业", "年收入", "员工", "标准行业代码", "股票代码", "上级客户 ID", "所有权",
    "营销活动 ID", "评分", "负责人", "负责人 ID", "创建日期", "修改日期", "修改人", "创建人", "已删除", "地址", "地理编码状态",
    "纬度", "经度",
)  # fmt: skip
PROFILE = {
    "网址": ("website", "https://www.example.com/关于我们?a=1&b=%20#x"),
    "Email 地址": ("email", "info@example.com.cn"),
    "办公电话": ("phone_office", "+86 (025) 8888-6666"),
    "其他电话": ("phone_alternate", "400-800-1234"),
    "传真": ("fax", "025-88886667"),
    "[账单地址]街道": ("billing_street", "中山路１号，“老楼” 3F"),
    "[账单地址]城市": ("billing_city", "南京"),
    "[账单地址]省份": ("billing_province", "江苏"),
    "[账单地址]邮编": ("billing_postcode", "010000"),
    "[账单地址]国家": ("billing_country", "中国"),
    "[送货地址]街道": ("shipping_street", "1 Main Street; Suite 5"),
    "[送货地址]城市": ("shipping_city", "London"),
    "[送货地址]省份": ("shipping_province", "Greater London"),
    "[送货地址]邮编": ("shipping_postcode", "SW1A 1AA"),
    "[送货地址]国家": ("shipping_country", "United Kingdom"),
    "说明": ("description", '第一行\n第二行，带"引号"和,逗号'),
    "年收入": ("annual_revenue", "100000000"),
    "标准行业代码": ("sic_code", "0139"),
    "股票代码": ("ticker_symbol", "600000.SH"),
    "所有权": ("ownership", "私有"),
    "营销活动 ID": ("campaign_id", "0190a7b2-0000-7000-8000-000000000001"),
    "地址": ("address", "南京市玄武区中山路1号"),
    "地理编码状态": ("geocode_status", "OK"),
    "纬度": ("latitude", "0.00000000"),
    "经度": ("longitude", "118.79690000"),
}


def _row(name: str, **changed: str) -> list[str]:
    """A row of the file with everything filled, but what is `changed` by header."""
    values = {header: written for header, (_, written) in PROFILE.items()} | {
        "名称": name,
        "ID": str(new_id()),
        "非主邮件地址": "a@example.com;b@example.com",
        "类型": "目标对象",
        "行业": "其他",
        "员工": "200",
        "评分": "3",
        "负责人": "张三",
        "负责人 ID": str(new_id()),
        "创建日期": "11/26/2026 09:30 am",
        "修改日期": "11/26/2026 09:30 pm",
        "修改人": str(new_id()),
        "创建人": str(new_id()),
        "已删除": "0",
    }
    return [(values | changed).get(header, "") for header in HEADERS]


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("gb18030")


def _xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    book: Any = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _imported(person: Person, file_name: str, content: bytes, **settings: Any) -> steps.Imported:
    job = person.upload("/imports", file_name, content)
    settings = {"mode": "create_only", "match_fields": ["name"]} | settings
    return steps.run_import(person, job, settings)


def _found(person: Person, name: str) -> Any:
    [item] = person.get("/customers", search=name)["items"]
    return person.get(f"/customers/{item['id']}")


@pytest.mark.parametrize(("file_name", "written"), [("客户.csv", _csv), ("客户.xlsx", _xlsx)])
def test_an_s0_file_is_read_back_as_it_was_written(whole: Whole, file_name: str, written: Any) -> None:
    person, mark = whole.person("operations"), new_id().hex
    parent = person.post("/customers", {"name": f"总公司{mark}"})
    owner = {"负责人": "", "负责人 ID": str(person.id)}
    rows = [
        _row(f"好{mark}", **owner, **{"上级客户 ID": parent["id"]}),
        _row(f"删{mark}", **owner, 已删除="1"),
        _row(f"坏{mark}", **owner, 行业="文化", 纬度="91", 网址="javascript:alert(1)", **{"[账单地址]邮编": "21000"}),
        _row(f"无主{mark}", 负责人=f"没有{mark}"),
        _row(f"上级{mark}", **owner, **{"上级客户 ID": str(new_id())}),
    ]

    done = _imported(person, file_name, written([HEADERS, *rows]))

    assert (done.job["created"], done.job["failed"], done.job["skipped"]) == (1, 4, 0)
    unmapped = [column["header"] for column in done.job["columns"] if column["field"] is None]
    assert unmapped == ["创建日期", "修改日期", "修改人", "创建人"]
    customer = _found(person, f"好{mark}")
    profile = customer["profile"]
    assert {name: profile[name] for name, _ in PROFILE.values()} == dict(PROFILE.values())
    assert profile["non_primary_emails"] == ["a@example.com", "b@example.com"]
    assert (profile["employees"], profile["parent"]["name"]) == (200, f"总公司{mark}")
    assert (customer["rating"], owner_of(customer)) == (3, person.id)
    options = person.get("/dictionaries")["dictionaries"]
    words = {
        field: next(option["zh"] for option in options[field] if option["key"] == customer[field])
        for field in ("customer_type", "annual_turnover", "employee_count")
    }
    assert words == {"customer_type": "目标对象", "annual_turnover": "50万以上", "employee_count": "50人以上"}
    failed = person.get(f"/imports/{done.job['id']}/rows", outcome="failed")["items"]
    assert [{problem["code"] for problem in row["problems"]} for row in failed] == [
        {"deleted_refused"},
        {"unknown_option", "out_of_range", "url_invalid"},
        {"unknown_owner"},
        {"parent_not_found"},
    ]


def test_a_custom_field_is_added_imported_and_seen(whole: Whole) -> None:
    admin, mark = whole.person("administrator"), new_id().hex
    field = admin.post("/fields", {"zh": f"面积{mark}", "en": f"Area {mark}", "kind": "number"})
    person = whole.person("operations")

    template: Any = openpyxl.load_workbook(io.BytesIO(person.download("/import-templates/customers.xlsx")))
    content = f"客户名称,面积{mark},传真\n宽敞{mark},120.5,025-1\n糊涂{mark},很大,025-2\n".encode()
    done = _imported(person, "客户.csv", content)

    assert f"面积{mark}" in [cell.value for cell in template.active[1]]
    assert (done.job["created"], done.job["failed"]) == (1, 1)
    customer = _found(person, f"宽敞{mark}")
    key = field["key"].removeprefix("custom.")
    assert (customer["custom"][key], customer["profile"]["fax"]) == (120.5, "025-1")
    [row] = person.get(f"/imports/{done.job['id']}/rows", outcome="failed")["items"]
    assert row["problems"][0]["message"] == f"第3行 面积{mark}：请填写数字"
