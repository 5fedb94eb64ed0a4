"""Members as administrators and colleagues handle them (Q-18, A-33)."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text

from chassis.database.tables import audit_entries, idempotency_keys
from chassis.errors import Conflict
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.members import commands

NOBODY = "00000000-0000-7000-8000-000000000000"


def new_member(identity: Any, **more: Any) -> dict[str, Any]:
    return {
        "login": "Wang.Xin",
        "name": "王新",
        "email": "wang.xin@example.test",
        "department_id": str(identity.people.east),
        "role_ids": [str(identity.people.role_ids["sales"])],
        **more,
    }


def test_a_new_member_logs_in_with_the_password_they_set_by_the_link(identity: Any) -> None:
    reply = identity.call("POST", "/members", identity.people.admin, new_member(identity))

    assert reply.status_code == 201
    assert reply.json["login"] == "wang.xin"
    [event] = identity.service.outbox(pb.MemberChanged)
    [state] = event.members
    assert (state.id, state.version, state.active) == (reply.json["id"], 1, True)
    assert (state.name, state.email, state.department_id) == (
        "王新",
        "wang.xin@example.test",
        str(identity.people.east),
    )
    assert identity.redeem(reply.json["password_link"]).json["member"]["login"] == "wang.xin"
    assert identity.log_in("WANG.xin", "set by a link").status_code == 200


def test_a_repeated_creation_has_no_second_effect_and_does_not_repeat_the_link(identity: Any) -> None:
    admin, body = identity.people.admin, new_member(identity)

    first = identity.call("POST", "/members", admin, body, Idempotency_Key="k1")
    second = identity.call("POST", "/members", admin, body, Idempotency_Key="k1")

    assert (second.status_code, second.json["id"]) == (201, first.json["id"])
    assert (second.json["password_link"], second.json["expires_at"]) == (None, None)
    with identity.service.database.reading() as session:
        kept = session.scalars(select(idempotency_keys.c.reply)).one()
    assert first.json["password_link"].partition("#")[2].encode() not in kept


def test_a_login_is_taken_whatever_its_case(identity: Any) -> None:
    reply = identity.call("POST", "/members", identity.people.admin, new_member(identity, login="SALES"))

    assert (reply.status_code, reply.json["code"]) == (409, "login_taken")


@pytest.mark.parametrize(
    ("wrong", "pointer", "code"),
    [
        ({"login": "x y"}, "/login", "string_pattern_mismatch"),
        ({"login": "-"}, "/login", "string_pattern_mismatch"),
        ({"name": " "}, "/name", "string_too_short"),
        ({"email": "nobody"}, "/email", "string_pattern_mismatch"),
        ({"email": "a@b.c\nBcc: d@e.f"}, "/email", "string_pattern_mismatch"),
        ({"phone": "call me"}, "/phone", "string_pattern_mismatch"),
        ({"department_id": NOBODY}, "/department_id", "unknown_department"),
        ({"department_id": None}, "/department_id", "uuid_type"),
        ({"role_ids": [NOBODY]}, "/role_ids/0", "unknown_role"),
        ({"language": "tlh"}, "/language", "literal_error"),
        ({"active": False}, "/active", "extra_forbidden"),
    ],
)
def test_a_wrong_field_is_named_with_the_remedy(identity: Any, wrong: dict[str, Any], pointer: str, code: str) -> None:
    reply = identity.call("POST", "/members", identity.people.admin, new_member(identity, **wrong))

    assert reply.status_code == 422
    [error] = reply.json["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert error["message"] not in ("", code)


def test_a_person_needs_an_email_address(identity: Any) -> None:
    body = new_member(identity)
    del body["email"]

    reply = identity.call("POST", "/members", identity.people.admin, body)

    assert [(error["pointer"], error["message"]) for error in reply.json["errors"]] == [("/email", "邮箱不能为空")]


def test_colleagues_are_found_by_name_and_department_with_all_below_it(identity: Any) -> None:
    people = identity.people

    def names(query: str) -> set[str]:
        reply = identity.call("GET", f"/members?page_size=200{query}", people.sales)
        assert reply.json["total"] == len(reply.json["items"])
        return {item["login"] for item in reply.json["items"]}

    assert names("") == set(people.members)
    assert names("&search=张") == {"sales"}
    assert names("&search=RIVAL") == {"rival", "rival_supervisor"}
    assert names("&search=%25") == set()
    assert names(f"&department_id={people.east}") == {"supervisor", "sales", "colleague"}
    assert names(f"&department_id={people.company}") == set(people.members)
    assert names(f"&department_id={people.east}&search=李") == {"colleague"}
    assert names(f"&department_id={NOBODY}") == set()


def test_colleagues_are_found_by_role_and_sorted_as_wanted(identity: Any) -> None:
    people = identity.people
    identity.call("PATCH", f"/departments/{people.south}", people.admin, {"name": "A区"}, If_Match='"1"')

    def logins(query: str) -> list[str]:
        return [item["login"] for item in identity.call("GET", f"/members?{query}", people.sales).json["items"]]

    assert logins(f"role_id={people.role_ids['supervisor']}&sort=login") == ["rival_supervisor", "supervisor"]
    assert logins("sort=login") == sorted(people.members)
    assert logins("sort=-login&page_size=2") == ["supervisor", "sales"]
    assert set(logins("sort=department&page_size=2")) == {"rival", "rival_supervisor"}


def test_the_list_of_colleagues_shows_no_phone_and_nobody_who_left(identity: Any) -> None:
    people = identity.people
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)

    active = identity.call("GET", "/members", people.sales)
    left = identity.call("GET", "/members?active=false", people.sales)

    assert "13800000000" not in active.text
    assert str(people.rival.id) not in active.text
    assert [item["login"] for item in left.json["items"]] == ["rival"]
    assert left.json["items"][0]["department"] == {"id": str(people.south), "name": "华南销售部"}


@pytest.mark.parametrize(
    "query", ["page=0", "page=99999999999999999999", "page_size=201", "department_id=x", "active=maybe", "sort=age"]
)
def test_a_malformed_query_is_a_422(identity: Any, query: str) -> None:
    assert identity.call("GET", f"/members?{query}", identity.people.sales).status_code == 422


def test_a_change_needs_the_current_version_and_is_recorded_with_its_author(identity: Any) -> None:
    admin, sales = identity.people.admin, identity.people.sales
    path, move = f"/members/{sales.id}", {"department_id": str(identity.people.south), "phone": None}

    assert identity.call("PATCH", path, admin, move).status_code == 428
    changed = identity.call("PATCH", path, admin, move, If_Match='"1"')
    stale = identity.call("PATCH", path, admin, {"name": "张四"}, If_Match='"1"')

    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert stale.status_code == 412
    assert stale.json["conflicts"] == [{"pointer": "/name", "yours": "张四", "current": "张三"}]
    with identity.service.database.reading() as session:
        entry = session.execute(select(audit_entries)).one()
    assert (entry.action, entry.actor_id, entry.subject_id) == ("member.changed", admin.id, sales.id)
    assert (entry.before["phone"], entry.after["phone"]) == ("13800000000", None)


def test_a_change_that_changes_nothing_is_no_event(identity: Any) -> None:
    sales = identity.people.sales

    reply = identity.call("PATCH", f"/members/{sales.id}", identity.people.admin, {"name": "张三"}, If_Match='"1"')

    assert (reply.status_code, reply.headers["ETag"]) == (200, '"1"')
    assert identity.service.outbox(pb.MemberChanged) == []


def test_other_roles_revoke_the_tokens_issued_under_the_old_ones(identity: Any) -> None:
    people = identity.people
    roles = {"role_ids": [str(people.role_ids["supervisor"])]}

    identity.call("PATCH", f"/members/{people.sales.id}", people.admin, roles, If_Match='"1"')

    assert identity.call("GET", "/auth/me", people.sales).json["code"] == "token_revoked"
    assert identity.service.outbox(pb.MemberChanged)[-1].members[0].epoch == 1
    assert [role["key"] for role in identity.log_in("sales").json["member"]["roles"]] == ["supervisor"]


def test_whoever_leaves_heads_nothing_any_more_and_the_others_are_told(identity: Any) -> None:
    people = identity.people
    east = f"/departments/{people.east}"
    identity.call("PATCH", east, people.admin, {"head_id": str(people.supervisor.id)}, If_Match='"1"')

    identity.call("POST", f"/members/{people.supervisor.id}:deactivate", people.admin)
    again = identity.call("POST", f"/members/{people.supervisor.id}:deactivate", people.admin)

    assert (again.status_code, again.json["active"]) == (200, False)
    [left] = identity.service.outbox(pb.MemberDeactivated)
    assert (left.members[0].active, left.members[0].epoch, left.members[0].version) == (False, 1, 2)
    assert identity.call("GET", east, people.admin).json["head_id"] is None
    assert identity.service.outbox(pb.DepartmentChanged)[-1].departments[0].head_id == ""


def test_the_last_administrator_neither_leaves_nor_loses_the_right(identity: Any) -> None:
    admin = identity.people.admin
    role_id = identity.people.role_ids["administrator"]
    path = f"/members/{admin.id}"

    replies = [
        identity.call("POST", f"{path}:deactivate", admin),
        identity.call("PATCH", path, admin, {"role_ids": []}, If_Match='"1"'),
        identity.call("PATCH", f"/roles/{role_id}", admin, {"permissions": ["customer.read"]}, If_Match='"1"'),
    ]

    assert [(reply.status_code, reply.json["code"]) for reply in replies] == [(409, "last_administrator")] * 3
    assert identity.log_in("admin").status_code == 200
    assert identity.service.outbox(pb.MemberDeactivated) == []


def test_two_administrators_who_dismiss_each_other_at_once_do_not_both_succeed(identity: Any) -> None:
    people, database = identity.people, identity.service.database
    roles = {"role_ids": [str(people.role_ids["administrator"])]}
    identity.call("PATCH", f"/members/{people.rival.id}", people.admin, roles, If_Match='"1"')

    def dismiss_admin() -> None:
        with database.transaction() as session:
            commands.deactivate(session, people.rival.id, people.admin.id)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            commands.deactivate(session, people.admin.id, people.rival.id)
            other = pool.submit(dismiss_admin)
            until = time.monotonic() + 30
            while not (other.done() or _somebody_waits(identity)) and time.monotonic() < until:
                time.sleep(0.02)

        with pytest.raises(Conflict, match="last_administrator"):
            other.result()


def _somebody_waits(identity: Any) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with identity.service.database.reading() as session:
        return bool(session.scalar(waiting))


def test_an_unknown_member_is_a_404(identity: Any) -> None:
    for method, path in (("GET", ""), ("POST", ":deactivate"), ("POST", ":reset-password")):
        assert identity.call(method, f"/members/{NOBODY}{path}", identity.people.admin).status_code == 404
