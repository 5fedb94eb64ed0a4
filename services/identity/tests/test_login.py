"""Logging in: who gets a token, who does not, and how often one may try (Q-03)."""

from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select, update

from chassis.database.tables import audit_entries
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.credentials.model import Credential
from crm_identity.organisation.model import Member
from highsea_local.servers.valkey import ValkeyServer


def test_a_right_password_gives_a_token_that_says_only_who_and_until_when(identity: Any) -> None:
    reply = identity.log_in("Sales")

    assert reply.status_code == 200
    token = jwt.decode(reply.json["access_token"], KeySet.import_key_set(identity.call("GET", "/auth/jwks").json))
    assert set(token.claims) == {"iss", "sub", "sid", "epoch", "aud", "exp"}
    assert (token.claims["iss"], token.claims["aud"]) == ("highsea-identity", "highsea")
    assert token.header["kid"] == "access-1"
    assert identity.with_token("GET", "/auth/me", reply.json["access_token"]).json["login"] == "sales"


def test_the_reply_tells_the_client_what_it_may_show(identity: Any) -> None:
    reply = identity.log_in("supervisor").json

    assert (reply["token_type"], reply["expires_in"], reply["password_change_required"]) == ("Bearer", 600, False)
    member = reply["member"]
    assert member["id"] == str(identity.people.supervisor.id)
    assert [role["key"] for role in member["roles"]] == ["supervisor"]
    assert "pool.assign" in member["permissions"]
    assert "organisation.manage" not in member["permissions"]
    assert member["data_scope"] == "centre"


def test_the_refresh_token_is_beyond_the_reach_of_scripts_and_other_sites(identity: Any) -> None:
    cookie = identity.log_in("sales").headers["Set-Cookie"]

    for attribute in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/api/v1/auth"):
        assert attribute in cookie


def test_nobody_learns_whether_login_or_password_was_wrong(identity: Any) -> None:
    with identity.service.database.transaction() as session:
        session.execute(update(Member).where(Member.login == "rival").values(active=False))

    wrong_password = identity.log_in("sales", "wrong password")
    unknown = identity.log_in("nobody")
    left = identity.log_in("rival")

    bodies = [{**reply.json, "trace_id": ""} for reply in (wrong_password, unknown, left)]
    assert bodies[0] == bodies[1] == bodies[2]
    assert (wrong_password.status_code, wrong_password.json["code"]) == (401, "login_failed")


def test_five_failures_close_an_account_even_to_the_right_password(identity: Any) -> None:
    assert [identity.log_in("sales", "guess").status_code for _ in range(6)] == [401] * 5 + [429]

    refused = identity.log_in(" SALES ")

    assert (refused.status_code, refused.json["code"]) == (429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert identity.log_in("colleague").status_code == 200


def test_successes_use_up_no_budget(identity: Any) -> None:
    assert {identity.log_in("sales").status_code for _ in range(8)} == {200}


def test_fifty_failures_close_an_address_but_not_the_others_behind_the_gateway(identity: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("crm_identity.sessions.throttle.PER_ADDRESS", "3/15minutes")
    for number in range(3):
        identity.log_in(f"nobody-{number}", X_Forwarded_For="1.2.3.4, 203.0.113.7")

    assert identity.log_in("sales", X_Forwarded_For="198.51.100.1, 203.0.113.7").status_code == 429
    assert identity.log_in("sales", X_Forwarded_For="203.0.113.7, 203.0.113.8").status_code == 200


def test_an_address_claimed_by_anyone_but_the_gateway_is_not_believed(
    open_identity: Callable[..., Any], populated: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("crm_identity.sessions.throttle.PER_ADDRESS", "2/15minutes")
    with open_identity(gateway_networks="10.0.0.0/8") as opened:
        identity = populated(opened)
        for number in range(2):
            identity.log_in(f"nobody-{number}", X_Forwarded_For=f"203.0.113.{number}")

        assert identity.log_in("sales", X_Forwarded_For="203.0.113.9").status_code == 429


def test_replicas_count_failures_together_in_valkey(
    open_identity: Callable[..., Any], populated: Any, valkey: ValkeyServer
) -> None:
    with open_identity(valkey_url=valkey.url) as one, open_identity(valkey_url=valkey.url) as other:
        first, second = populated(one), populated(other)
        for _ in range(5):
            first.log_in("valkey-guess", "guess", X_Forwarded_For="192.0.2.1")

        assert second.log_in("valkey-guess", "guess", X_Forwarded_For="192.0.2.2").status_code == 429
        assert second.log_in("sales", X_Forwarded_For="192.0.2.2").status_code == 200


def test_a_password_somebody_else_chose_opens_nothing_but_its_own_change(identity: Any) -> None:
    with identity.service.database.transaction() as session:
        mine = Credential.member_id == identity.people.sales.id
        session.execute(update(Credential).where(mine).values(must_change=True))

    refused = identity.log_in("sales")
    assert (refused.status_code, refused.json["code"]) == (403, "password_change_required")
    assert "Set-Cookie" not in refused.headers

    change = {"login": "sales", "password": identity.password, "new_password": " 新密码 with spaces "}
    changed = identity.call("POST", "/auth/password", body=change)

    assert changed.status_code == 200
    assert identity.with_token("GET", "/auth/me", changed.json["access_token"]).status_code == 200
    assert identity.log_in("sales", change["new_password"]).status_code == 200


@pytest.mark.parametrize(
    ("new_password", "code"),
    [
        ("short", "string_too_short"),
        ("x" * 129, "string_too_long"),
        ("Rival_Supervisor", "password_equals_login"),
        ("correct horse", "password_unchanged"),
    ],
)
def test_a_poor_password_is_refused_with_the_reason(identity: Any, new_password: str, code: str) -> None:
    body = {"login": "rival_supervisor", "password": identity.password, "new_password": new_password}

    reply = identity.call("POST", "/auth/password", body=body)

    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [("/new_password", code)]
    assert identity.log_in("rival_supervisor").status_code == 200


def test_changing_a_password_is_guessed_no_oftener_than_logging_in(identity: Any) -> None:
    body = {"login": "sales", "password": "guess", "new_password": "long enough"}

    assert [identity.call("POST", "/auth/password", body=body).status_code for _ in range(6)] == [401] * 5 + [429]


def test_a_hash_of_an_older_profile_is_renewed_at_login(identity: Any) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(identity.password)
    with identity.service.database.transaction() as session:
        mine = Credential.member_id == identity.people.sales.id
        session.execute(update(Credential).where(mine).values(secret_hash=weak))

    assert identity.log_in("sales").status_code == 200

    with identity.service.database.reading() as session:
        assert "m=19456,t=2,p=1" in session.scalars(select(Credential.secret_hash).where(mine)).one()
    assert identity.log_in("sales").status_code == 200


def test_a_service_account_gets_tokens_for_its_secret_and_nothing_else(identity: Any) -> None:
    body = {
        "login": "robot",
        "name": "数据同步",
        "department_id": str(identity.people.company),
        "role_ids": [str(identity.people.role_ids["sales"])],
        "service_account": True,
    }
    made = identity.call("POST", "/members", identity.people.admin, body).json
    assert made["password_link"] is None

    granted = identity.call(
        "POST", "/auth/service-token", body={"client_id": "robot", "client_secret": made["client_secret"]}
    )

    assert granted.status_code == 200
    assert "Set-Cookie" not in granted.headers
    assert identity.with_token("GET", "/auth/me", granted.json["access_token"]).json["login"] == "robot"
    assert identity.log_in("robot", made["client_secret"]).status_code == 401
    as_person = {"client_id": "sales", "client_secret": identity.password}
    assert identity.call("POST", "/auth/service-token", body=as_person).status_code == 401
    assert identity.service.outbox(pb.MemberChanged)[-1].members[0].service_account


def test_a_secret_of_a_service_account_is_guessed_at_most_five_times(identity: Any) -> None:
    body = {"client_id": "robot", "client_secret": "guess"}

    statuses = [identity.call("POST", "/auth/service-token", body=body).status_code for _ in range(6)]

    assert statuses == [401] * 5 + [429]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"login": "sales"},
        {"login": ["sales"], "password": "x"},
        {"login": "sa\0les", "password": "x"},
        {"login": "x" * 300, "password": "x"},
        {"login": "sales", "password": ""},
        {"login": "sales", "password": "correct horse", "remember": True},
    ],
)
def test_a_malformed_login_says_what_to_correct(identity: Any, body: Any) -> None:
    reply = identity.call("POST", "/auth/login", body=body)

    assert (reply.status_code, reply.json["code"]) == (422, "validation_failed")
    assert reply.json["errors"]


def test_logins_are_in_the_audit_without_anything_secret(identity: Any) -> None:
    identity.log_in("sales")

    with identity.service.database.reading() as session:
        entry = session.execute(select(audit_entries)).one()
    assert (entry.action, entry.actor_id) == ("member.logged_in", identity.people.sales.id)
    assert (entry.before, entry.after) == (None, None)
