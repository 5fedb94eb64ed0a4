"""Announcements: told once to each, step by step, counted, read, withdrawn."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from chassis.audit import AuditFilter, find_audit
from chassis.errors import Unavailable
from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as pb
from crm_notify.announcements import commands
from crm_notify.announcements.due import tell_announced
from directory import store
from services.notify.tests.support import get, ledger, listed, statuses
from tests.support.organisation import Member
from tests.support.services import OpenService

EVERYBODY = {"everybody": True}


def _post(notify: OpenService, member: Member, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    return notify.client.post(f"/api/v1{path}", json=body or {}, headers=notify.headers(member, **headers))


def _publish(notify: OpenService, audience: dict[str, Any] = EVERYBODY, **headers: str) -> Any:
    body = {"title": "国庆放假", "text": "十月一日至七日放假。", "audience": audience}
    reply = _post(notify, notify.organisation.operations, "/announcements", body, **headers)
    assert reply.status_code == 201, reply.json
    return reply.json


def _work(notify: OpenService) -> None:
    """As workers do until nothing is left."""
    while tell_announced(notify.runtime):
        pass


def _show(notify: OpenService, made: dict[str, Any], member: Member | None = None) -> Any:
    return get(notify, member or notify.organisation.operations, f"/announcements/{made['id']}").json


def _told(notify: OpenService) -> Counter[str]:
    """How often each member has been told, by name."""
    ids = {str(member.id): member.name for member in notify.organisation.members.values()}
    with notify.database.reading() as session:
        return Counter(ids[str(id_)] for id_ in session.scalars(text("SELECT member_id FROM notifications")))


def _prefer(notify: OpenService, member: Member, matrix: dict[str, Any], path: str = "/preferences") -> None:
    headers = notify.headers(member, If_Match='"0"')
    reply = notify.client.put(f"/api/v1{path}", json={"matrix": matrix}, headers=headers)
    assert reply.status_code == 200, reply.json


@pytest.fixture
def in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of two members."""
    monkeypatch.setattr(commands, "STEP", 2)


@contextmanager
def _dying_at(notify: OpenService, number: int) -> Iterator[list[str]]:
    """Loses the connection before the statement of this number; yields the statements until then."""
    seen: list[str] = []

    def die(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)
        if len(seen) == number:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    event.listen(notify.database.engine, "before_cursor_execute", die)
    yield seen
    event.remove(notify.database.engine, "before_cursor_execute", die)


def test_everybody_but_the_author_is_told_once_and_their_reading_is_counted(
    notify: OpenService, in_pairs: None
) -> None:
    people = notify.organisation
    made = _publish(notify)
    assert (made["status"], made["progress"]) == ("telling", {"receivers": 6, "told": 0, "read": 0})
    tell_announced(notify.runtime)
    assert _show(notify, made)["progress"] == {"receivers": 6, "told": 2, "read": 0}
    _work(notify)
    assert _told(notify) == {member.name: 1 for key, member in people.members.items() if key != "operations"}
    (told,) = listed(notify, people.sales, Accept_Language="en")
    assert (told["title"], told["text"]) == (
        "Announcement: 国庆放假",
        "运营小陈 announced: 十月一日至七日放假。",
    )
    assert told["subject"] == {"type": "announcement", "id": made["id"]}
    _post(notify, people.sales, f"/notifications/{told['id']}:read")
    done = _show(notify, made)
    assert (done["status"], done["progress"]) == ("told", {"receivers": 6, "told": 6, "read": 1})
    assert _show(notify, made, people.sales)["read_at"]


def test_an_audience_is_whoever_one_of_its_lists_names(notify: OpenService) -> None:
    people, group, left = notify.organisation, new_id(), notify.organisation.rival
    with notify.database.transaction() as session:
        ids = [str(people.rival_supervisor.id), str(left.id)]
        store.store_groups(session, [pb.Group(id=str(group), version=1, name="组", member_ids=ids)])
        state = people.member_state(left, 2)
        state.active = False
        store.store_members(session, [state])
    everybody = {"东区主管", "张三", "李四", "南区主管", "管理员"}
    for audience, expected in (
        ({"department_ids": [str(people.east)]}, {"东区主管", "张三", "李四"}),
        ({"department_ids": [str(people.company)]}, everybody),
        ({"role_ids": [str(people.role_ids["administrator"])]}, {"管理员"}),
        ({"group_ids": [str(group)]}, {"南区主管"}),
        ({"group_ids": [str(group)], "member_ids": [str(people.sales.id)]}, {"南区主管", "张三"}),
        (EVERYBODY, everybody),
    ):
        counted = _post(notify, people.operations, "/announcements:count", audience).json
        made = _publish(notify, audience)
        _work(notify)
        told = {
            member.name
            for member in people.members.values()
            if member is not left and get(notify, member, "/notifications").json["items"]
        }
        with notify.database.transaction() as session:
            session.execute(text("DELETE FROM notifications"))
        assert told == expected
        assert counted["receivers"] == made["progress"]["receivers"] == len(expected)


def test_a_step_that_dies_at_any_statement_leaves_nobody_out_and_tells_nobody_twice(
    notify: OpenService, in_pairs: None
) -> None:
    made = _publish(notify)
    with _dying_at(notify, 0) as whole:
        tell_announced(notify.runtime)
    assert len(whole) > 4
    for number in range(1, len(whole) + 1):
        before = _show(notify, made)["progress"]["told"]
        with _dying_at(notify, number), pytest.raises(Unavailable):
            tell_announced(notify.runtime)
        assert _show(notify, made)["progress"]["told"] == before
    _work(notify)
    assert set(_told(notify).values()) == {1}
    assert _show(notify, made)["progress"]["told"] == 6


def test_members_are_told_as_their_preferences_say(notify: OpenService, in_pairs: None) -> None:
    people = notify.organisation
    _prefer(notify, people.admin, {"announcement": {"email": "now"}}, "/preferences/defaults")
    _prefer(notify, people.sales, {"announcement": {"in_app": "off", "email": "off"}})
    made = _publish(notify)
    _work(notify)
    queued = {row["member"]["id"] for row in ledger(notify) if row["status"] == "queued"}
    everybody = {str(member.id) for key, member in people.members.items() if key != "operations"}
    assert queued == everybody - {str(people.sales.id)}
    assert (listed(notify, people.sales), len(listed(notify, people.colleague))) == ([], 1)
    assert _show(notify, made)["progress"]["told"] == 6


def test_a_withdrawn_announcement_leaves_every_inbox_and_the_queue(notify: OpenService, in_pairs: None) -> None:
    people = notify.organisation
    _prefer(notify, people.admin, {"announcement": {"email": "now"}}, "/preferences/defaults")
    made = _publish(notify)
    tell_announced(notify.runtime)
    assert statuses(notify) == ["queued", "queued"]
    path = f"/announcements/{made['id']}:withdraw"
    withdrawn = _post(notify, people.operations, path).json
    assert withdrawn["status"] == "withdrawing"
    _work(notify)
    again = _post(notify, people.admin, path).json
    assert (again["status"], again["withdrawn_at"]) == ("withdrawn", withdrawn["withdrawn_at"])
    assert [listed(notify, member) for member in people.members.values()] == [[]] * 7
    assert again["progress"]["told"] == 2
    assert [(row["status"], row["last_error"]) for row in ledger(notify)] == [
        ("suppressed", "Withdrawn before it was sent")
    ] * 2
    with notify.database.reading() as session:
        entries = find_audit(session, AuditFilter(action="announcement."), None, 10)
        assert set(session.scalars(text("SELECT parameters ->> 'title' FROM notifications"))) == {None}
    assert [(entry.action, entry.actor_id) for entry in entries] == [
        ("announcement.withdrawn", people.operations.id),
        ("announcement.published", people.operations.id),
    ]


def test_members_read_what_they_were_told_and_announcers_read_all(notify: OpenService) -> None:
    people = notify.organisation
    for_sales = _publish(notify, {"member_ids": [str(people.sales.id)]})
    for_rival = _publish(notify, {"member_ids": [str(people.rival.id)]})
    _work(notify)
    ids = lambda member: [one["id"] for one in get(notify, member, "/announcements").json["items"]]
    assert ids(people.sales) == [for_sales["id"]]
    assert ids(people.colleague) == []
    assert ids(people.admin) == ids(people.operations) == [for_rival["id"], for_sales["id"]]
    shown = _show(notify, for_sales, people.sales)
    assert (shown["text"], shown["audience"], shown["progress"]) == ("十月一日至七日放假。", None, None)
    assert get(notify, people.sales, f"/announcements/{for_rival['id']}").status_code == 404
    _post(notify, people.admin, f"/announcements/{for_sales['id']}:withdraw")
    assert ids(people.sales) == []
    assert get(notify, people.sales, f"/announcements/{for_sales['id']}").status_code == 404


def test_a_repetition_announces_nothing_twice(notify: OpenService) -> None:
    first, again = (_publish(notify, Idempotency_Key="once") for _ in range(2))
    assert first["id"] == again["id"]
    assert get(notify, notify.organisation.admin, "/announcements").json["total"] == 1


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"audience": {}}, "/audience", "everybody_or_some"),
        ({"audience": {"everybody": True, "member_ids": [str(new_id())]}}, "/audience", "everybody_or_some"),
        ({"title": ""}, "/title", "string_too_short"),
        ({"title": "长" * 201}, "/title", "string_too_long"),
        ({"text": "长" * 10_001}, "/text", "string_too_long"),
        *(
            ({"audience": {name: [str(new_id())]}}, f"/audience/{name}/0", "not_in_directory")
            for name in ("department_ids", "role_ids", "group_ids", "member_ids")
        ),
    ],
)
def test_what_cannot_be_announced_is_named(
    notify: OpenService, change: dict[str, Any], pointer: str, code: str
) -> None:
    body = {"title": "好", "text": "好", "audience": EVERYBODY} | change
    refused = _post(notify, notify.organisation.operations, "/announcements", body)
    assert refused.status_code == 422
    assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [(pointer, code)]


def test_only_who_may_announces_counts_or_withdraws(notify: OpenService) -> None:
    people = notify.organisation
    made = _publish(notify)
    body = {"title": "好", "text": "好", "audience": EVERYBODY}
    for path, sent in (
        ("/announcements", body),
        ("/announcements:count", EVERYBODY),
        (f"/announcements/{made['id']}:withdraw", {}),
    ):
        refused = _post(notify, people.supervisor, path, sent)
        assert (refused.status_code, refused.json["permission"]) == (403, "notify.announce")
