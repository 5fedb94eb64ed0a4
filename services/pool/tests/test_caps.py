"""Holding caps (库容): the most specific one counts, for everything that brings a member customers."""

from typing import Any
from uuid import UUID

import pytest

from chassis.audit import audit_of
from chassis.identifiers import new_id


def _set_cap(sea: Any, cap: int, *, member: Any = None, department: Any = None) -> Any:
    of = {"member_id": str(member.id)} if member else {"department_id": str(department)}
    reply = sea.send("POST", "/pools/caps", sea.organisation.admin, {"cap": cap, **of})
    assert reply.status_code == 201, reply.json
    return reply.json


def _claimed(sea: Any, member: Any, wanted: int = 5) -> int:
    """How many of `wanted` customers the member may claim."""
    reply = sea.act("claim", member, sea.create(wanted))
    refused = {row["code"] for row in reply.json["results"]} - {None}
    assert refused <= {"holding_cap_reached"}
    claimed: int = reply.json["succeeded"]
    return claimed


def test_a_members_own_cap_beats_the_nearest_departments_beats_a_higher_ones_beats_the_organisations(sea: Any) -> None:
    organisation = sea.organisation
    team = sea.found_department("东区一组", organisation.east)
    sea.set_holding_cap(4)
    _set_cap(sea, 3, department=organisation.east)
    _set_cap(sea, 2, department=team)
    own = sea.hire("自定", department_id=team)
    _set_cap(sea, 1, member=own)

    claimers = (own, sea.hire("组员", department_id=team), organisation.sales, organisation.rival)

    assert [_claimed(sea, member) for member in claimers] == [1, 2, 3, 4]


def test_the_order_in_which_caps_were_set_does_not_matter(sea: Any) -> None:
    _set_cap(sea, 2, member=sea.organisation.sales)
    _set_cap(sea, 1, department=sea.organisation.east)

    assert _claimed(sea, sea.organisation.sales) == 2


def test_whom_no_cap_reaches_holds_any_number(sea: Any) -> None:
    _set_cap(sea, 1, department=sea.organisation.south)

    assert (_claimed(sea, sea.organisation.sales), _claimed(sea, sea.organisation.rival)) == (5, 1)


def test_a_cap_of_none_keeps_a_member_from_being_given_any(sea: Any) -> None:
    sales, colleague, supervisor = sea.organisation.sales, sea.organisation.colleague, sea.organisation.supervisor
    _set_cap(sea, 0, member=sales)
    (theirs,) = sea.create(owner=colleague)
    (free,) = sea.create()
    (born,) = sea.create(owner=sales)

    replies = [
        sea.act("claim", sales, [free]),
        sea.act("assign", supervisor, [free], member_ids=[str(sales.id)]),
        sea.act("transfer", colleague, [theirs], member_id=str(sales.id)),
    ]

    assert [(reply.status_code, reply.json["code"]) for reply in replies] == [(409, "holding_cap_reached")] * 3
    assert sea.owners()[born] is None


def test_assigning_passes_over_whoever_has_no_room_by_their_own_cap(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    _set_cap(sea, 1, member=sales)
    ids = sea.create(4)

    reply = sea.act("assign", sea.organisation.supervisor, ids, member_ids=[str(sales.id), str(colleague.id)])

    assert [row["owner"]["id"] for row in reply.json["results"]] == [str(sales.id)] + [str(colleague.id)] * 3


@pytest.mark.parametrize(("counts", "room"), [(True, 1), (False, 3)])
def test_won_customers_take_room_unless_they_are_set_not_to(sea: Any, counts: bool, room: int) -> None:
    sales, admin = sea.organisation.sales, sea.organisation.admin
    won = sea.create(2, owner=sales)
    sea.report_again(won, won=True)
    sea.set_holding_cap(3)
    sea.send("PATCH", "/pools/settings", admin, {"cap_counts_won": counts}, If_Match='"2"')

    assert _claimed(sea, sales) == room


def test_a_won_customer_goes_even_to_whoever_has_no_room_when_won_ones_do_not_count(sea: Any) -> None:
    sales, supervisor, admin = sea.organisation.sales, sea.organisation.supervisor, sea.organisation.admin
    sea.create(1, owner=sales)
    won, open_ = sea.create(2)
    sea.report_again([won], won=True)
    sea.set_holding_cap(1)
    sea.send("PATCH", "/pools/settings", admin, {"cap_counts_won": False}, If_Match='"2"')

    reply = sea.act("assign", supervisor, [won, open_], member_ids=[str(sales.id)])

    assert [row["code"] for row in reply.json["results"]] == [None, "holding_cap_reached"]


def test_caps_are_listed_changed_and_lifted_and_every_change_is_audited(sea: Any) -> None:
    admin, sales = sea.organisation.admin, sea.organisation.sales
    of_member = _set_cap(sea, 5, member=sales)
    of_department = _set_cap(sea, 9, department=sea.organisation.east)
    path = f"/pools/caps/{of_member['id']}"

    listed = sea.send("GET", "/pools/caps", admin).json
    changed = sea.send("PATCH", path, admin, {"cap": 1}, If_Match='"1"')
    stale = sea.send("PATCH", path, admin, {"cap": 3}, If_Match='"1"')
    unconditional = sea.send("DELETE", path, admin)
    lifted = sea.send("DELETE", path, admin, If_Match='"2"')

    assert ([cap["name"] for cap in listed["items"]], listed["total"]) == (["华东销售部", "张三"], 2)
    assert listed["items"][0] == of_department
    assert (changed.json["cap"], changed.json["version"], changed.headers["ETag"]) == (1, 2, '"2"')
    assert stale.json["conflicts"] == [{"pointer": "/cap", "yours": 3, "current": 1}]
    assert (stale.status_code, unconditional.status_code, lifted.status_code) == (412, 428, 204)
    assert sea.send("DELETE", path, admin, If_Match='"2"').status_code == 404
    assert _claimed(sea, sales, 6) == 6
    with sea.opened.database.reading() as session:
        entries = audit_of(session, "holding_cap", UUID(of_member["id"]))
    assert [(entry.action, entry.before and entry.before["cap"]) for entry in entries] == [
        ("holding_cap.deleted", 1),
        ("holding_cap.changed", 5),
        ("holding_cap.created", None),
    ]


def test_a_second_cap_for_the_same_member_is_refused(sea: Any) -> None:
    _set_cap(sea, 5, member=sea.organisation.sales)

    body = {"cap": 6, "member_id": str(sea.organisation.sales.id)}
    refused = sea.send("POST", "/pools/caps", sea.organisation.admin, body)

    assert (refused.status_code, refused.json["code"]) == (409, "cap_exists")
    assert "张三" in refused.json["detail"]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"cap": 1}, "", "cap_of_one"),
        ({"cap": 1, "member_id": str(new_id()), "department_id": str(new_id())}, "", "cap_of_one"),
        ({"cap": 1, "member_id": str(new_id())}, "/member_id", "not_in_directory"),
        ({"cap": 1, "department_id": str(new_id())}, "/department_id", "not_in_directory"),
        ({"cap": -1, "member_id": str(new_id())}, "/cap", "greater_than_equal"),
    ],
)
def test_a_wrong_cap_is_refused(sea: Any, body: Any, pointer: str, code: str) -> None:
    reply = sea.send("POST", "/pools/caps", sea.organisation.admin, body)

    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


def test_caps_are_for_who_manages_pools(sea: Any) -> None:
    for member in (sea.organisation.sales, sea.organisation.supervisor):
        assert sea.send("GET", "/pools/caps", member).status_code == 403
