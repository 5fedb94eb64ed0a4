"""Who has this company already, who is to have it, and two records made one: through the gateway alone (G-01 to G-10)."""

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, until
from tests.support.whole import Whole

pytestmark = pytest.mark.system


def _follow_up(person: Person, customer_id: str, content: str) -> None:
    said = {"customer_id": customer_id, "kind": "follow_up", "method": "phone", "content": content}
    person.post("/activities", said)


def _said(person: Person, customer_id: str) -> set[str]:
    entries = person.get(f"/customers/{customer_id}/timeline", kinds="follow_up", page_size=200)["items"]
    return {entry["content"] for entry in entries}


def test_a_company_out_of_sight_is_told_masked_disputed_and_given_by_a_manager(whole: Whole) -> None:
    shanghai, shenzhen = whole.sign_in("zhang.wei"), whole.sign_in("lin.xiaofeng")
    mark = "".join(
        chr(0x4E00 + int(part, 16)) for part in (new_id().hex[-12:-9], new_id().hex[-9:-6], new_id().hex[-3:])
    )
    mobile = f"138{int(new_id().hex[-8:], 16) % 10**8:08}"
    theirs = shanghai.post(
        "/customers", {"name": f"上海{mark}科技有限公司", "contact": {"name": "陈立", "mobile": mobile}}
    )
    _follow_up(shanghai, theirs["id"], "谈了价格")
    assert shenzhen.get("/customers", search=mark)["items"] == []

    asked = shenzhen.post("/duplicates:check", {"name": f"{mark}科技", "phone": mobile})

    [found] = [one for one in asked["items"] if one["customer_id"] == theirs["id"]]
    assert (found["owner"]["name"], found["visible"], found["claimable"]) == ("张伟", False, False)
    assert "phone" in found["reasons"]
    assert mobile not in str(asked)
    mine = shenzhen.post("/customers", {"name": f"{mark}"})
    body = {"kind": "dispute", "customer_id": theirs["id"], "own_customer_id": mine["id"], "reason": "去年就报备了"}
    opened = shenzhen.post("/duplicates/collisions", body)
    manager = whole.sign_in("sun.li")
    [waiting] = [
        one for one in manager.get("/duplicates/collisions", list="to_decide")["items"] if one["id"] == opened["id"]
    ]
    sides = manager.get(f"/duplicates/collisions/{waiting['id']}")["sides"]
    assert [side["customer"]["id"] for side in sides] == [theirs["id"], mine["id"]]
    assert [entry["content"] for entry in sides[0]["timeline"]] == ["谈了价格"]
    until(lambda: [one for one in manager.get("/notifications")["items"] if mark in one["title"]])

    manager.post(f"/duplicates/collisions/{opened['id']}:decide", {"outcome": "give", "note": "归深圳"})

    given = until(lambda: shenzhen.get(f"/customers/{theirs['id']}"))
    assert given["owner"]["id"] == shenzhen.id
    history = shenzhen.get(f"/assignments/{theirs['id']}/history")["items"]
    assert history[0]["cause"] == "dispute"
    until(lambda: [one for one in shenzhen.get("/notifications")["items"] if "归深圳" in one["text"]])


def test_two_records_become_one_and_two_again(whole: Whole) -> None:
    seller, manager, mark = whole.sign_in("zhang.wei"), whole.sign_in("sun.li"), new_id().hex
    kept, gone = (seller.post("/customers", {"name": f"{name}{mark}"}) for name in ("甲", "乙"))
    _follow_up(seller, kept["id"], f"甲的跟进{mark}")
    _follow_up(seller, gone["id"], f"乙的跟进{mark}")
    both = {"survivor_id": kept["id"], "loser_ids": [gone["id"]]}
    seen = manager.post("/customers:merge-preview", both)
    assert {one["kind"]: one["count"] for one in seen["moves"]}["activity"] == 1
    versions = {one["id"]: manager.get(f"/customers/{one['id']}")["version"] for one in (kept, gone)}

    merged = manager.post("/customers:merge", both | {"versions": versions})

    assert _said(seller, kept["id"]) == {f"甲的跟进{mark}", f"乙的跟进{mark}"}
    assert seller.get(f"/customers/{gone['id']}")["code"] == "merged_into"
    assert seller.get("/customers", search=mark)["total"] == 1
    suspended = "SELECT 1 FROM assignments WHERE suspended AND customer_id = %s"
    until(lambda: whole.rows("pool", suspended, [gone["id"]]))

    manager.post(f"/customers/merges/{merged['id']}:undo")

    assert _said(seller, kept["id"]) == {f"甲的跟进{mark}"}
    assert _said(seller, gone["id"]) == {f"乙的跟进{mark}"}
    until(lambda: not whole.rows("pool", suspended, [gone["id"]]))
