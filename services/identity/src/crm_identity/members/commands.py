"""Members: created, changed, let go, brought back."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import Conflict, FieldError, invalid
from chassis.identifiers import new_id
from crm_identity.credentials.commands import drop_password, make_link, void_link
from crm_identity.credentials.rules import NewLink
from crm_identity.groups.commands import leave_groups
from crm_identity.members.queries import invitees
from crm_identity.organisation import queries
from crm_identity.organisation.commands import add, keep_an_administrator, lock_organisation, record
from crm_identity.organisation.model import Department, Member


def create_member(session: Session, actor_id: UUID | None, values: Mapping[str, Any]) -> Member:
    """Create a member, who has nothing to prove themself with yet. Raises Invalid, Conflict login_taken."""
    lock_organisation(session)
    _check(session, values)
    if not (values["email"] or values["service_account"]):
        raise invalid(FieldError("/email", "missing"))
    if session.scalar(select(Member.id).where(Member.login == values["login"])):
        raise Conflict("login_taken", login=values["login"])
    member = Member(id=new_id(), active=True, epoch=0, session_generation=0, **values)
    add(session, "created", actor_id, member, values)
    return member


def change_member(session: Session, actor_id: UUID, member_id: UUID, version: int, values: Mapping[str, Any]) -> Member:
    """Change a member; other roles revoke the member's tokens. Raises Stale, Invalid, Conflict last_administrator."""
    lock_organisation(session)
    member = queries.locked(session, Member, member_id, version, values)
    _check(session, values)
    changes = member.take_over(values)
    if any(changes):
        if "role_ids" in changes[1]:
            member.revoke_tokens()
        record(session, "changed", actor_id, member, changes)
        if "role_ids" in changes[1]:
            keep_an_administrator(session)
    return member


def deactivate(session: Session, actor_id: UUID, member_id: UUID) -> Member:
    """Let a member go: their tokens and sessions end at once, they head no department and are in no user group any more.

    Raises Conflict last_administrator.
    """
    lock_organisation(session)
    member = queries.locked(session, Member, member_id)
    if member.active:
        record(session, "deactivated", actor_id, member, member.leave(), fact=member.left)
        void_link(session, member_id)
        keep_an_administrator(session)
        headed = select(Department).where(Department.head_id == member_id).order_by(Department.id).with_for_update()
        for department in session.scalars(headed).all():
            record(session, "changed", actor_id, department, department.take_over({"head_id": None}))
        leave_groups(session, actor_id, member_id)
    return member


def activate(session: Session, actor_id: UUID, member_id: UUID) -> Member:
    """Bring a member back, with the roles and department they had."""
    lock_organisation(session)
    member = queries.locked(session, Member, member_id)
    if not member.active:
        record(session, "activated", actor_id, member, member.come_back())
    return member


def drop_secret(session: Session, actor_id: UUID, member_id: UUID) -> Member:
    """Let a forgotten or leaked secret open nothing, and end everything begun with it. Raises Conflict member_inactive.

    The caller gives a new secret or a link in the same transaction.
    """
    member = queries.locked(session, Member, member_id)
    if not member.active:
        raise Conflict("member_inactive")
    member.end_sessions()
    record(session, "secret_reset", actor_id, member)
    drop_password(session, member_id)
    return member


def end_sessions(session: Session, actor_id: UUID, member_id: UUID) -> Member:
    """End every session of a member and revoke their access tokens; they may log in again."""
    member = queries.locked(session, Member, member_id)
    member.end_sessions()
    record(session, "sessions_ended", actor_id, member)
    return member


def invite(session: Session, actor_id: UUID, member_ids: Collection[UUID], at: datetime) -> dict[UUID, NewLink | str]:
    """Links for members who have no password yet; for all others the code of the reason why not."""
    known = {member.id: (member, has_password) for member, has_password in invitees(session, member_ids)}
    outcome: dict[UUID, NewLink | str] = {}
    for member_id in member_ids:
        reason = _not_invited(*known[member_id]) if member_id in known else "unknown_member"
        outcome[member_id] = reason or make_link(session, actor_id, member_id, at)
    return outcome


def _not_invited(member: Member, has_password: bool) -> str | None:
    if not member.active:
        return "member_inactive"
    if member.service_account:
        return "service_account"
    return "password_exists" if has_password else None


def _check(session: Session, values: Mapping[str, Any]) -> None:
    errors = []
    if "department_id" in values and session.get(Department, values["department_id"]) is None:
        errors.append(FieldError("/department_id", "unknown_department"))
    role_ids = values.get("role_ids", [])
    known = {role.id for role in queries.roles_of(session, role_ids)}
    errors += [
        FieldError(f"/role_ids/{place}", "unknown_role") for place, id_ in enumerate(role_ids) if id_ not in known
    ]
    if errors:
        raise invalid(*errors)
