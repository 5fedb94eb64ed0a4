"""Extensions (延期): asked for by the owner, decided by whoever could give the customer away, over with the owner."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.audit import audit_of
from chassis.clock import now
from chassis.days import day_of
from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.model import AssignmentRow


@pytest.fixture
def expiring(sea: Any) -> Any:
    """The sea with a rule in force: 30 days without a follow-up."""
    sea.put_in_force(sea.default())
    return sea


def _ask(sea: Any, id_: str, member: Any = None, **body: Any) -> Any:
    asked = {"customer_id": id_, "days": 10, "reason": "客户出国，月底回来", **body}
    return sea.send("POST", "/extensions", member or sea.organisation.sales, asked)


def _decide(sea: Any, extension: Any, verb: str, member: Any = None, **body: Any) -> Any:
    content = None if verb == "withdraw" else {"note": "请先跟进"} | body if verb == "refuse" else body
    return sea.send("POST", f"/extensions/{extension['id']}:{verb}", member or sea.organisation.supervisor, content)


def _list(sea: Any, member: Any, view: str, **query: str) -> list[str]:
    words = "".join(f"&{name}={value}" for name, value in query.items())
    page = sea.send("GET", f"/extensions?view={view}{words}", member).json
    assert page["total"] == len(page["items"])
    return [one["id"] for one in page["items"]]


def _day(days: int) -> str:
    return (day_of(now(), "Asia/Shanghai") + timedelta(days=days)).isoformat()


def _last_day(sea: Any, customer_id: str) -> Any:
    (day,) = [one.expires_on for one in sea.rows(AssignmentRow) if str(one.customer_id) == customer_id]
    return day.isoformat() if day else None


def _set(sea: Any, **values: Any) -> None:
    admin = sea.organisation.admin
    version = sea.send("GET", "/pools/settings", admin).headers["ETag"]
    assert sea.send("PATCH", "/pools/settings", admin, values, If_Match=version).status_code == 200


def test_a_granted_extension_moves_the_last_day_by_exactly_its_days_and_not_the_clock(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (id_,) = sea.create(owner=people.sales)
    since = sea.rows(AssignmentRow)[0].held_since
    asked = _ask(sea, id_)

    granted = _decide(sea, asked.json, "grant")

    assert (asked.status_code, asked.json["state"], asked.json["expires_on"]) == (201, "requested", _day(30))
    assert (granted.json["state"], granted.json["days"], granted.json["expires_on"]) == ("granted", 10, _day(40))
    assert granted.json["decided_by"]["name"] == "东区主管"
    assert _last_day(sea, id_) == _day(40)
    assert [entry.version for entry in sea.history(id_)] == [1]
    assert sea.rows(AssignmentRow)[0].held_since == since


def test_customer_hears_the_new_day_at_once(expiring: Any, customer: Any) -> None:
    (id_,) = expiring.create(owner=expiring.organisation.sales)

    _decide(expiring, _ask(expiring, id_).json, "grant")

    assert [(one.customer_id, one.expires_on) for one in customer.applied] == [(id_, _day(40))]


def test_the_manager_is_told_of_the_wish_and_the_owner_of_the_decision(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (id_,) = sea.create(owner=people.sales)
    _decide(sea, _ask(sea, id_).json, "grant", days=4)

    [asked] = sea.opened.outbox(pb.ExtensionRequested)
    [decided] = sea.opened.outbox(pb.ExtensionDecided)
    assert (asked.customer_id, asked.customer_name, asked.days) == (id_, "星河贸易", 10)
    assert (asked.owner_id, asked.decider_ids) == (str(people.sales.id), [str(people.supervisor.id)])
    assert (decided.owner_id, decided.granted, decided.days) == (str(people.sales.id), True, 4)
    assert (decided.decided_by, decided.expires_on) == (str(people.supervisor.id), _day(34))


def test_without_a_manager_who_may_decide_those_who_manage_pools_are_told(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    sea.change_role("supervisor", without="pool.assign")
    (id_,) = sea.create(owner=people.sales)

    _ask(sea, id_)

    [asked] = sea.opened.outbox(pb.ExtensionRequested)
    assert set(asked.decider_ids) == {str(people.admin.id), str(people.operations.id)}


def test_a_refusal_says_why_and_leaves_the_day(expiring: Any) -> None:
    sea = expiring
    (id_,) = sea.create(owner=sea.organisation.sales)

    refused = _decide(sea, _ask(sea, id_).json, "refuse")

    assert (refused.json["state"], refused.json["note"], _last_day(sea, id_)) == ("refused", "请先跟进", _day(30))
    [decided] = sea.opened.outbox(pb.ExtensionDecided)
    assert (decided.granted, decided.expires_on) == (False, _day(30))
    # Refused ones use nothing up.
    assert _ask(sea, id_).status_code == 201


def test_decisions_are_in_the_audit(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    first, second = sea.create(2, owner=people.sales)
    granted = _decide(sea, _ask(sea, first).json, "grant", days=3).json
    refused = _decide(sea, _ask(sea, second).json, "refuse").json

    with sea.opened.database.reading() as session:
        entries = [audit_of(session, "extension", UUID(one["id"]))[0] for one in (granted, refused)]
    kept = [(one.action, one.actor_id, one.before, one.after) for one in entries]
    before = {"state": "requested", "days": 10}
    by = people.supervisor.id
    assert kept == [
        ("extension.granted", by, before, {"state": "granted", "days": 3, "note": None}),
        ("extension.refused", by, before, {"state": "refused", "days": 10, "note": "请先跟进"}),
    ]


def test_an_extension_ends_with_the_owner_and_the_next_one_asks_anew(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (id_,) = sea.create(owner=people.sales)
    _decide(sea, _ask(sea, id_).json, "grant")

    sea.act("transfer", people.sales, [id_], member_id=str(people.colleague.id))

    assert _last_day(sea, id_) == _day(30)
    again = _ask(sea, id_, people.colleague)
    _decide(sea, again.json, "grant")
    assert _last_day(sea, id_) == _day(40)


def test_an_open_wish_lapses_when_the_customer_changes_hands(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (id_,) = sea.create(owner=people.sales)
    lapsed = _ask(sea, id_).json
    sea.act("transfer", people.sales, [id_], member_id=str(people.colleague.id))

    refused = _decide(sea, lapsed, "grant")

    assert (refused.status_code, refused.json["code"]) == (409, "extension_lapsed")
    assert _list(sea, people.supervisor, "to_decide") == []
    read = sea.send("GET", f"/extensions/{lapsed['id']}", people.sales).json
    assert (read["lapsed"], read["expires_on"], read["customer_name"]) == (True, None, None)
    asked = _ask(sea, id_, people.colleague)
    assert (asked.status_code, _list(sea, people.supervisor, "to_decide")) == (201, [asked.json["id"]])


def test_only_the_owner_asks_and_only_for_what_expires(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (mine,), (other,) = sea.create(owner=people.sales), sea.create(owner=people.rival)
    (in_pool,), (friend,) = sea.create(), sea.create(owner=people.sales)
    sea.report_again([friend], wecom_friend=True, owner=people.sales)

    codes = {
        code: [reply.status_code, reply.json["code"]]
        for code, reply in {
            "stranger": _ask(sea, other),
            "supervisor": _ask(sea, mine, people.supervisor),
            "pool": _ask(sea, in_pool),
            "friend": _ask(sea, friend),
            "unknown": _ask(sea, str(new_id())),
        }.items()
    }

    assert codes == {
        "stranger": [404, "not_found"],
        "supervisor": [403, "only_owner_asks"],
        "pool": [409, "not_owned"],
        "friend": [409, "does_not_expire"],
        "unknown": [404, "not_found"],
    }


def test_one_wish_a_customer_is_open_and_as_many_are_granted_as_the_settings_say(expiring: Any) -> None:
    sea = expiring
    (id_,) = sea.create(owner=sea.organisation.sales)
    first = _ask(sea, id_).json
    assert _ask(sea, id_).json["code"] == "extension_open"
    _decide(sea, first, "grant")
    assert _ask(sea, id_).json["code"] == "extensions_used_up"

    _set(sea, most_extensions=2)
    _decide(sea, _ask(sea, id_).json, "grant")

    assert (_last_day(sea, id_), _ask(sea, id_).json["code"]) == (_day(50), "extensions_used_up")


def test_no_more_days_than_the_settings_allow_and_no_more_than_asked_for(expiring: Any) -> None:
    sea = expiring
    _set(sea, most_extension_days=5)
    (id_,) = sea.create(owner=sea.organisation.sales)

    too_many, asked = _ask(sea, id_, days=6), _ask(sea, id_, days=5)
    more = _decide(sea, asked.json, "grant", days=6)

    assert [(one["pointer"], one["code"]) for one in too_many.json["errors"]] == [("/days", "too_many_extension_days")]
    assert [(one["pointer"], one["code"]) for one in more.json["errors"]] == [("/days", "more_than_asked")]
    assert (too_many.status_code, more.status_code) == (422, 422)


def test_nobody_decides_about_their_own_and_nobody_beyond_their_reach(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (theirs,), (own,) = sea.create(owner=people.sales), sea.create(owner=people.supervisor)
    asked, of_own = _ask(sea, theirs).json, _ask(sea, own, people.supervisor).json

    by_the_other_department = _decide(sea, asked, "grant", people.rival_supervisor)
    by_a_colleague = _decide(sea, asked, "grant", people.colleague)
    by_themselves = _decide(sea, of_own, "grant", people.supervisor)

    assert (by_the_other_department.status_code, by_the_other_department.json["code"]) == (404, "not_found")
    assert (by_a_colleague.status_code, by_a_colleague.json["code"]) == (403, "forbidden")
    assert (by_themselves.status_code, by_themselves.json["code"]) == (403, "own_extension")
    assert _decide(sea, of_own, "grant", people.admin).status_code == 200


def test_a_decision_is_made_once_even_by_two_at_the_same_moment(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (id_,) = sea.create(owner=people.sales)
    asked = _ask(sea, id_).json
    verbs = ["grant", "refuse"] * 4

    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda verb: _decide(sea, asked, verb), verbs))

    [won] = [verb for verb, reply in zip(verbs, replies, strict=True) if reply.status_code == 200]
    assert {reply.json.get("code") for reply in replies if reply.status_code != 200} == {"already_decided"}
    assert _last_day(sea, id_) == _day(40 if won == "grant" else 30)
    assert len(sea.opened.outbox(pb.ExtensionDecided)) == 1


def test_whoever_asked_takes_it_back_and_nobody_else(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (id_,) = sea.create(owner=people.sales)
    asked = _ask(sea, id_).json

    by_supervisor = _decide(sea, asked, "withdraw")
    by_owner = _decide(sea, asked, "withdraw", people.sales)

    assert (by_supervisor.status_code, by_supervisor.json["code"]) == (403, "only_owner_asks")
    assert by_owner.json["state"] == "withdrawn"
    assert _decide(sea, asked, "grant").json["code"] == "already_decided"
    assert _ask(sea, id_).status_code == 201


def test_each_sees_own_wishes_those_to_decide_and_all_within_reach(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (east,), (south,) = sea.create(owner=people.sales), sea.create(owner=people.rival)
    (done,) = sea.create(owner=people.sales)
    first, second, third = (
        _ask(sea, id_, member).json["id"]
        for id_, member in ((east, people.sales), (south, people.rival), (done, people.sales))
    )
    _decide(sea, {"id": third}, "grant")

    assert _list(sea, people.sales, "mine") == [third, first]
    assert _list(sea, people.sales, "mine", state="requested") == [first]
    assert _list(sea, people.sales, "to_decide") == []
    assert _list(sea, people.colleague, "all") == []
    assert _list(sea, people.supervisor, "to_decide") == [first]
    assert _list(sea, people.supervisor, "all") == [third, first]
    assert _list(sea, people.admin, "to_decide") == [second, first]
    assert sea.send("GET", f"/extensions/{second}", people.supervisor).status_code == 404


def test_a_repeated_request_asks_and_grants_once(expiring: Any) -> None:
    sea, people = expiring, expiring.organisation
    (id_,) = sea.create(owner=people.sales)
    body = {"customer_id": id_, "days": 10, "reason": "等预算"}
    asked = [sea.send("POST", "/extensions", people.sales, body, Idempotency_Key="a") for _ in range(2)]
    path = f"/extensions/{asked[0].json['id']}:grant"
    granted = [sea.send("POST", path, people.supervisor, {}, Idempotency_Key="b") for _ in range(2)]

    assert asked[0].json == asked[1].json
    assert [reply.status_code for reply in granted] == [200, 200]
    assert _last_day(sea, id_) == _day(40)


@pytest.mark.parametrize("wrong", [{"days": 0}, {"reason": "  "}, {"days": 10**9}, {"customer_id": "x"}])
def test_a_wish_that_cannot_be_is_refused(expiring: Any, wrong: Any) -> None:
    (id_,) = expiring.create(owner=expiring.organisation.sales)

    reply = _ask(expiring, id_, **wrong)

    assert (reply.status_code, [one["pointer"] for one in reply.json["errors"]]) == (422, [f"/{next(iter(wrong))}"])
