"""REST of logging in and out, and of what a member may change about themself."""

from typing import Any

import flask

from chassis import clock
from chassis.errors import Forbidden, Unauthenticated
from chassis.http.api import JSON, Access, Api
from chassis.http.app import PREFIX
from chassis.http.call import Call
from crm_identity.credentials import rules as secrets
from crm_identity.members.commands import change_member
from crm_identity.organisation.model import Member
from crm_identity.organisation.queries import found
from crm_identity.sessions import commands, queries, rules
from crm_identity.sessions.commands import LoggedIn
from crm_identity.sessions.queries import Candidate
from crm_identity.sessions.throttle import guarded
from crm_identity.sessions.views import (
    Login,
    LoginView,
    PasswordChange,
    ProfileChange,
    SelfView,
    ServiceLogin,
    ServiceTokenView,
)
from crm_identity.settings import settings_of

api = Api("sessions")
COOKIE, COOKIE_PATH = "highsea_refresh", f"{PREFIX}/auth"


@api.route(
    "POST", "/auth/login", access=Access.ANYONE, summary="Log in with account and password", body=Login, reply=LoginView
)
def log_in(call: Call[Login, None]) -> flask.Response:
    """Says never which of account and password was wrong. While the password must be changed there is no token."""
    password = call.body.password
    with guarded(call.runtime, call.body.login):
        who = _verified(call, call.body.login, password)
        if who.must_change:
            raise Forbidden("password_change_required")
        kept_hash = secrets.renewed_hash(who.secret_hash, password)
        with call.runtime.database.transaction() as session:
            logged_in = commands.begin(
                session, who, kept_hash, _user_agent(), sealing_key=_sealing_key(call), at=clock.now()
            )
    return _answer(logged_in)


@api.route(
    "POST",
    "/auth/password",
    access=Access.ANYONE,
    summary="Change one's own password and log in with it; every earlier session ends",
    body=PasswordChange,
    reply=LoginView,
)
def change_password(call: Call[PasswordChange, None]) -> flask.Response:
    with guarded(call.runtime, call.body.login):
        who = _verified(call, call.body.login, call.body.password)
        secrets.check_new_password(call.body.login, call.body.password, call.body.new_password)
        new_hash = secrets.hash_secret(call.body.new_password)
        with call.runtime.database.transaction() as session:
            logged_in = commands.change_password(
                session, who, new_hash, _user_agent(), sealing_key=_sealing_key(call), at=clock.now()
            )
    return _answer(logged_in)


@api.route(
    "POST",
    "/auth/service-token",
    access=Access.ANYONE,
    summary="An access token for a service account",
    body=ServiceLogin,
    reply=ServiceTokenView,
)
def issue_service_token(call: Call[ServiceLogin, None]) -> ServiceTokenView:
    with guarded(call.runtime, call.body.client_id):
        who = _verified(call, call.body.client_id, call.body.client_secret, service_account=True)
        with call.runtime.database.transaction() as session:
            token = commands.service_token(session, who, _sealing_key(call), clock.now())
    return ServiceTokenView(access_token=token)


@api.route(
    "POST",
    "/auth/refresh",
    access=Access.ANYONE,
    summary="A new access token for the refresh token in the cookie, which is replaced",
    reply=LoginView,
)
def refresh(call: Call[None, None]) -> flask.Response:
    token = rules.read_token(flask.request.cookies.get(COOKIE, ""))
    logged_in = None
    if token is not None:
        # The refusal of a token used before must be kept: nothing is raised inside.
        with call.runtime.database.transaction() as session:
            logged_in = commands.refresh(session, token, sealing_key=_sealing_key(call), at=clock.now())
    if logged_in is None:
        raise Unauthenticated("session_ended")
    return _answer(logged_in)


@api.route("POST", "/auth/logout", access=Access.MEMBER, summary="Log out", status=204)
def log_out(call: Call[None, None]) -> flask.Response:
    with call.runtime.database.transaction() as session:
        commands.end(session, call.actor.id, call.claims.session_id, clock.now())
    response = flask.Response(status=204)
    response.delete_cookie(COOKIE, path=COOKIE_PATH, secure=True, httponly=True, samesite="Strict")
    return response


@api.route("GET", "/auth/me", access=Access.MEMBER, summary="Who is logged in", reply=SelfView, versioned=True)
def read_self(call: Call[None, None]) -> SelfView:
    with call.runtime.database.reading() as session:
        return queries.self_view(session, found(session, Member, call.actor.id))


@api.route(
    "PATCH",
    "/auth/me",
    access=Access.MEMBER,
    summary="Change one's own name, contact details or language",
    body=ProfileChange,
    reply=SelfView,
    versioned=True,
)
def change_self(call: Call[ProfileChange, None]) -> SelfView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        member = change_member(session, call.actor.id, call.actor.id, expected, values)
        return queries.self_view(session, member)


def _verified(call: Call[Any, None], login: str, secret: str, *, service_account: bool = False) -> Candidate:
    """Whoever proves to be `login`. Raises Unauthenticated after the same work whatever was wrong."""
    with call.runtime.database.reading() as session:
        who = queries.candidate(session, login, service_account=service_account)
    if not secrets.matches(who.secret_hash if who else None, secret) or who is None:
        raise Unauthenticated("login_failed")
    return who


def _answer(logged_in: LoggedIn) -> flask.Response:
    response = flask.Response(logged_in.reply.model_dump_json(), content_type=JSON)
    response.set_cookie(
        COOKIE,
        logged_in.refresh_token,
        expires=logged_in.expires_at,
        path=COOKIE_PATH,
        secure=True,
        httponly=True,
        samesite="Strict",
    )
    return response


def _user_agent() -> str:
    return flask.request.headers.get("User-Agent", "")


def _sealing_key(call: Call[Any, None]) -> bytes:
    return settings_of(call.runtime).sealing_key
