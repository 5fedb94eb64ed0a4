"""Sessions: refreshed, reused, ended; and what members change about themselves (Q-03, Q-17)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from chassis import clock
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.service import SERVICE
from crm_identity.sessions import rules
from crm_identity.sessions.model import LoginSession


def cookie_of(reply: Any) -> str:
    return reply.headers["Set-Cookie"].partition(";")[0]


def refresh(identity: Any, cookie: str) -> Any:
    return identity.call("POST", "/auth/refresh", Cookie=cookie)


def test_a_refresh_gives_a_new_access_token_and_replaces_the_cookie(identity: Any) -> None:
    cookie = cookie_of(identity.log_in("sales"))

    reply = refresh(identity, cookie)

    assert reply.status_code == 200
    assert cookie_of(reply) != cookie
    assert identity.with_token("GET", "/auth/me", reply.json["access_token"]).status_code == 200
    assert refresh(identity, cookie_of(reply)).status_code == 200


def test_a_refresh_token_used_long_ago_ends_the_session_and_every_access_token(identity: Any) -> None:
    stolen = cookie_of(identity.log_in("sales"))
    second = refresh(identity, stolen)
    third = refresh(identity, cookie_of(second))

    reused = refresh(identity, stolen)

    assert (reused.status_code, reused.json["code"]) == (401, "session_ended")
    assert refresh(identity, cookie_of(third)).status_code == 401
    assert identity.with_token("GET", "/auth/me", third.json["access_token"]).json["code"] == "token_revoked"


def test_only_the_hash_of_a_refresh_token_is_kept(identity: Any) -> None:
    token = rules.read_token(cookie_of(identity.log_in("sales")).partition("=")[2].strip('"'))

    with identity.service.database.reading() as session:
        kept = session.scalars(select(LoginSession)).one()

    assert token is not None
    assert len(token.secret) == 32
    assert kept.secret_hash != token.secret
    assert token.opens(kept.secret_hash)


@pytest.mark.parametrize("cookie", ["", "highsea_refresh=", "highsea_refresh=x", "highsea_refresh=" + "A" * 64])
def test_a_cookie_that_is_none_of_ours_is_refused(identity: Any, cookie: str) -> None:
    reply = refresh(identity, cookie)

    assert (reply.status_code, reply.json["code"]) == (401, "session_ended")


def test_a_session_ends_by_itself_when_it_is_not_used(identity: Any) -> None:
    cookie = cookie_of(identity.log_in("sales"))
    with identity.service.database.transaction() as session:
        session.execute(update(LoginSession).values(expires_at=clock.now()))

    assert refresh(identity, cookie).status_code == 401


def test_use_prolongs_a_session_by_fourteen_days_but_never_beyond_ninety() -> None:
    begun = clock.now()

    assert rules.expiry(begun, begun + timedelta(days=10)) == begun + timedelta(days=24)
    assert rules.expiry(begun, begun + timedelta(days=85)) == begun + timedelta(days=90)


def test_logging_out_ends_the_session_and_revokes_the_token_everywhere(identity: Any) -> None:
    here, elsewhere = identity.log_in("sales"), identity.log_in("sales")
    token = here.json["access_token"]

    reply = identity.with_token("POST", "/auth/logout", token)

    assert reply.status_code == 204
    assert "highsea_refresh=;" in reply.headers["Set-Cookie"]
    assert identity.with_token("GET", "/auth/me", token).json["code"] == "token_revoked"
    assert refresh(identity, cookie_of(here)).status_code == 401
    [told] = identity.service.outbox(pb.MemberChanged)
    assert (told.members[0].epoch, told.members[0].version) == (1, 2)
    # Another device goes on with a fresh token.
    assert refresh(identity, cookie_of(elsewhere)).status_code == 200


def test_a_changed_password_ends_every_other_session(identity: Any) -> None:
    elsewhere = identity.log_in("sales")
    body = {"login": "sales", "password": identity.password, "new_password": "another horse"}

    here = identity.call("POST", "/auth/password", body=body)

    assert refresh(identity, cookie_of(elsewhere)).status_code == 401
    assert identity.with_token("GET", "/auth/me", elsewhere.json["access_token"]).json["code"] == "token_revoked"
    assert refresh(identity, cookie_of(here)).status_code == 200
    assert identity.service.outbox(pb.MemberChanged)[-1].members[0].epoch == 1


def test_a_deactivated_member_is_out_at_once_and_stays_out(identity: Any) -> None:
    people, login = identity.people, identity.log_in("sales")

    assert identity.call("POST", f"/members/{people.sales.id}:deactivate", people.admin).status_code == 200

    assert identity.with_token("GET", "/auth/me", login.json["access_token"]).json["code"] == "token_revoked"
    assert refresh(identity, cookie_of(login)).status_code == 401
    identity.call("POST", f"/members/{people.sales.id}:activate", people.admin)
    assert refresh(identity, cookie_of(login)).status_code == 401
    assert identity.log_in("sales").status_code == 200


def test_members_change_their_own_name_and_contact_details_but_not_their_rights(identity: Any) -> None:
    sales = identity.people.sales
    change = {"name": "张三丰", "phone": "+86 138-0000-1111", "language": "en"}

    reply = identity.call("PATCH", "/auth/me", sales, change, If_Match='"1"')

    assert reply.status_code == 200
    assert {key: reply.json[key] for key in change} == change
    assert identity.call("GET", "/auth/me", sales).headers["ETag"] == '"2"'
    rights = {"role_ids": [str(identity.people.role_ids["administrator"])]}
    assert identity.call("PATCH", "/auth/me", sales, rights, If_Match='"2"').status_code == 422
    [told] = identity.service.outbox(pb.MemberChanged)
    assert (told.members[0].name, told.members[0].language) == ("张三丰", "en")


def test_sessions_that_are_over_are_forgotten_after_a_month(identity: Any) -> None:
    identity.log_in("sales")
    identity.log_in("colleague")
    with identity.service.database.transaction() as session:
        mine = LoginSession.member_id == identity.people.sales.id
        session.execute(update(LoginSession).where(mine).values(ended_at=clock.now() - timedelta(days=31)))

    task = next(task for task in SERVICE.due if task.name == "forget-sessions")
    assert task.run(identity.service.runtime) is False

    with identity.service.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 1


PHONE, LAPTOP = "Mobile Safari on a phone", "Firefox on a laptop"


def own_sessions(identity: Any, token: str) -> list[dict[str, Any]]:
    reply = identity.with_token("GET", "/auth/sessions", token).json
    assert reply["total"] == len(reply["items"])
    return reply["items"]


def test_members_see_where_they_are_logged_in_and_since_when(identity: Any) -> None:
    identity.log_in("sales", User_Agent=PHONE, X_Forwarded_For="203.0.113.77")
    token = identity.log_in("sales", User_Agent=LAPTOP, X_Forwarded_For="2001:db8:1:2::3").json["access_token"]
    identity.log_in("colleague")

    here, phone = own_sessions(identity, token)

    assert (here["current"], here["user_agent"], here["network"]) == (True, LAPTOP, "2001:db8:1::/48")
    assert (phone["current"], phone["user_agent"], phone["network"]) == (False, PHONE, "203.0.113.0/24")
    assert here["began_at"] == here["last_used_at"] < here["expires_at"]


def test_use_of_a_session_is_remembered(identity: Any) -> None:
    first = identity.log_in("sales", X_Forwarded_For="203.0.113.77")
    token = identity.log_in("sales").json["access_token"]
    refreshed = identity.call("POST", "/auth/refresh", Cookie=cookie_of(first), X_Forwarded_For="198.51.100.7")

    used = own_sessions(identity, token)[0]

    assert refreshed.status_code == 200
    assert (used["current"], used["network"]) == (False, "198.51.100.0/24")
    assert used["last_used_at"] > used["began_at"]


def test_a_lost_device_is_shut_out_and_the_others_go_on(identity: Any) -> None:
    lost, here = identity.log_in("sales", User_Agent=PHONE), identity.log_in("sales")
    token = here.json["access_token"]
    [phone] = [one for one in own_sessions(identity, token) if one["user_agent"] == PHONE]

    assert identity.with_token("DELETE", f"/auth/sessions/{phone['id']}", token).status_code == 204

    assert refresh(identity, cookie_of(lost)).status_code == 401
    assert identity.with_token("GET", "/auth/me", lost.json["access_token"]).json["code"] == "token_revoked"
    again = refresh(identity, cookie_of(here)).json["access_token"]
    assert [one["current"] for one in own_sessions(identity, again)] == [True]
    assert identity.with_token("DELETE", f"/auth/sessions/{phone['id']}", again).status_code == 404


def test_nobody_ends_or_sees_the_sessions_of_others(identity: Any) -> None:
    others, mine = identity.log_in("colleague"), identity.log_in("sales").json["access_token"]
    [theirs] = own_sessions(identity, others.json["access_token"])

    assert identity.with_token("DELETE", f"/auth/sessions/{theirs['id']}", mine).status_code == 404

    assert theirs["id"] not in [one["id"] for one in own_sessions(identity, mine)]
    assert refresh(identity, cookie_of(others)).status_code == 200


def test_logging_out_everywhere_ends_all_own_sessions_and_nobody_elses(identity: Any) -> None:
    here, elsewhere, other = (identity.log_in(login) for login in ("sales", "sales", "colleague"))

    reply = identity.with_token("POST", "/auth/logout-everywhere", here.json["access_token"])

    assert reply.status_code == 204
    assert "highsea_refresh=;" in reply.headers["Set-Cookie"]
    assert {refresh(identity, cookie_of(one)).status_code for one in (here, elsewhere)} == {401}
    assert refresh(identity, cookie_of(other)).status_code == 200
    again = identity.log_in("sales").json["access_token"]
    assert len(own_sessions(identity, again)) == 1


def test_an_administrator_ends_the_sessions_of_a_member_who_may_log_in_again(identity: Any) -> None:
    people, login = identity.people, identity.log_in("sales")

    reply = identity.call("POST", f"/members/{people.sales.id}:end-sessions", people.admin)

    assert (reply.status_code, reply.json["version"]) == (200, 2)
    assert refresh(identity, cookie_of(login)).status_code == 401
    assert identity.with_token("GET", "/auth/me", login.json["access_token"]).json["code"] == "token_revoked"
    assert identity.log_in("sales").status_code == 200
    assert identity.service.outbox(pb.MemberChanged)[-1].members[0].epoch == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("", ""), ("unix:", "")],
)
def test_of_an_address_only_the_network_is_kept(address: str, network: str) -> None:
    assert rules.network_of(address) == network
