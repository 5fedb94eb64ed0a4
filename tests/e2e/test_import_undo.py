"""An import is undone through the gateway alone: what nobody has touched is as before, in pool and in lists, too."""

from typing import Any

import pytest

from chassis.identifiers import new_id
from highsea_local.demo import steps
from highsea_local.demo.gateway import Person, until
from tests.support.whole import Whole

pytestmark = pytest.mark.system


def _undone(person: Person, job: Any) -> Any:
    """The view of an import that has been undone."""
    person.post(f"/imports/{job['id']}:undo")
    return until(lambda: (now := person.get(f"/imports/{job['id']}"))["status"] == "undone" and now)


def _mobile(mark: str, place: int = 0) -> str:
    return f"13{(int(mark[-8:], 16) + place) % 10**9:09d}"


def _found(person: Person, mark: str) -> dict[str, Any]:
    return {one["name"].removesuffix(mark): one for one in person.get("/customers", search=mark)["items"]}


def test_what_somebody_has_taken_or_touched_stays_and_the_rest_is_as_before(whole: Whole) -> None:
    person, sales, mark = whole.person("operations"), whole.person("sales"), new_id().hex
    pool = steps.public_pool(person)
    known = person.post("/customers", {"name": f"老{mark}", "rating": 1, "contact": {"mobile": "13800138000"}})
    content = (
        f"客户名称,评分,手机\n老{mark},三星,13900139000\n领走{mark},,13800000001\n没人碰{mark},,13800000002\n".encode()
    )
    settings = {"mode": "create_and_update", "match_fields": ["name"], "target_pool_id": pool["id"]}
    job = steps.run_import(person, person.upload("/imports", "客户.csv", content), settings).job
    assert (job["created"], job["updated"], job["undo"]["possible"]) == (2, 1, True)
    made = until(lambda: len(found := _found(sales, mark)) == 2 and found)
    steps.placed(sales, [made["领走"]["id"]])
    steps.claim(sales, [made["领走"]["id"]])

    undone = _undone(person, job)

    assert (undone["undo"]["undone"], undone["undo"]["left"]) == (2, 1)
    [left] = person.get(f"/imports/{job['id']}/rows", undo="left")["items"]
    assert [one["code"] for one in left["undo_problems"]] == ["moved_since"]
    assert "已转给他人" in left["undo_problems"][0]["message"]
    restored = person.get(f"/customers/{known['id']}")
    assert (restored["rating"], restored["contact"]["mobile"]) == (1, "13800138000")
    assert until(lambda: set(_found(person, mark)) == {"老", "领走"})
    refused = steps.refused_claim(sales, made["没人碰"]["id"])
    assert refused.status in (404, 409)
    notice = until(lambda: _told(person, job, "导入已撤销"))
    assert "2 行已恢复到导入前，1 行因导入后又有改动而保留" in notice["text"]


def _told(person: Person, job: Any, title: str) -> Any:
    items = person.get("/notifications", page_size=50)["items"]
    of_job = (one for one in items if (one["subject"] or {}).get("id") == job["id"])
    return next((one for one in of_job if one["title"].startswith(title)), None)


def test_a_file_is_imported_again_after_its_undo_and_what_was_undone_can_be_restored(whole: Whole) -> None:
    person, mark = whole.person("operations"), new_id().hex
    content = f"客户名称,手机\n甲{mark},{_mobile(mark)}\n".encode()
    job = steps.run_import(person, person.upload("/imports", "客户.csv", content), {"mode": "create_only"}).job
    first = _found(person, mark)["甲"]["id"]

    _undone(person, job)
    again = steps.run_import(person, person.upload("/imports", "客户.csv", content), {"mode": "create_only"}).job

    assert again["created"] == 1
    second = until(lambda: (found := _found(person, mark)) and found["甲"]["id"])
    assert second != first
    person.post(f"/customers/{first}:restore")
    assert until(lambda: person.get(f"/customers/{first}")["owner"])


def test_follow_ups_contacts_and_customers_are_undone_in_turn(whole: Whole) -> None:
    person, mark = whole.person("operations"), new_id().hex
    files = {
        "customers": f"客户名称,手机\n甲{mark},{_mobile(mark)}\n",
        "contacts": f"姓名,所属客户,手机\n王芳,甲{mark},{_mobile(mark, 1)}\n",
        "activities": f"客户,跟进内容,跟进方式,跟进时间\n甲{mark},谈过,电话,2026-11-01 09:00\n",
    }
    jobs = {}
    for kind, text in files.items():
        uploaded = person.upload(f"/imports?kind={kind}", f"{kind}.csv", text.encode())
        jobs[kind] = steps.run_import(person, uploaded, {}).job
        assert jobs[kind]["created"] == 1, person.get(f"/imports/{jobs[kind]['id']}/rows")
    kept = _undone(person, jobs["customers"])
    assert kept["undo"]["left"] == 1

    for kind in ("activities", "contacts", "customers"):
        assert _undone(person, jobs[kind])["undo"]["undone"] == 1, person.get(f"/imports/{jobs[kind]['id']}/rows")

    assert until(lambda: not _found(person, mark))
    deleted = person.get("/customers", search=mark, view="deleted")["items"]
    assert [one["name"] for one in deleted] == [f"甲{mark}"]
