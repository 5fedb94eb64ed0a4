"""Whoever is let go is out: of every service, of the stream that is open, of every session (Q-03, Q-18)."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from chassis.events.streams import subject_of
from chassis.identifiers import new_id
from crm.identity.v1.identity_events_pb2 import MemberDeactivated
from highsea_local.demo import steps
from highsea_local.demo.companies import rows
from highsea_local.demo.gateway import Person, until
from highsea_local.demo.seed import PASSWORD
from highsea_local.demo.workbook import workbook_bytes
from tests.support.whole import Whole

pytestmark = pytest.mark.system
PATHS = {"customer": "/customers", "pool": "/pools", "import": "/imports", "notify": "/notifications"}


@contextmanager
def _stream(whole: Whole, token: str) -> Iterator["Future[str]"]:
    """A stream that is open and has given its first hint; its future says how it ended."""
    url = f"{whole.system.gateway_url}/api/v1/notifications/stream"
    headers = {"Authorization": f"Bearer {token}"}
    with (
        ThreadPoolExecutor(1) as threads,
        httpx.stream("GET", url, headers=headers, timeout=60, trust_env=False) as reply,
    ):
        lines = reply.iter_lines()
        assert any(line.startswith("data:") for line in lines)
        yield threads.submit(lambda: f"ended after {len(list(lines))} more lines")


def _log_in(whole: Whole, login: str) -> httpx.Response:
    body = {"login": login, "password": PASSWORD}
    return httpx.post(f"{whole.system.gateway_url}/api/v1/auth/login", json=body, trust_env=False, timeout=30)


def _answer(whole: Whole, path: str, token: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"}
    reply = httpx.get(f"{whole.system.gateway_url}/api/v1{path}", headers=headers, trust_env=False, timeout=30)
    return reply.status_code, json.loads(reply.content).get("code", "")


def _deactivation(whole: Whole, member_id: str) -> Any:
    """The id of the event that told of it."""
    told = whole.rows(
        "identity", "SELECT event_id, payload FROM outbox WHERE subject = %s", [subject_of(MemberDeactivated)]
    )
    [event_id] = [
        row["event_id"]
        for row in told
        if member_id in {member.id for member in MemberDeactivated.FromString(row["payload"]).members}
    ]
    return event_id


def _arrived(whole: Whole, service: str, event_id: Any) -> bool:
    """Whether a service has kept what the event says: its directory's inbox is written in the same transaction."""
    rows = whole.rows(service, "SELECT durable FROM inbox WHERE event_id = %s", [event_id])
    return f"{service}-directory" in {row["durable"] for row in rows}


@pytest.fixture
def leaver(whole: Whole) -> Person:
    """Somebody whom every service knows."""
    person = whole.hire("sales", "离职者")
    for path in PATHS.values():
        until(lambda path=path: person.get(path))  # type: ignore[misc]
    return person


def test_whoever_is_let_go_is_refused_by_each_service_from_the_moment_it_knows(whole: Whole, leaver: Person) -> None:
    login, admin = leaver.member["login"], whole.person("administrator")
    begun = _log_in(whole, login)
    token, cookie = begun.json()["access_token"], begun.headers["Set-Cookie"].partition(";")[0]

    with _stream(whole, token) as ended:
        assert not ended.done()
        admin.post(f"/members/{leaver.id}:deactivate")

        # Identity's own answer, its sessions and its logins need no event.
        refreshed = httpx.post(
            f"{whole.system.gateway_url}/api/v1/auth/refresh", headers={"Cookie": cookie}, trust_env=False, timeout=30
        )
        assert (refreshed.status_code, refreshed.json()["code"]) == (401, "session_ended")
        assert _answer(whole, "/auth/me", token) == (401, "token_revoked")
        assert _log_in(whole, login).status_code == 401

        event_id = _deactivation(whole, leaver.id)
        for service, path in PATHS.items():
            until(lambda service=service: _arrived(whole, service, event_id))  # type: ignore[misc]
            assert _answer(whole, path, token) == (401, "token_revoked"), service
        assert ended.result(timeout=60).startswith("ended")
    assert _answer(whole, "/notifications/stream", token) == (401, "token_revoked")


def test_whoever_comes_back_logs_in_anew_while_what_they_had_stays_closed(whole: Whole, leaver: Person) -> None:
    login, admin = leaver.member["login"], whole.person("administrator")
    before = _log_in(whole, login).json()["access_token"]
    admin.post(f"/members/{leaver.id}:deactivate")

    admin.post(f"/members/{leaver.id}:activate")

    again = Person(whole.system.gateway_url, login, PASSWORD)
    for path in PATHS.values():
        until(lambda path=path: again.get(path))  # type: ignore[misc]
        assert _answer(whole, path, before) == (401, "token_revoked")


def test_an_import_that_a_leaver_has_under_way_ends_with_the_event_and_writes_nothing(
    whole: Whole, leaver: Person
) -> None:
    admin, tag = whole.person("administrator"), new_id().hex[-8:]
    with whole.without("import-process"):
        job = leaver.upload("/imports", "离职.csv", f"客户名称\n离职导入{tag}\n".encode())
        mapping = [{"column": 0, "field": "name"}]
        leaver.patch(f"/imports/{job['id']}", {"mode": "create_only", "mapping": mapping}, job["version"])
        leaver.post(f"/imports/{job['id']}:start")

        admin.post(f"/members/{leaver.id}:deactivate")
        event_id = _deactivation(whole, leaver.id)
        until(lambda: _arrived(whole, "import", event_id))

        ended = admin.get(f"/imports/{job['id']}")
        assert (ended["status"], ended["failure_code"]) == ("failed", "importer_not_allowed")
    # Whoever works now works on what comes after it.
    operations = whole.person("operations")
    steps.import_workbook(operations, "之后.xlsx", workbook_bytes(rows(5, 7, f"后{tag}")), whole.pool()["id"])
    assert admin.get(f"/imports/{job['id']}")["status"] == "failed"
    assert admin.get("/customers", search=f"离职导入{tag}")["total"] == 0
