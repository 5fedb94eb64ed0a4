"""A batch of customers, seen from outside: the list, pool's places and whoever is told agree with it."""

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, until
from tests.support.whole import Whole

pytestmark = pytest.mark.system


def _finish(person: Person, act: str, selection: dict[str, str]) -> dict[str, int]:
    """The batch of all customers that match, once it is over."""
    started = person.post(f"/customers:{act}", {"selection": {"filter": selection}})
    ended: dict[str, int] = until(
        lambda: (batch := person.get(f"/customers/batches/{started['id']}"))["finished_at"] and batch
    )
    return ended


def _suspended(whole: Whole, ids: list[str]) -> int:
    found = "SELECT 1 FROM assignments WHERE suspended AND customer_id = ANY(%s::uuid[])"
    return len(whole.rows("pool", found, [ids]))


def _told(person: Person, kind: str) -> list[str]:
    items = person.get("/notifications", page_size=200)["items"]
    return [item["text"] for item in items if item["kind"] == kind]


def test_what_is_deleted_by_filter_leaves_lists_and_places_and_comes_back_by_filter(whole: Whole) -> None:
    seller, admin, mark = whole.hire("sales", f"批量{new_id().hex}"), whole.person("administrator"), f"批{new_id().hex}"
    until(lambda: whole.rows("customer", "SELECT 1 FROM directory_members WHERE id = %s", [seller.id]))
    ids = [seller.post("/customers", {"name": f"{mark}{number}"})["id"] for number in range(5)]
    until(lambda: len(whole.rows("pool", "SELECT 1 FROM assignments WHERE customer_id = ANY(%s::uuid[])", [ids])) == 5)

    deleted = _finish(admin, "delete", {"search": mark})

    assert (deleted["done"], deleted["skipped"], deleted["failed"]) == (5, 0, 0)
    assert seller.get("/customers", search=mark)["total"] == 0
    assert seller.get("/customers", search=mark, view="deleted")["total"] == 5
    until(lambda: _suspended(whole, ids) == 5)

    restored = _finish(seller, "restore", {"search": mark})

    assert (restored["done"], restored["skipped"], restored["failed"]) == (5, 0, 0)
    assert {item["id"] for item in seller.get("/customers", search=mark)["items"]} == {*ids}
    until(lambda: _suspended(whole, ids) == 0)
    [deletion] = until(lambda: _told(seller, "customers_deleted"))
    assert "5 个客户" in deletion
    [_] = until(lambda: _told(seller, "customer_batch_finished"))
    assert _told(seller, "customers_restored") == []
