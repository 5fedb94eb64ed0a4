"""The routes of a service's batches."""

from uuid import UUID

import pytest

from chassis.audit import audit_of
from chassis.identifiers import new_id
from libs.batch.tests.sample import Batches


def _get(batches: Batches, member: str, path: str, **headers: str):
    opened = batches.opened
    signed = opened.headers(opened.organisation.members[member], **headers)
    return opened.client.get(f"/api/v1/things/batches/{path}", headers=signed)


def _cancel(batches: Batches, member: str, batch_id: UUID):
    opened = batches.opened
    signed = opened.headers(opened.organisation.members[member])
    return opened.client.post(f"/api/v1/things/batches/{batch_id}:cancel", headers=signed)


def test_who_started_a_batch_sees_how_far_it_has_come(batches: Batches) -> None:
    batch_id = batches.start_many(25)
    batches.step()

    reply = _get(batches, "sales", str(batch_id)).json

    assert {key: reply[key] for key in ("status", "total", "done", "pending", "finished_at")} == {
        "status": "running",
        "total": 25,
        "done": 10,
        "pending": 15,
        "finished_at": None,
    }


def test_each_item_is_listed_with_its_reason_in_the_callers_language(batches: Batches) -> None:
    willing, unwilling = new_id(), new_id()
    batches.unwilling = {unwilling}
    batch_id = batches.start([willing, unwilling])
    batches.finish()

    everything = _get(batches, "sales", f"{batch_id}/items").json
    skipped = _get(batches, "sales", f"{batch_id}/items?outcome=skipped", Accept_Language="en").json

    assert [(item["item_id"], item["outcome"]) for item in everything["items"]] == [
        (str(willing), "done"),
        (str(unwilling), "skipped"),
    ]
    assert skipped["total"] == 1
    assert skipped["items"][0]["message"].startswith("At most 1 records")


@pytest.mark.parametrize(("member", "status"), [("colleague", 404), ("supervisor", 404), ("admin", 200)])
def test_a_batch_of_someone_else_is_seen_only_with_the_permission(batches: Batches, member, status) -> None:
    batch_id = batches.start_many(1)

    assert _get(batches, member, str(batch_id)).status_code == status
    assert _get(batches, member, f"{batch_id}/items").status_code == status
    assert _cancel(batches, member, batch_id).status_code == status


def test_without_token_nothing_is_seen(batches: Batches) -> None:
    batch_id = batches.start_many(1)
    client = batches.opened.client

    assert client.get(f"/api/v1/things/batches/{batch_id}").status_code == 401
    assert client.get(f"/api/v1/things/batches/{batch_id}/items").status_code == 401
    assert client.post(f"/api/v1/things/batches/{batch_id}:cancel").status_code == 401


def test_cancelling_twice_is_once_and_after_the_end_refused(batches: Batches) -> None:
    batch_id = batches.start_many(15)
    batches.step()

    assert _cancel(batches, "sales", batch_id).json["status"] == "cancelling"
    assert _cancel(batches, "sales", batch_id).status_code == 200
    batches.finish()
    over = _cancel(batches, "sales", batch_id)

    assert (over.status_code, over.json["code"]) == (409, "batch_over")
    with batches.opened.database.reading() as session:
        [entry] = audit_of(session, "batch", batch_id)
    assert (entry.action, entry.actor_id) == ("batch.cancelled", batches.opened.organisation.sales.id)


@pytest.mark.parametrize("query", ["outcome=lost", "page=0", f"page={10**30}", "page_size=201", "page=x", "nonsense=1"])
def test_a_wrong_query_is_refused(batches: Batches, query) -> None:
    batch_id = batches.start_many(1)

    assert _get(batches, "sales", f"{batch_id}/items?{query}").status_code == 422
