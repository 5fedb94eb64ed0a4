"""REST of members."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_identity.credentials import rules as secrets
from crm_identity.members import commands, queries
from crm_identity.members.views import (
    ColleagueView,
    MemberChange,
    MemberQuery,
    MemberView,
    NewMember,
    NewMemberView,
    SecretView,
)
from crm_identity.organisation.model import Member
from crm_identity.organisation.queries import found
from directory.permissions import Permission

api = Api("members")
MANAGE = Permission.ORGANISATION_MANAGE


@api.route(
    "GET",
    "/members",
    access=Access.MEMBER,
    summary="Members, by name",
    query=MemberQuery,
    reply=Page[ColleagueView],
)
def list_members(call: Call[None, MemberQuery]) -> Page[ColleagueView]:
    with call.runtime.database.reading() as session:
        items, total = queries.colleagues(session, call.query)
    return Page[ColleagueView](items=items, page=call.query.page, page_size=call.query.page_size, total=total)


@api.route(
    "POST",
    "/members",
    access=MANAGE,
    summary="Create a member; answers a one-time password, or a service account's secret, this once",
    body=NewMember,
    reply=NewMemberView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_member(call: Call[NewMember, None]) -> NewMemberView:
    values, at = call.body.model_dump(), clock.now()
    secret = _new_secret(service_account=call.body.service_account)
    secret_hash, must_change = secrets.hash_secret(_text(secret)), not call.body.service_account
    shown: list[SecretView] = []

    def work(session: Session) -> NewMemberView:
        member = commands.create_member(session, call.actor.id, values, secret_hash, at, must_change=must_change)
        shown.append(secret)
        return NewMemberView.model_validate(member)

    # Only now, so that the reply kept for repetitions holds no secret.
    reply = call.command(work)
    return reply.model_copy(update=shown[0].model_dump()) if shown else reply


@api.route(
    "GET",
    "/members/<uuid:member_id>",
    access=MANAGE,
    summary="Read a member",
    reply=MemberView,
    versioned=True,
)
def read_member(call: Call[None, None], member_id: UUID) -> MemberView:
    with call.runtime.database.reading() as session:
        return MemberView.model_validate(found(session, Member, member_id))


@api.route(
    "PATCH",
    "/members/<uuid:member_id>",
    access=MANAGE,
    summary="Change a member",
    body=MemberChange,
    reply=MemberView,
    versioned=True,
)
def change_member(call: Call[MemberChange, None], member_id: UUID) -> MemberView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return MemberView.model_validate(commands.change_member(session, call.actor.id, member_id, expected, values))


@api.route(
    "POST",
    "/members/<uuid:member_id>:deactivate",
    access=MANAGE,
    summary="Let a member go",
    reply=MemberView,
    idempotent=True,
    versioned=True,
)
def deactivate_member(call: Call[None, None], member_id: UUID) -> MemberView:
    return _act(call, commands.deactivate, member_id)


@api.route(
    "POST",
    "/members/<uuid:member_id>:activate",
    access=MANAGE,
    summary="Bring a member back",
    reply=MemberView,
    idempotent=True,
    versioned=True,
)
def activate_member(call: Call[None, None], member_id: UUID) -> MemberView:
    return _act(call, commands.activate, member_id)


@api.route(
    "POST",
    "/members/<uuid:member_id>:reset-password",
    access=MANAGE,
    summary="Replace a password or secret; answers the new one this once",
    reply=SecretView,
    idempotent=True,
)
def reset_password(call: Call[None, None], member_id: UUID) -> SecretView:
    with call.runtime.database.reading() as session:
        secret = _new_secret(service_account=found(session, Member, member_id).service_account)
    secret_hash, at = secrets.hash_secret(_text(secret)), clock.now()
    shown: list[SecretView] = []

    def work(session: Session) -> SecretView:
        commands.reset_secret(session, call.actor.id, member_id, secret_hash, at)
        shown.append(secret)
        return SecretView()

    reply = call.command(work)
    return shown[0] if shown else reply


def _act(call: Call[None, None], act: Callable[[Session, UUID, UUID], Member], member_id: UUID) -> MemberView:
    return call.command(lambda session: MemberView.model_validate(act(session, call.actor.id, member_id)))


def _new_secret(*, service_account: bool) -> SecretView:
    if service_account:
        return SecretView(client_secret=secrets.client_secret())
    return SecretView(one_time_password=secrets.one_time_password())


def _text(secret: SecretView) -> str:
    return secret.client_secret or secret.one_time_password or ""
