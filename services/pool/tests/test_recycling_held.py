"""A run that would do too much, or begins where nobody expects it, waits for a person (decision 0024)."""

from collections import Counter
from typing import Any

import pytest

from chassis.audit import audit_of
from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.records import Release


def _decide(sea: Any, verb: str, run: Any, member: Any = None, body: Any = None, **headers: str) -> Any:
    body = {} if verb == "confirm" and body is None else body
    return sea.send("POST", f"/rules/runs/{run['id']}:{verb}", member or sea.organisation.admin, body, **headers)


def _held(sea: Any) -> list[Any]:
    return sea.opened.outbox(events.RecyclingHeld)


def test_after_36_hours_without_a_run_nothing_is_taken_unasked(sea: Any, rule: Any) -> None:
    (one,) = sea.own(1, sea.organisation.sales)
    sea.own(20, sea.organisation.sales)
    sea.expire([one])
    sea.sql("UPDATE recycling_runs SET started_at = started_at - interval '13 hours', day = day - 1")

    sea.recycle()

    run = sea.shown_run()
    assert (run["state"], run["reasons"]) == ("held", ["missed_runs"])
    assert sea.owners()[one] == sea.organisation.sales.id
    assert (run["waiting"], run["waiting_owners"][0]["owner"]["name"]) == (1, "张三")
    (told,) = _held(sea)
    managers = {str(sea.organisation.operations.id), str(sea.organisation.admin.id)}
    assert (told.customers, set(told.receiver_ids)) == (1, managers)
    listed = sea.send("GET", f"/rules/runs/{run['id']}/customers", sea.organisation.admin).json
    assert [(item["customer_id"], item["owner"]["name"]) for item in listed["items"]] == [(one, "张三")]

    assert _decide(sea, "confirm", run).json["state"] == "running"
    sea.recycle()

    assert (sea.owners()[one], sea.shown_run()["state"], sea.shown_run()["decided_by"]["name"]) == (
        None,
        "finished",
        "管理员",
    )


def test_a_clock_that_went_back_takes_nothing_unasked(sea: Any, rule: Any) -> None:
    sea.expire(sea.own(1, sea.organisation.sales))
    sea.own(20, sea.organisation.sales)
    sea.sql("UPDATE recycling_runs SET started_at = now() + interval '3 hours'")

    sea.recycle()

    assert (sea.shown_run()["state"], sea.shown_run()["reasons"]) == ("held", ["clock_went_back"])
    assert None not in sea.owners().values()


def test_a_run_that_has_nothing_to_take_is_not_held(sea: Any, rule: Any) -> None:
    sea.own(1, sea.organisation.sales)
    sea.expire([])
    sea.sql("UPDATE recycling_runs SET started_at = started_at - interval '3 days', day = day - 3")

    sea.recycle()

    assert (sea.shown_run()["state"], _held(sea)) == ("finished", [])


def test_an_owner_who_would_lose_too_much_keeps_all_of_it_while_the_others_go(sea: Any, rule: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    many, few = sea.own(5, sales), sea.own(4, colleague)
    sea.own(19, sales)
    sea.expire([*many, *few])

    sea.recycle()

    owners = sea.owners()
    assert {owners[one] for one in many} == {sales.id}
    assert {owners[one] for one in few} == {None}
    run = sea.shown_run()
    assert (run["state"], run["reasons"], run["taken"], run["waiting"]) == ("held", ["owner_share"], 4, 5)
    assert run["waiting_owners"] == [
        {"owner": {"id": str(sales.id), "name": "张三"}, "customers": 5, "owned": 24, "held": True}
    ]
    assert str(sea.organisation.supervisor.id) in _held(sea)[0].receiver_ids
    assert _decide(sea, "confirm", run, body={"owner_ids": [str(colleague.id)]}).status_code == 422

    assert _decide(sea, "confirm", run, body={"owner_ids": [str(sales.id)]}).status_code == 200
    sea.recycle()

    assert {sea.owners()[one] for one in many} == {None}
    assert (sea.shown_run()["state"], len(sea.shown_run()["release_ids"]), len(sea.rows(Release))) == ("finished", 2, 2)


def test_a_twentieth_of_the_company_waits_wholly(sea: Any, rule: Any) -> None:
    owners = [sea.hire(f"员工{number}") for number in range(25)]
    gone = [one for owner in owners for one in sea.own(2, owner)]
    for owner in owners:
        sea.own(37, owner)
    sea.expire(gone)

    sea.recycle()

    run = sea.shown_run()
    assert (run["state"], run["reasons"], run["taken"], run["waiting"]) == ("held", ["company_share"], 0, 50)
    assert {owner["held"] for owner in run["waiting_owners"]} == {False}


def test_fewer_than_a_twentieth_go_unasked(sea: Any, rule: Any) -> None:
    owners = [sea.hire(f"员工{number}") for number in range(25)]
    sea.expire([one for owner in owners for one in sea.own(2, owner)])
    for owner in owners:
        sea.own(38, owner)

    sea.recycle()

    assert (sea.shown_run()["state"], sea.shown_run()["taken"]) == ("finished", 50)


def test_what_expires_after_the_run_was_looked_at_is_looked_at_before_it_goes(
    sea: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The breaker counts what the day's run took already."""
    monkeypatch.setattr("crm_pool.recycling.due.PAGES_AT_ONCE", 1)
    monkeypatch.setattr("crm_pool.recycling.commands.PAGE", 4)
    sales = sea.organisation.sales
    first = sea.own(4, sales)
    later = sea.own(2, sales)
    sea.own(10, sales)
    sea.expire(first)
    sea.run("recycle")

    sea.expire(later)
    sea.recycle()

    assert {sea.owners()[one] for one in later} == {sales.id}
    assert (sea.shown_run()["state"], sea.shown_run()["taken"], sea.shown_run()["waiting"]) == ("held", 4, 2)


def test_who_refuses_a_run_stops_it_for_the_day_and_keeps_what_went(sea: Any, rule: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    ids = sea.own(5, sales)
    sea.expire([*ids, *sea.own(1, colleague)])
    sea.recycle()

    assert _decide(sea, "drop", sea.shown_run()).json["state"] == "dropped"
    sea.recycle()

    assert Counter(sea.owners().values()) == {sales.id: 5, None: 1}
    for verb, code in (("confirm", "run_not_held"), ("drop", "run_over")):
        reply = _decide(sea, verb, sea.shown_run())
        assert (reply.status_code, reply.json["code"]) == (409, code)
    with sea.opened.database.reading() as session:
        (entry,) = audit_of(session, "recycling_run", sea.runs()[-1].id)
    assert (entry.action, entry.actor_id) == ("recycling_run.dropped", sea.organisation.admin.id)


def test_whoever_nobody_decided_about_is_asked_for_again_on_the_next_day(sea: Any, rule: Any) -> None:
    ids = sea.own(5, sea.organisation.sales)
    sea.expire(ids)
    sea.recycle()
    sea.next_day()

    sea.recycle()

    assert [run.state for run in sea.runs()] == ["finished", "dropped", "held"]
    assert set(sea.owners().values()) == {sea.organisation.sales.id}


def test_a_confirmation_sent_twice_is_one(sea: Any, rule: Any) -> None:
    sea.expire(sea.own(5, sea.organisation.sales))
    sea.recycle()
    run = sea.shown_run()

    replies = [_decide(sea, "confirm", run, Idempotency_Key="k1") for _ in range(2)]

    assert [reply.status_code for reply in replies] == [200, 200]
    assert sea.runs()[-1].walk == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"owner_ids": []}, "/owner_ids"), ({"owner_ids": ["x"]}, "/owner_ids/0"), ({"all": True}, "/all")],
)
def test_a_confirmation_that_makes_no_sense_says_what_is_wrong(sea: Any, rule: Any, body: Any, pointer: str) -> None:
    sea.expire(sea.own(5, sea.organisation.sales))
    sea.recycle()

    reply = _decide(sea, "confirm", sea.shown_run(), body=body)

    assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])
    assert sea.shown_run()["state"] == "held"


def test_only_who_manages_pools_sees_and_decides(sea: Any, rule: Any) -> None:
    sea.expire(sea.own(5, sea.organisation.sales))
    sea.recycle()
    run, sales = sea.shown_run(), sea.organisation.sales

    assert sea.send("GET", "/rules/runs", sales).status_code == 403
    assert _decide(sea, "confirm", run, sales).status_code == 403
    assert sea.send("POST", f"/rules/runs/{sea.default()}:drop", sea.organisation.admin).status_code == 404
