"""Members out of a workbook, through the gateway alone: the right people, each reason, nothing twice."""

import io
from dataclasses import dataclass
from typing import Any

import openpyxl
import pytest

from chassis.identifiers import new_id
from highsea_local.demo import steps
from highsea_local.demo.gateway import Person, Refused, until
from highsea_local.demo.seed import PASSWORD
from tests.support.whole import Whole, owner_of

pytestmark = pytest.mark.system
HEADER = ("登录名", "姓名", "邮箱", "手机", "部门", "角色", "语言")


@dataclass(frozen=True)
class People:
    """60 people for departments of their own: `east` below Shanghai, `south` below Shenzhen, `twice` below both."""

    mark: str
    east: str
    south: str
    twice: str
    rows: list[list[str]]


def _workbook(*rows: list[str]) -> bytes:
    book: Any = openpyxl.Workbook()
    for row in (HEADER, *rows):
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _import(person: Person, content: bytes, mode: str = "create_only") -> steps.Imported:
    job = person.upload("/imports?kind=members", "成员.xlsx", content)
    return steps.run_import(person, job, {"mode": mode})


@pytest.fixture(scope="module")
def people(whole: Whole) -> People:
    admin, mark = whole.person("administrator"), new_id().hex[-8:]
    known = {one["name"]: one["id"] for one in admin.get("/departments", page_size=200)["items"]}
    east, south, twice = (f"{name}{mark}" for name in ("东组", "南组", "外勤组"))
    for name, above in ((east, "上海销售部"), (south, "深圳销售部"), (twice, "上海销售部"), (twice, "深圳销售部")):
        admin.post("/departments", {"name": name, "parent_id": known[above]})
    rows = [
        [f"p{mark}.{number}", f"新人{number}", f"p{mark}.{number}@example.test", "13800138000", east, "销售", ""]
        for number in range(60)
    ]
    rows[3][4] = "火星部"
    rows[14][4] = twice
    rows[25][2] = "不是邮箱"
    rows[36][5] = "销售、船长"
    rows[47][1] = ""
    return People(mark, east, south, twice, rows)


@pytest.fixture(scope="module")
def imported(whole: Whole, people: People) -> steps.Imported:
    """The workbook, imported once by the administrator."""
    return _import(whole.person("administrator"), _workbook(*people.rows))


def _rows(whole: Whole, done: steps.Imported, outcome: str) -> list[dict[str, Any]]:
    path = f"/imports/{done.job['id']}/rows"
    return list(whole.person("administrator").get(path, outcome=outcome, page_size=200)["items"])


def test_55_of_60_are_created_and_the_others_told_why(whole: Whole, people: People, imported: steps.Imported) -> None:
    job = imported.job

    failed = _rows(whole, imported, "failed")

    assert (job["status"], job["total"], job["created"], job["failed"]) == ("finished", 60, 55, 5)
    assert [(row["row_number"], row["problems"][0]["code"], row["problems"][0]["value"]) for row in failed] == [
        (5, "unknown_department", "火星部"),
        (16, "ambiguous_department", people.twice),
        (27, "email_invalid", "不是邮箱"),
        (38, "unknown_role", "船长"),
        (49, "missing", ""),
    ]
    assert failed[4]["problems"][0]["message"] == "第49行 姓名：请填写姓名"
    admin = whole.person("administrator")
    member = admin.get(f"/members/{_rows(whole, imported, 'created')[0]['record_id']}")
    assert (member["login"], member["name"], member["phone"]) == (f"p{people.mark}.0", "新人0", "13800138000")


def test_the_error_workbook_that_was_corrected_imports_the_others(
    whole: Whole, people: People, imported: steps.Imported
) -> None:
    book: Any = openpyxl.load_workbook(io.BytesIO(imported.error_workbook))
    for row in range(2, 7):
        book.active.cell(row, 1, f"q{people.mark}.{row}")  # whoever imports the same file again finds it as it was
        for column, text in ((2, "改好了"), (3, f"q{people.mark}.{row}@example.test"), (5, people.east), (6, "销售")):
            book.active.cell(row, column, text)
    content = io.BytesIO()
    book.save(content)

    again = _import(whole.person("administrator"), content.getvalue())

    assert (again.job["created"], again.job["failed"]) == (5, 0)


def test_the_same_file_again_creates_nobody_twice(whole: Whole, people: People, imported: steps.Imported) -> None:
    again = _import(whole.person("administrator"), _workbook(*people.rows))

    assert (again.job["created"], again.job["skipped"], again.job["failed"]) == (0, imported.job["created"], 5)
    assert {row["problems"][0]["code"] for row in _rows(whole, again, "skipped")} == {"member_exists"}


def test_an_update_moves_a_member_and_the_lists_of_customers_follow(
    whole: Whole, people: People, imported: steps.Imported
) -> None:
    admin, mover = whole.person("administrator"), _rows(whole, imported, "created")[-1]["record_id"]
    (customer,) = whole.customers_in_pool([f"随人走{people.mark}"])
    shanghai, south = whole.person("supervisor", 1), whole.person("supervisor", 2)
    until(lambda: admin.post("/assignments:assign", {"customer_ids": [customer], "member_ids": [mover]}))
    until(lambda: owner_of(shanghai.get(f"/customers/{customer}")) == mover)

    moved = _import(admin, _workbook([*people.rows[59][:4], people.south, *people.rows[59][5:]]), "create_and_update")

    assert (moved.job["updated"], moved.job["failed"]) == (1, 0)
    assert owner_of(until(lambda: south.get(f"/customers/{customer}"))) == mover
    with pytest.raises(Refused) as refused:
        shanghai.get(f"/customers/{customer}")
    assert refused.value.status == 404


def test_a_supervisor_imports_no_members(whole: Whole, people: People) -> None:
    with pytest.raises(Refused) as refused:
        whole.person("supervisor").upload("/imports?kind=members", "成员.xlsx", _workbook(people.rows[0]))

    assert (refused.value.status, refused.value.code) == (403, "forbidden")


def test_an_imported_member_gets_in_by_a_link_alone(whole: Whole, people: People, imported: steps.Imported) -> None:
    admin, gateway = whole.person("administrator"), whole.system.gateway_url
    member = _rows(whole, imported, "created")[1]
    login, password = f"p{people.mark}.1", "an-own-password-9"
    with pytest.raises(Refused) as refused:
        Person(gateway, login, PASSWORD)
    assert refused.value.status == 401

    [made] = admin.post("/members:invite", {"member_ids": [member["record_id"]]})["results"]
    Person.set_password(gateway, made["password_link"], password)

    assert Person(gateway, login, password).id == member["record_id"]
