"""Streams of hints, against a real push process."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from chassis.auth.tokens import Claims
from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as identity
from crm.imports.v1 import imports_events_pb2 as imports
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.imports.events import IMPORTS
from crm_notify.notifications.due import wake_snoozed
from crm_notify.push.events import DIRECTORY
from crm_notify.push.hub import STREAMS_A_MEMBER
from crm_notify.push.rules import Stream
from crm_notify.service import SERVICE
from directory import store
from services.notify.tests.support import PushProcess, change, changed, eventually, listed, post, pushing, receive
from tests.support.organisation import Member
from tests.support.services import Opener, OpenService


@pytest.fixture(scope="module")
def push(services: Opener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushProcess]:
    """One push process for all tests that have members of their own."""
    with services.open(SERVICE) as opened, pushing(opened, tmp_path_factory.mktemp("push") / "push.log") as process:
        yield process


@pytest.fixture
def own_push(services: Opener, tmp_path: Path) -> Iterator[PushProcess]:
    """A push process for a test that counts, or breaks something."""
    with services.open(SERVICE) as opened, pushing(opened, tmp_path / "push.log") as process:
        yield process


@pytest.fixture
def notify(push: PushProcess) -> OpenService:
    """The service of `push`."""
    return push.opened


@pytest.fixture
def sales(notify: OpenService) -> Member:
    """Somebody new."""
    return _hired(notify)


@pytest.fixture
def colleague(notify: OpenService) -> Member:
    """Somebody else who is new."""
    return _hired(notify)


def _hired(notify: OpenService) -> Member:
    id_ = new_id()
    member = Member(id_, "新人", "sales", notify.organisation.east, email=f"{id_.hex}@example.test")
    with notify.database.transaction() as session:
        store.store_members(session, [notify.organisation.member_state(member)])
    return member


def _assign(notify: OpenService, owner: Member) -> None:
    receive(notify, ASSIGNMENTS, changed(change(owner), actor=notify.organisation.supervisor))


def _hint(unread: int) -> str:
    return json.dumps({"kind": "notifications", "unread": unread})


def _directory(notify: OpenService, member: Member, message: Any, **changes: Any) -> None:
    state = notify.organisation.member_state(member, version=2)
    for name, value in changes.items():
        setattr(state, name, value)
    receive(notify, DIRECTORY, message(members=[state]))


def test_a_stream_begins_with_what_is_unread_and_hints_at_what_comes(
    notify: OpenService, push: PushProcess, sales: Member
) -> None:
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


def test_every_process_hints_and_a_stream_that_comes_back_learns_the_count(
    notify: OpenService, push: PushProcess, sales: Member, tmp_path: Path
) -> None:
    with pushing(notify, tmp_path / "second.log") as second:
        with push.stream(sales) as one, second.stream(sales) as other:
            assert one.next_hint() == other.next_hint() == _hint(0)
            _assign(notify, sales)
            assert one.next_hint() == other.next_hint() == _hint(1)
        _assign(notify, sales)  # told while none of the streams is open
        with second.stream(sales) as again:
            assert again.next_hint() == _hint(2)


def test_what_goes_out_of_sight_or_comes_back_is_hinted(notify: OpenService, push: PushProcess, sales: Member) -> None:
    _assign(notify, sales)
    path = f"/api/v1/notifications/{listed(notify, sales)[0]['id']}"

    def act(name: str, body: dict[str, str]) -> None:
        assert notify.client.post(f"{path}:{name}", json=body, headers=notify.headers(sales)).status_code == 200

    with push.stream(sales) as events:
        assert events.next_hint() == _hint(1)
        act("snooze", {"until": (datetime.now(UTC) + timedelta(hours=1)).isoformat()})
        assert events.next_hint() == _hint(0)
        with notify.database.transaction() as session:
            session.execute(text("UPDATE notifications SET snoozed_until = now() WHERE snoozed_until IS NOT NULL"))
        wake_snoozed(notify.runtime)
        assert events.next_hint() == _hint(1)
        act("dismiss", {})
        assert events.next_hint() == _hint(0)
        act("restore", {})
        assert events.next_hint() == _hint(1)


def test_a_message_and_its_withdrawal_are_hinted(
    notify: OpenService, push: PushProcess, sales: Member, colleague: Member
) -> None:
    headers = notify.headers(colleague)
    with push.stream(sales) as events:
        assert events.next_hint() == _hint(0)
        body = {"receiver_ids": [str(sales.id)], "text": "明天见"}
        message = notify.client.post("/api/v1/messages", json=body, headers=headers).json
        assert events.next_hint() == _hint(1)
        notify.client.post(f"/api/v1/messages/{message['id']}:withdraw", json={}, headers=headers)
        assert events.next_hint() == _hint(0)


def test_progress_of_an_import_is_hinted_to_whoever_started_it(
    notify: OpenService, push: PushProcess, sales: Member, colleague: Member
) -> None:
    id_ = str(new_id())
    made = imports.ProgressMade(kind="import", id=id_, member_id=str(sales.id))
    with push.stream(sales) as mine, push.stream(colleague) as theirs:
        assert mine.next_hint() == theirs.next_hint() == _hint(0)
        receive(notify, IMPORTS, made, made)
        assert json.loads(mine.next_hint()) == {"kind": "import", "id": id_}
        _assign(notify, colleague)
        assert theirs.next_hint() == _hint(1)


def test_openings_are_measured_and_the_streams_that_are_open(own_push: PushProcess) -> None:
    series = 'http_server_request_duration_seconds_count{{method="GET",route="{}",status="{}"}} 1.0'
    assert own_push.get(None).headers["X-Request-Id"]
    own_push.get(None, "/api/v1/elsewhere")

    with own_push.stream(own_push.opened.organisation.sales) as events:
        events.next_hint()
        assert own_push.metric('crm_push_streams{state="open"} 1.0')
        assert own_push.metric(series.format("/notifications/stream", 200))
    assert own_push.metric(series.format("/notifications/stream", 401))
    assert own_push.metric(series.format("none", 404))


def test_others_hear_nothing(notify: OpenService, push: PushProcess, sales: Member, colleague: Member) -> None:
    with push.stream(sales) as mine, push.stream(colleague) as theirs:
        assert mine.next_hint() == theirs.next_hint() == _hint(0)
        _assign(notify, sales)
        _assign(notify, sales)
        assert eventually(lambda: mine.next_hint() == _hint(2))
        _assign(notify, colleague)
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
    notify: OpenService, push: PushProcess, sales: Member, claims: dict[str, Any] | None, code: str
) -> None:
    token = None if claims is None else notify.keys.access_token(sales.id, **claims)

    reply = push.get(token)

    assert (reply.status_code, reply.json()["code"]) == (401, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_another_address_or_method_is_a_problem_too(notify: OpenService, push: PushProcess, sales: Member) -> None:
    token = notify.keys.access_token(sales.id)

    assert push.get(token, "/api/v1/notifications/streams").json()["code"] == "route_not_found"


@pytest.mark.parametrize(
    ("message", "changes"), [(identity.MemberDeactivated, {"active": False}), (identity.MemberChanged, {"epoch": 1})]
)
def test_a_stream_ends_when_its_member_is_deactivated_or_logged_out(
    notify: OpenService, push: PushProcess, sales: Member, colleague: Member, message: Any, changes: dict[str, Any]
) -> None:
    with push.stream(sales) as mine, push.stream(colleague) as theirs:
        mine.next_hint()
        theirs.next_hint()
        _directory(notify, sales, message, **changes)
        assert mine.rest() == []
        _assign(notify, colleague)
        assert theirs.next_hint() == _hint(1)
    assert push.get(notify.keys.access_token(sales.id)).json()["code"] == "token_revoked"


def test_a_change_of_a_member_that_takes_no_right_keeps_the_stream(
    notify: OpenService, push: PushProcess, sales: Member
) -> None:
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
    notify: OpenService, push: PushProcess, sales: Member, colleague: Member
) -> None:
    token = notify.keys.access_token(sales.id)
    with ExitStack() as streams:
        held = [streams.enter_context(push.stream(sales)) for _ in range(STREAMS_A_MEMBER)]
        assert {events.next_hint() for events in held} == {_hint(0)}
        refused = push.get(token)
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        assert refused.headers["Retry-After"] == "30"
        streams.enter_context(push.stream(colleague)).next_hint()

    eventually(lambda: push.metric('crm_push_streams{state="open"} 0.0'))
    with push.stream(sales) as again:
        assert again.next_hint() == _hint(0)


def test_hints_go_on_after_the_database_dropped_the_listener(own_push: PushProcess) -> None:
    notify = own_push.opened
    sales = notify.organisation.sales

    with own_push.stream(sales) as events:
        events.next_hint()
        with notify.database.transaction() as session:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            session.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
        _assign(notify, sales)
        assert eventually(lambda: events.next_hint() == _hint(1))


def test_a_process_told_to_stop_ends_its_streams(own_push: PushProcess) -> None:
    with own_push.stream(own_push.opened.organisation.sales) as events:
        events.next_hint()
        own_push.stop()
        assert events.rest() == []


def test_its_health_is_that_of_every_service(push: PushProcess) -> None:
    assert push.health("/livez") == {"alive": True}
    assert push.health("/readyz") == {"ready": True, "failing": [], "degraded": []}
