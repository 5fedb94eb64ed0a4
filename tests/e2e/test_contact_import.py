"""Contacts and follow-up records out of files, through the gateway alone: written, exported, imported again, undone."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.identifiers import new_id
from highsea_local.demo import steps
from highsea_local.demo.gateway import Person, until
from tests.support.whole import Whole

pytestmark = pytest.mark.system


def _file(*rows: tuple[str, ...]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def _imported(person: Person, kind: str, content: bytes, **settings: Any) -> Any:
    job = person.upload(f"/imports?kind={kind}", f"{kind}.csv", content)
    return steps.run_import(person, job, settings, errors=False).job


def _exported(person: Person, kind: str, ids: list[str]) -> bytes:
    job = person.post("/exports", {"kind": kind, "format": "csv", "ids": ids})
    ended = until(lambda: (now := person.get(f"/exports/{job['id']}"))["finished_at"] and now)
    assert ended["status"] == "finished", ended
    return person.download(person.post(f"/exports/{job['id']}:ticket")["url"].removeprefix("/api/v1"))


def _records(person: Person, job: Any) -> list[str]:
    rows = person.get(f"/imports/{job['id']}/rows", outcome="created", page_size=200)["items"]
    return [row["record_id"] for row in rows]


def _undone(person: Person, job: Any) -> Any:
    person.post(f"/imports/{job['id']}:undo")
    return until(lambda: (now := person.get(f"/imports/{job['id']}"))["status"] == "undone" and now)


def test_contacts_are_imported_exported_imported_again_and_undone(whole: Whole) -> None:
    person, mark = whole.person("operations"), new_id().hex[-8:]
    company = person.post("/customers", {"name": f"华夏{mark}"})
    file = _file(
        ("公司名称", "姓名", "手机", "出生日期", "分组", "备注"),
        (f"华夏{mark}", "王芳", "138 0013 8000", "1990年2月28日", "决策人", "=1+1，\n第二行"),
        (f"华夏{mark}", "李雷", "12345", "", "", ""),
        ("没有这家", "韩梅梅", "", "", "", ""),
    )

    job = _imported(person, "contacts", file)

    assert (job["created"], job["failed"]) == (1, 2)
    (contact_id,) = _records(person, job)
    contact = person.get(f"/contacts/{contact_id}")
    assert (contact["mobile"], contact["birthday"], contact["customer"]["id"]) == (
        "13800138000",
        "1990-02-28",
        company["id"],
    )
    again = _imported(
        person,
        "contacts",
        _exported(person, "contacts", [contact_id]),
        mode="create_and_update",
        match_fields=["id"],
        clear_empty=True,
    )
    assert (again["updated"], again["total"]) == (1, 1)
    assert person.get(f"/contacts/{contact_id}") == contact

    assert (_undone(person, job)["undo"]["undone"], person.get(f"/customers/{company['id']}/contacts")["items"]) == (
        1,
        [],
    )


def test_follow_ups_are_imported_move_the_clock_and_are_undone(whole: Whole) -> None:
    person, mark = whole.person("operations"), new_id().hex[-8:]
    company = person.post("/customers", {"name": f"华夏{mark}", "contact": {"name": "王芳"}})
    file = _file(
        ("客户名称", "跟进内容", "跟进方式", "跟进时间", "下次联系时间"),
        (f"华夏{mark}", "谈了报价", "电话", "2026-01-05 15:05", "2026-01-09"),
        (company["id"], "签了合同", "上门拜访", "2026/1/9 10:00", ""),
        (f"华夏{mark}", "将来的事", "电话", "2999-01-01", ""),
    )

    job = _imported(person, "activities", file)

    assert (job["created"], job["failed"]) == (2, 1)
    items = person.get("/activities", customer_id=company["id"])["items"]
    assert [(one["content"], one["method"]) for one in items] == [("签了合同", "visit"), ("谈了报价", "phone")]
    touched = datetime(2026, 1, 9, 2, tzinfo=UTC)
    known = "SELECT last_touch_at FROM customers WHERE id = %s"
    until(lambda: whole.rows("pool", known, [company["id"]]) == [{"last_touch_at": touched}])
    again = _imported(person, "activities", _exported(person, "activities", [one["id"] for one in items]))
    assert (again["skipped"], again["total"]) == (2, 2)

    assert _undone(person, job)["undo"]["undone"] == 2
    assert person.get("/activities", customer_id=company["id"])["items"] == []
