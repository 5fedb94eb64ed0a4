"""A file is rehearsed, decided about, imported, put right and tried again, through the gateway alone."""

from typing import Any

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, Refused, until
from tests.support.whole import Whole, told

pytestmark = pytest.mark.system
COUNTS = ("created", "updated", "skipped", "failed")


def _counts(job: dict[str, Any]) -> list[int]:
    return [job[name] for name in COUNTS]


def _reached(person: Person, job: dict[str, Any], status: str) -> dict[str, Any]:
    return until(lambda: (now := person.get(f"/imports/{job['id']}"))["status"] == status and now)


def _written(whole: Whole, mark: str, owner: str) -> list[int]:
    """How much customer and pool hold of these rows, promises of places among it."""
    customers = "SELECT count(*) FROM customers WHERE name LIKE %s"
    places = "SELECT count(*) FROM assignments WHERE owner_id = %s"
    promises = "SELECT count(*) FROM planned_places WHERE owner_id = %s"
    return [
        whole.rows("customer", customers, [f"%{mark}%"])[0]["count"],
        whole.rows("pool", places, [owner])[0]["count"],
        whole.rows("pool", promises, [owner])[0]["count"],
    ]


def test_a_rehearsal_tells_what_the_import_then_does_and_failed_rows_are_put_right_on_the_page(whole: Whole) -> None:
    admin, mark = whole.person("administrator"), new_id().hex[-12:]
    mate = whole.hire("sales", f"新人{mark}")
    for path in ("/pools", "/customers", "/imports", "/notifications"):
        until(lambda path=path: mate.get(path))  # type: ignore[misc]
    admin.post("/pools/caps", {"cap": 2, "member_id": mate.id})
    known = admin.post("/customers", {"name": f"老客户{mark}", "remark": "旧"})
    rows = [
        [f"甲{mark}", "其他", f"新人{mark}", ""],
        [f"乙{mark}", "", f"新人{mark}", ""],
        [f"丙{mark}", "", f"新人{mark}", ""],
        [known["name"], "", "", "新"],
        [f"丁{mark}", "没有的行业", "", ""],
    ]
    content = "\n".join(",".join(row) for row in [["客户名称", "客户行业", "负责人", "备注"], *rows]).encode()
    before = _written(whole, mark, mate.id)
    job = admin.upload("/imports", "客户.csv", content)
    job = admin.patch(f"/imports/{job['id']}", {"mode": "ask", "match_fields": ["name"]}, job["version"])
    path = f"/imports/{job['id']}"

    admin.post(f"{path}:rehearse")
    rehearsed = _reached(admin, job, "rehearsed")

    assert _counts(rehearsed) == [2, 0, 1, 2]
    assert _written(whole, mark, mate.id) == before
    plans = admin.get(f"{path}/rehearsal")["items"]
    assert [[problem["code"] for problem in plan["problems"]] for plan in plans] == [
        [], [], ["holding_cap_reached"], [], ["unknown_option"],
    ]  # fmt: skip
    assert plans[2]["problems"][0]["value"] == f"新人{mark}"
    assert (plans[3]["record_id"], plans[3]["decision"]) == (known["id"], "undecided")
    assert [(one["field"], one["before"], one["after"]) for one in plans[3]["changes"]] == [("remark", "旧", "新")]
    with pytest.raises(Refused) as refused:
        admin.post(f"{path}:start")
    assert refused.value.code == "rows_undecided"

    decided = admin.post(f"{path}:decide", {"decision": "update", "matched_by": "name"})
    admin.post(f"{path}:start")
    done = _reached(admin, job, "finished")
    assert _counts(done) == _counts(decided) == [2, 1, 0, 2]
    assert admin.get(f"/customers/{known['id']}")["remark"] == "新"

    admin.post(f"{path}:correct", {"column": 1, "to": "其他", "from": "没有的行业"})
    admin.post(f"{path}:correct", {"column": 2, "to": admin.name, "rows": [4]})
    admin.post(f"{path}:retry", {"only": "corrected"})
    done = _reached(admin, job, "finished")
    assert _counts(done) == [4, 1, 0, 0]
    found = admin.get("/customers", search=mark)["items"]
    assert sorted(one["name"] for one in found) == sorted(row[0] for row in rows)
    notice = until(lambda: told(mate, "customers_imported"))
    assert "2 个客户" in notice["title"]
