"""Streams of hints, against a real push process."""

import asyncio
import json
import time
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import text

from chassis.auth.tokens import Claims
from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as identity
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.push.events import DIRECTORY
from crm_notify.push.hub import STREAMS_A_MEMBER
from crm_notify.push.rules import Stream
from services.notify.tests.support import PushProcess, change, changed, eventually, post, receive
from tests.support.organisation import Member
from tests.support.services import OpenService


def _assign(notify: OpenService, owner: Member) -> None:
    receive(notify, ASSIGNMENTS, changed(change(owner), actor=notify.organisation.supervisor))


def _hint(unread: int) -> str:
    return json.dumps({"kind": "notifications", "unread": unread})


def _directory(notify: OpenService, member: Member, message: Any, **changes: Any) -> None:
    state = notify.organisation.member_state(member, version=2)
    for name, value in changes.items():
        setattr(state, name, value)
    receive(notify, DIRECTORY, message(members=[state]))


def test_a_stream_begins_with_what_is_unread_and_hints_at_what_comes(notify: OpenService, push: PushProcess) -> None:
    sales = notify.organisation.sales
    _assign(notify, sales)

    with push.stream(sales) as events:
        headers = events.reply.headers
        assert headers["Content-Type"].startswith("text/event-stream")
        assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")
        assert events.next_line("retry:") == "retry: 3000"
        assert events.next_hint() == _hint(1)
        _assign(notify, sales)
        assert events.next_hint() == _hint(2)
        post(notify, sales, "/notifications:read-all")
        assert events.next_hint() == _hint(0)


def test_openings_are_measured_and_the_streams_that_are_open(notify: OpenService, push: PushProcess) -> None:
    series = 'http_server_request_duration_seconds_count{{method="GET",route="{}",status="{}"}} 1.0'
    assert push.get(None).headers["X-Request-Id"]
    push.get(None, "/api/v1/elsewhere")

    with push.stream(notify.organisation.sales) as events:
        events.next_hint()
        assert push.metric('crm_push_streams{state="open"} 1.0')
        assert push.metric(series.format("/notifications/stream", 200))
    assert push.metric(series.format("/notifications/stream", 401))
    assert push.metric(series.format("none", 404))


def test_others_hear_nothing(notify: OpenService, push: PushProcess) -> None:
    people = notify.organisation

    with push.stream(people.sales) as mine, push.stream(people.colleague) as theirs:
        assert mine.next_hint() == theirs.next_hint() == _hint(0)
        _assign(notify, people.sales)
        _assign(notify, people.sales)
        assert eventually(lambda: mine.next_hint() == _hint(2))
        _assign(notify, people.colleague)
        assert theirs.next_hint() == _hint(1)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        (None, "token_missing"),
        ({"exp": 1}, "token_expired"),
        ({"epoch": -1}, "token_revoked"),
        ({"aud": "x"}, "token_invalid"),
    ],
)
def test_no_stream_without_a_valid_token(
    notify: OpenService, push: PushProcess, claims: dict[str, Any] | None, code: str
) -> None:
    token = None if claims is None else notify.keys.access_token(notify.organisation.sales.id, **claims)

    reply = push.get(token)

    assert (reply.status_code, reply.json()["code"]) == (401, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_another_address_or_method_is_a_problem_too(notify: OpenService, push: PushProcess) -> None:
    token = notify.keys.access_token(notify.organisation.sales.id)

    assert push.get(token, "/api/v1/notifications/streams").json()["code"] == "route_not_found"


@pytest.mark.parametrize(
    ("message", "changes"), [(identity.MemberDeactivated, {"active": False}), (identity.MemberChanged, {"epoch": 1})]
)
def test_a_stream_ends_when_its_member_is_deactivated_or_logged_out(
    notify: OpenService, push: PushProcess, message: Any, changes: dict[str, Any]
) -> None:
    people = notify.organisation

    with push.stream(people.sales) as mine, push.stream(people.colleague) as theirs:
        mine.next_hint()
        theirs.next_hint()
        _directory(notify, people.sales, message, **changes)
        assert mine.rest() == []
        _assign(notify, people.colleague)
        assert theirs.next_hint() == _hint(1)
    assert push.get(notify.keys.access_token(people.sales.id)).json()["code"] == "token_revoked"


def test_a_change_of_a_member_that_takes_no_right_keeps_the_stream(notify: OpenService, push: PushProcess) -> None:
    sales = notify.organisation.sales

    with push.stream(sales) as events:
        events.next_hint()
        _directory(notify, sales, identity.MemberChanged, name="张三丰")
        _assign(notify, sales)
        assert events.next_hint() == _hint(1)


def test_a_stream_ends_with_its_token() -> None:
    claims = Claims(new_id(), new_id(), epoch=0, expires_at=int(time.time()) + 1)

    async def frames() -> list[str]:
        return [frame async for frame in Stream(claims).frames()]

    assert asyncio.run(frames()) == ["retry: 3000\n\n", ": ping\n\n"]


def test_a_member_has_a_limited_number_of_streams_and_a_closed_one_frees_its_place(
    notify: OpenService, push: PushProcess
) -> None:
    people = notify.organisation
    token = notify.keys.access_token(people.sales.id)
    with ExitStack() as streams:
        held = [streams.enter_context(push.stream(people.sales)) for _ in range(STREAMS_A_MEMBER)]
        assert {events.next_hint() for events in held} == {_hint(0)}
        refused = push.get(token)
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        assert refused.headers["Retry-After"] == "30"
        streams.enter_context(push.stream(people.colleague)).next_hint()

    eventually(lambda: push.metric('crm_push_streams{state="open"} 0.0'))
    with push.stream(people.sales) as again:
        assert again.next_hint() == _hint(0)


def test_hints_go_on_after_the_database_dropped_the_listener(notify: OpenService, push: PushProcess) -> None:
    sales = notify.organisation.sales

    with push.stream(sales) as events:
        events.next_hint()
        with notify.database.transaction() as session:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            session.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
        _assign(notify, sales)
        assert eventually(lambda: events.next_hint() == _hint(1))


def test_a_process_told_to_stop_ends_its_streams(notify: OpenService, push: PushProcess) -> None:
    with push.stream(notify.organisation.sales) as events:
        events.next_hint()
        push.stop()
        assert events.rest() == []


def test_its_health_is_that_of_every_service(notify: OpenService, push: PushProcess) -> None:
    assert push.health("/livez") == {"alive": True}
    assert push.health("/readyz") == {"ready": True, "failing": [], "degraded": []}
