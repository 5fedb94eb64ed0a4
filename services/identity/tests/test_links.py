"""One-time links: how a member gets a password that nobody else ever knew (Q-03)."""

import base64
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from chassis import clock
from chassis.database.tables import audit_entries, idempotency_keys, outbox
from chassis.wording import catalogue
from crm_identity.credentials.model import PasswordLink
from crm_identity.organisation.model import Member

NOBODY = "00000000-0000-7000-8000-000000000000"
NEW = "set by a link"


def reset(identity: Any, key: str = "sales", **headers: str) -> Any:
    member = identity.people.members[key]
    return identity.call("POST", f"/members/{member.id}:reset-password", identity.people.admin, **headers)


def invite(identity: Any, ids: list[Any], **headers: str) -> Any:
    return identity.call(
        "POST", "/members:invite", identity.people.admin, {"member_ids": [str(id_) for id_ in ids]}, **headers
    )


def hire(identity: Any, login: str) -> Any:
    body = {
        "login": login,
        "name": "王新",
        "email": f"{login}@example.test",
        "department_id": str(identity.people.east),
    }
    return identity.call("POST", "/members", identity.people.admin, body).json


def refused(reply: Any) -> bool:
    return (reply.status_code, reply.json["code"]) == (401, "password_link_invalid")


def test_a_reset_ends_the_old_password_at_once_and_its_link_begins_a_session_with_a_new_one(identity: Any) -> None:
    before = identity.log_in("sales").json

    link = reset(identity).json["password_link"]

    assert identity.log_in("sales").status_code == 401
    assert identity.with_token("GET", "/auth/me", before["access_token"]).json["code"] == "token_revoked"
    set_now = identity.redeem(link)
    assert set_now.status_code == 200
    assert "HttpOnly" in set_now.headers["Set-Cookie"]
    assert identity.with_token("GET", "/auth/me", set_now.json["access_token"]).json["login"] == "sales"
    assert identity.log_in("sales", NEW).status_code == 200


def test_a_password_set_by_a_link_ends_the_sessions_begun_before(identity: Any) -> None:
    link = hire(identity, "wang.xin")["password_link"]
    invited = invite(identity, [identity.people.colleague.id]).json["results"][0]
    assert invited["code"] == "password_exists"
    first = identity.redeem(link)
    again = identity.call("POST", f"/members/{first.json['member']['id']}:reset-password", identity.people.admin)

    identity.redeem(again.json["password_link"], "another horse")

    cookie = first.headers["Set-Cookie"].partition(";")[0]
    assert identity.call("POST", "/auth/refresh", Cookie=cookie).status_code == 401


def test_used_expired_replaced_voided_and_invented_links_get_one_and_the_same_answer(identity: Any) -> None:
    people = identity.people
    links = {key: reset(identity, key).json["password_link"] for key in ("sales", "colleague", "rival", "supervisor")}
    assert identity.redeem(links["sales"]).status_code == 200
    with identity.service.database.transaction() as session:
        mine = PasswordLink.member_id == people.colleague.id
        session.execute(update(PasswordLink).where(mine).values(expires_at=clock.now()))
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)
    newer = reset(identity, "supervisor").json["password_link"]

    replies = [identity.redeem(link) for link in (*links.values(), "#invented")]

    assert all(refused(reply) for reply in replies)
    assert len({str({**reply.json, "trace_id": ""}) for reply in replies}) == 1
    assert identity.redeem(newer).status_code == 200
    # Whoever comes back does not find the old link open again.
    identity.call("POST", f"/members/{people.rival.id}:activate", people.admin)
    assert refused(identity.redeem(links["rival"]))


def test_a_changed_password_voids_a_link_that_is_under_way(identity: Any) -> None:
    from crm_identity.credentials.commands import make_link

    with identity.service.database.transaction() as session:
        link = make_link(session, None, identity.people.sales.id, clock.now())
    body = {"login": "sales", "password": identity.password, "new_password": "another horse"}
    assert identity.call("POST", "/auth/password", body=body).status_code == 200

    assert refused(identity.redeem(f"#{link.token}"))


def test_a_link_opens_for_three_days(identity: Any) -> None:
    shown = reset(identity).json["expires_at"]

    with identity.service.database.reading() as session:
        kept = session.scalars(select(PasswordLink)).one()
    assert shown == kept.expires_at.isoformat().replace("+00:00", "Z")
    assert timedelta(hours=71) < kept.expires_at - clock.now() <= timedelta(hours=72)


def test_of_two_who_follow_a_link_at_once_one_sets_the_password(identity: Any) -> None:
    link = reset(identity).json["password_link"]

    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(lambda number: identity.redeem(link, f"password {number}"), range(4)))

    assert sorted(reply.status_code for reply in replies) == [200, 401, 401, 401]


@pytest.mark.parametrize(
    ("new_password", "code"),
    [("short", "string_too_short"), ("x" * 129, "string_too_long"), ("Rival_Supervisor", "password_equals_login")],
)
def test_a_poor_password_does_not_use_the_link_up(identity: Any, new_password: str, code: str) -> None:
    link = reset(identity, "rival_supervisor").json["password_link"]

    reply = identity.redeem(link, new_password)

    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [("/new_password", code)]
    assert identity.redeem(link).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "x"},
        {"token": None, "new_password": "long enough"},
        {"token": "a\0b", "new_password": "long enough"},
        {"token": "\ud800", "new_password": "long enough"},
        {"token": "x" * 201, "new_password": "long enough"},
        {"token": "x", "new_password": ["long enough"]},
        {"token": "x", "new_password": "long enough", "login": "sales"},
    ],
)
def test_a_malformed_use_of_a_link_says_what_to_correct(identity: Any, body: Any) -> None:
    reply = identity.call("POST", "/auth/password:redeem", body=body)

    assert (reply.status_code, reply.json["code"]) == (422, "validation_failed")
    assert reply.json["errors"]


def test_links_are_guessed_no_oftener_than_passwords(identity: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("crm_identity.sessions.throttle.PER_ADDRESS", "3/15minutes")

    statuses = [identity.redeem(f"#{number}").status_code for number in range(4)]

    assert statuses == [401, 401, 401, 429]
    assert identity.redeem(reset(identity).json["password_link"]).status_code == 429


def test_the_token_of_a_link_is_nowhere_but_in_the_first_reply(identity: Any) -> None:
    replies = [
        hire(identity, "wang.xin"),
        reset(identity, Idempotency_Key="k1").json,
        invite(identity, [hire(identity, "li.xin")["id"]], Idempotency_Key="k2").json["results"][0],
    ]
    tokens = [reply["password_link"].partition("#")[2] for reply in replies]
    again = (
        reset(identity, Idempotency_Key="k1").json,
        invite(identity, [replies[2]["member_id"]], Idempotency_Key="k2").json["results"][0],
    )

    assert all(len(base64.urlsafe_b64decode(token + "=")) == 32 for token in tokens)
    assert [reply["password_link"] for reply in again] == [None, None]
    with identity.service.database.reading() as session:
        kept = [
            *session.scalars(select(idempotency_keys.c.reply)),
            *session.scalars(select(outbox.c.payload)),
            *(str(tuple(row)).encode() for row in session.execute(select(audit_entries))),
            *session.scalars(select(PasswordLink.token_hash)),
        ]
    assert len(kept) > 8
    assert [token for token in tokens if any(token.encode() in one for one in kept)] == []


def test_an_invitation_gives_links_to_those_without_a_password_and_the_reason_to_the_others(identity: Any) -> None:
    people = identity.people
    new, robot = hire(identity, "wang.xin"), {"login": "robot", "name": "同步", "service_account": True}
    account = identity.call("POST", "/members", people.admin, {**robot, "department_id": str(people.company)}).json
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)
    asked = [new["id"], str(people.sales.id), str(people.rival.id), account["id"], NOBODY, new["id"]]

    reply = invite(identity, asked, Accept_Language="en")

    assert (reply.status_code, reply.json["succeeded"], reply.json["skipped"]) == (200, 1, 4)
    assert [(row["member_id"], row["outcome"], row["code"]) for row in reply.json["results"]] == [
        (asked[0], "done", None),
        (asked[1], "skipped", "password_exists"),
        (asked[2], "skipped", "member_inactive"),
        (asked[3], "skipped", "service_account"),
        (asked[4], "skipped", "unknown_member"),
    ]
    assert all(row["message"] for row in reply.json["results"][1:])
    # The one made with the member is void now.
    assert refused(identity.redeem(new["password_link"]))
    assert identity.redeem(reply.json["results"][0]["password_link"]).status_code == 200


@pytest.mark.parametrize("ids", [[], ["x"], [NOBODY] * 201, None, "x"])
def test_a_malformed_invitation_is_refused_as_a_whole(identity: Any, ids: Any) -> None:
    reply = identity.call("POST", "/members:invite", identity.people.admin, {"member_ids": ids})

    assert reply.status_code == 422
    assert reply.json["errors"][0]["pointer"].startswith("/member_ids")


def test_who_made_a_link_and_that_it_was_used_is_in_the_audit(identity: Any) -> None:
    identity.redeem(reset(identity).json["password_link"])

    sales, admin = identity.people.sales.id, identity.people.admin.id
    with identity.service.database.reading() as session:
        entries = session.execute(select(audit_entries).order_by(audit_entries.c.id)).all()
    assert [(entry.action, entry.actor_id) for entry in entries] == [
        ("member.secret_reset", admin),
        ("member.password_link_made", admin),
        ("member.password_set", sales),
        ("member.logged_in", sales),
    ]
    assert {entry.subject_id for entry in entries} == {sales}


def test_the_last_login_is_remembered_without_telling_anyone(identity: Any) -> None:
    before = clock.now()
    identity.log_in("colleague")

    with identity.service.database.reading() as session:
        member = session.get_one(Member, identity.people.colleague.id)
        assert session.scalar(select(outbox.c.id)) is None
    assert member.version == 1
    assert member.last_login_at is not None
    assert before <= member.last_login_at <= clock.now()


def test_a_leaver_gets_no_link(identity: Any) -> None:
    people = identity.people
    identity.call("POST", f"/members/{people.sales.id}:deactivate", people.admin)

    reply = reset(identity)

    assert (reply.status_code, reply.json["code"]) == (409, "member_inactive")


def test_a_reset_service_account_gets_a_new_secret_and_the_old_one_opens_nothing(identity: Any) -> None:
    people = identity.people
    body = {"login": "robot", "name": "同步", "department_id": str(people.company), "service_account": True}
    made = identity.call("POST", "/members", people.admin, body).json
    old = {"client_id": "robot", "client_secret": made["client_secret"]}
    token = identity.call("POST", "/auth/service-token", body=old).json["access_token"]

    reply = identity.call("POST", f"/members/{made['id']}:reset-password", people.admin).json

    assert reply["password_link"] is None
    assert identity.with_token("GET", "/auth/me", token).json["code"] == "token_revoked"
    assert identity.call("POST", "/auth/service-token", body=old).status_code == 401
    new = {"client_id": "robot", "client_secret": reply["client_secret"]}
    assert identity.call("POST", "/auth/service-token", body=new).status_code == 200
    listed = identity.call("GET", "/members?service_account=true", people.admin).json["items"]
    assert [item["login"] for item in listed] == ["robot"]


def test_the_page_runs_and_loads_nothing_but_what_is_in_it(identity: Any) -> None:
    link = reset(identity).json["password_link"]
    path = link.partition("#")[0].removeprefix("http://127.0.0.1:8080/api/v1")

    page = identity.call("GET", path)

    assert (page.status_code, page.mimetype) == (200, "text/html")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    inside = {"script-src": r"<script>(.*?)</script>", "style-src": r"<style>(.*?)</style>"}
    for directive, pattern in inside.items():
        [text] = re.findall(pattern, page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[directive] == f"'sha256-{digest}'"
    assert not re.search(r"https?://|\son\w+=|style=|src=", page.text)
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_the_page_has_its_words_in_both_languages_and_begins_in_the_readers_own(identity: Any) -> None:
    pages = {
        language: identity.call("GET", "/auth/password", Accept_Language=language).text for language in ("zh", "en")
    }

    for language, text in pages.items():
        assert f'<html lang="{language}">' in text
        for words in (catalogue(("crm_identity",), "zh"), catalogue(("crm_identity",), "en")):
            assert words["password_page_title"] in text
        assert not re.search(r"\{(language|style|script|words|least|most|min_length|max_length)\}", text)
