"""Somebody leaves: who hears of it, where the customers go, and how that is taken back, seen from outside."""

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import until
from tests.support.whole import Whole, owner_of

pytestmark = pytest.mark.system


def test_a_leavers_customers_are_handed_over_and_the_release_is_undone(whole: Whole) -> None:
    supervisor, operations = whole.person("supervisor"), whole.person("operations")
    department_id = whole.person("administrator").get(f"/members/{supervisor.id}")["department_id"]
    leaver = whole.hire("sales", f"离职{new_id().hex[-8:]}", department_id)
    ids = [leaver.post("/customers", {"name": f"离职{new_id().hex}"})["id"] for _ in range(2)]
    for id_ in ids:
        until(lambda id_=id_: leaver.get(f"/assignments/{id_}"))  # type: ignore[misc]

    whole.person("administrator").post(f"/members/{leaver.id}:deactivate")

    def told() -> bool:
        titles = [one["title"] for one in supervisor.get("/notifications", page_size=50)["items"]]
        return any(leaver.name in title and "2 个客户" in title for title in titles)

    def listed() -> list[int]:
        items = supervisor.get("/assignments/leavers", page_size=200)["items"]
        return [one["customers"] for one in items if one["member"]["id"] == leaver.id]

    def left() -> set[str]:
        shown = supervisor.get("/customers", view="owner_left", owner_id=leaver.id, page_size=50)["items"]
        return {one["id"] for one in shown}

    until(told)
    until(lambda: listed() == [2])
    until(lambda: left() == set(ids))

    supervisor.post(f"/assignments/leavers/{leaver.id}:hand-over")
    until(lambda: listed() == [])
    until(lambda: {owner_of(supervisor.get(f"/customers/{id_}")) for id_ in ids} == {None})
    pools = {supervisor.get(f"/assignments/{id_}")["pool"]["name"] for id_ in ids}
    assert pools == {whole.pool("to_be_assigned")["name"]}

    release = next(one for one in operations.get("/releases")["items"] if one["former_owner"]["id"] == leaver.id)
    operations.post(f"/releases/{release['id']}:undo")
    until(lambda: operations.get(f"/releases/{release['id']}")["undo"]["returned"] == 2)
    until(lambda: {owner_of(supervisor.get(f"/customers/{id_}")) for id_ in ids} == {leaver.id})
    until(lambda: left() == set(ids))
    assert listed() == [2]
