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

    release = next(
        one for one in operations.get("/releases", page_size=200)["items"] if one["former_owner"]["id"] == leaver.id
    )
    operations.post(f"/releases/{release['id']}:undo")
    until(lambda: operations.get(f"/releases/{release['id']}")["undo"]["returned"] == 2)
    until(lambda: {owner_of(supervisor.get(f"/customers/{id_}")) for id_ in ids} == {leaver.id})
    until(lambda: left() == set(ids))
    assert listed() == [2]


def test_a_leavers_customers_are_shared_out_by_region_and_evenly_and_the_release_is_undone(whole: Whole) -> None:
    supervisor = whole.person("supervisor")
    department_id = whole.person("administrator").get(f"/members/{supervisor.id}")["department_id"]
    leaver, north, south = (whole.hire("sales", f"交接{new_id().hex[-8:]}", department_id) for _ in range(3))
    provinces = ("浙江省", "浙江省", "江苏省", "")
    customers = [leaver.post("/customers", {"name": f"交接{new_id().hex}", "province": name}) for name in provinces]
    ids = [one["id"] for one in customers]
    for id_ in ids:
        until(lambda id_=id_: leaver.get(f"/assignments/{id_}"))  # type: ignore[misc]
    touch = {"customer_id": ids[0], "kind": "follow_up", "method": "phone", "content": "对方在比价"}
    leaver.post("/activities", touch)
    whole.person("administrator").post(f"/members/{leaver.id}:deactivate")
    path = f"/assignments/leavers/{leaver.id}"
    until(lambda: supervisor.get(path)["customers"] == 4)
    regions = [{"province": "浙江省", "member_id": south.id}, {"province": "江苏省", "member_id": north.id}]
    wish = {"how": "by_region", "regions": regions, "rest": {"member_id": north.id}}

    def owners() -> list[str | None]:
        return [owner_of(supervisor.get(f"/customers/{id_}")) for id_ in ids]

    def shares(wish: dict[str, object]) -> dict[str, int]:
        return {one["member"]["id"]: one["customers"] for one in supervisor.post(f"{path}:plan", wish)["shares"]}

    assert shares({"how": "evenly", "member_ids": [north.id, south.id]}) == {north.id: 2, south.id: 2}
    assert shares(wish) == {south.id: 2, north.id: 2}
    batch = supervisor.post(f"{path}:share", wish)
    until(lambda: supervisor.get(f"/assignments/batches/{batch['id']}")["finished_at"])
    until(lambda: owners() == [south.id, south.id, north.id, north.id])
    until(lambda: any("2 个客户" in one["title"] for one in south.get("/notifications", page_size=50)["items"]))
    card = south.get(f"/assignments/{ids[0]}/handover-card")
    assert [(one["member"]["id"], one["cause"]) for one in card["past_owners"]] == [(leaver.id, "handover")]
    assert [one["content"] for one in card["customer"]["touches"]] == ["对方在比价"]

    supervisor.post(f"/releases/{batch['id']}:undo")
    until(lambda: supervisor.get(f"/releases/{batch['id']}")["undo"]["returned"] == 4)
    until(lambda: owners() == [leaver.id] * 4)
