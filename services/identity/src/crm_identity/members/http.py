"""REST of members."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_identity.credentials import rules as secrets
from crm_identity.credentials.commands import keep_secret, make_link
from crm_identity.credentials.rules import NewLink
from crm_identity.credentials.views import LinkView, link_view
from crm_identity.members import commands, queries
from crm_identity.members.views import (
    ColleagueView,
    InvitationsView,
    InvitationView,
    Invitees,
    MemberChange,
    MemberQuery,
    MemberView,
    NewMember,
    NewMemberView,
    SecretView,
)
from crm_identity.organisation.model import Member
from crm_identity.organisation.queries import found
from crm_identity.settings import settings_of
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
    summary="Create a member; answers a link that sets the password, or a service account's secret, this once",
    body=NewMember,
    reply=NewMemberView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_member(call: Call[NewMember, None]) -> NewMemberView:
    values, at = call.body.model_dump(), clock.now()
    secret = _Secret.new() if call.body.service_account else None
    shown: list[SecretView] = []

    def work(session: Session) -> NewMemberView:
        member = commands.create_member(session, call.actor.id, values)
        shown.append(_give(call, session, member, secret, at))
        return NewMemberView.model_validate(member)

    # Only now, so that the reply kept for repetitions holds no secret.
    reply = call.command(work)
    return reply.model_copy(update=shown[0].model_dump()) if shown else reply


@api.route(
    "POST",
    "/members:invite",
    access=MANAGE,
    summary="Make links for members who have no password yet, shown this once",
    body=Invitees,
    reply=InvitationsView,
    idempotent=True,
)
def invite_members(call: Call[Invitees, None]) -> InvitationsView:
    """A new link voids an earlier one of the same member."""
    ids, at = call.body.member_ids, clock.now()
    links: dict[UUID, LinkView] = {}

    def work(session: Session) -> InvitationsView:
        outcome = commands.invite(session, call.actor.id, ids, at)
        made = {id_: link for id_, link in outcome.items() if isinstance(link, NewLink)}
        links.update({id_: _link(call, link) for id_, link in made.items()})
        results = [_invitation(call, id_, None if id_ in made else str(outcome[id_])) for id_ in ids]
        return InvitationsView(succeeded=len(made), skipped=len(ids) - len(made), results=results)

    reply = call.command(work)
    results = [
        row.model_copy(update=links[row.member_id].model_dump()) if row.member_id in links else row
        for row in reply.results
    ]
    return reply.model_copy(update={"results": results})


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
    "/members/<uuid:member_id>:end-sessions",
    access=MANAGE,
    summary="End every session of a member",
    reply=MemberView,
    idempotent=True,
    versioned=True,
)
def end_sessions_of_member(call: Call[None, None], member_id: UUID) -> MemberView:
    return _act(call, commands.end_sessions, member_id)


@api.route(
    "POST",
    "/members/<uuid:member_id>:reset-password",
    access=MANAGE,
    summary="Replace a password by a link that sets a new one, or a secret by another; shown this once",
    reply=SecretView,
    idempotent=True,
)
def reset_password(call: Call[None, None], member_id: UUID) -> SecretView:
    with call.runtime.database.reading() as session:
        secret = _Secret.new() if found(session, Member, member_id).service_account else None
    at = clock.now()
    shown: list[SecretView] = []

    def work(session: Session) -> SecretView:
        member = commands.drop_secret(session, call.actor.id, member_id)
        shown.append(_give(call, session, member, secret, at))
        return SecretView()

    reply = call.command(work)
    return shown[0] if shown else reply


def _act(call: Call[None, None], act: Callable[[Session, UUID, UUID], Member], member_id: UUID) -> MemberView:
    return call.command(lambda session: MemberView.model_validate(act(session, call.actor.id, member_id)))


@dataclass(frozen=True)
class _Secret:
    """A service account's secret, hashed before the transaction that keeps it."""

    text: str
    hash: str

    @classmethod
    def new(cls) -> "_Secret":
        text = secrets.client_secret()
        return cls(text, secrets.hash_secret(text))


def _give(call: Call[Any, None], session: Session, member: Member, secret: _Secret | None, at: datetime) -> SecretView:
    if secret is not None:
        keep_secret(session, member.id, secret.hash, at, must_change=False)
        return SecretView(client_secret=secret.text)
    return SecretView(**_link(call, make_link(session, call.actor.id, member.id, at)).model_dump())


def _link(call: Call[Any, None], link: NewLink) -> LinkView:
    return link_view(link, settings_of(call.runtime).public_url)


def _invitation(call: Call[Any, None], member_id: UUID, reason: str | None) -> InvitationView:
    if reason is None:
        return InvitationView(member_id=member_id, outcome="done")
    words = call.runtime.messages.text(reason, call.language, {})
    return InvitationView(member_id=member_id, outcome="skipped", code=reason, message=words)
