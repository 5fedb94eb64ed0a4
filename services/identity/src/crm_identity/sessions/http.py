"""REST of logging in and out, and of what a member may change about themself."""

from typing import Any
from uuid import UUID

import flask

from chassis import clock
from chassis.errors import Forbidden, Unauthenticated
from chassis.http.api import JSON, Access, Api, Page, PageQuery
from chassis.http.app import PREFIX
from chassis.http.call import Call
from crm_identity.credentials import rules as secrets
from crm_identity.credentials.views import PAGE
from crm_identity.members.commands import change_member
from crm_identity.organisation.model import Member
from crm_identity.organisation.queries import found
from crm_identity.sessions import commands, page, queries, rules
from crm_identity.sessions.commands import LoggedIn
from crm_identity.sessions.queries import Candidate
from crm_identity.sessions.throttle import client_address, guarded
from crm_identity.sessions.views import (
    LinkRedemption,
    Login,
    LoginView,
    PasswordChange,
    ProfileChange,
    SelfView,
    ServiceLogin,
    ServiceTokenView,
    SessionView,
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
                session, who, kept_hash, _device(call), sealing_key=_sealing_key(call), at=clock.now()
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
                session, who, new_hash, _device(call), sealing_key=_sealing_key(call), at=clock.now()
            )
    return _answer(logged_in)


@api.route(
    "POST",
    f"{PAGE}:redeem",
    access=Access.ANYONE,
    summary="Set one's password with the token of a link and log in with it; every earlier session ends",
    body=LinkRedemption,
    reply=LoginView,
)
def redeem_link(call: Call[LinkRedemption, None]) -> flask.Response:
    """Says never whether a link was used, replaced, expired, or never made."""
    token_hash = secrets.link_hash(call.body.token)
    with guarded(call.runtime, call.body.token):
        with call.runtime.database.reading() as session:
            member = queries.bearer(session, token_hash, clock.now())
        if member is None:
            raise Unauthenticated("password_link_invalid")
        secrets.check_new_password(member.login, "", call.body.new_password)
        new_hash = secrets.hash_secret(call.body.new_password)
        with call.runtime.database.transaction() as session:
            logged_in = commands.redeem_link(
                session, member.id, token_hash, new_hash, _device(call), sealing_key=_sealing_key(call), at=clock.now()
            )
    return _answer(logged_in)


@api.route(
    "GET",
    PAGE,
    access=Access.ANYONE,
    summary="The page that a link opens, to set one's password",
    produces="text/html",
)
def show_password_page(call: Call[None, None]) -> flask.Response:
    text, headers = page.rendered(call.language)
    return flask.Response(text, headers=headers)


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
            logged_in = commands.refresh(session, token, _device(call), sealing_key=_sealing_key(call), at=clock.now())
    if logged_in is None:
        raise Unauthenticated("session_ended")
    return _answer(logged_in)


@api.route("POST", "/auth/logout", access=Access.MEMBER, summary="Log out", status=204)
def log_out(call: Call[None, None]) -> flask.Response:
    with call.runtime.database.transaction() as session:
        commands.end(session, call.actor.id, call.claims.session_id, clock.now())
    return _without_cookie()


@api.route("POST", "/auth/logout-everywhere", access=Access.MEMBER, summary="End all one's own sessions", status=204)
def log_out_everywhere(call: Call[None, None]) -> flask.Response:
    with call.runtime.database.transaction() as session:
        commands.end_all(session, call.actor.id)
    return _without_cookie()


@api.route(
    "GET",
    "/auth/sessions",
    access=Access.MEMBER,
    summary="One's own sessions, the last used first",
    query=PageQuery,
    reply=Page[SessionView],
)
def list_sessions(call: Call[None, PageQuery]) -> Page[SessionView]:
    with call.runtime.database.reading() as session:
        rows, total = queries.live_sessions(session, call.actor.id, clock.now(), call.query)
        items = [queries.session_view(row, call.claims.session_id) for row in rows]
    return Page[SessionView](items=items, page=call.query.page, page_size=call.query.page_size, total=total)


@api.route(
    "DELETE",
    "/auth/sessions/<uuid:session_id>",
    access=Access.MEMBER,
    summary="End one of one's own sessions; access tokens are revoked, other sessions go on with a refresh",
    status=204,
)
def end_session(call: Call[None, None], session_id: UUID) -> None:
    with call.runtime.database.transaction() as session:
        commands.end_own(session, call.actor.id, session_id, clock.now())


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


def _without_cookie() -> flask.Response:
    response = flask.Response(status=204)
    response.delete_cookie(COOKIE, path=COOKIE_PATH, secure=True, httponly=True, samesite="Strict")
    return response


def _device(call: Call[Any, None]) -> rules.Device:
    return rules.Device.of(flask.request.headers.get("User-Agent", ""), client_address(call.runtime))


def _sealing_key(call: Call[Any, None]) -> bytes:
    return settings_of(call.runtime).sealing_key
