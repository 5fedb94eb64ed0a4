"""User groups: made, changed, joined, left, ended (H-11, decision 0013)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import Conflict, FieldError, invalid
from chassis.identifiers import new_id
from crm_identity.groups.queries import counted, of_member
from crm_identity.groups.rules import MOST_GROUPS, MOST_MEMBERS
from crm_identity.organisation import queries
from crm_identity.organisation.commands import add, lock_organisation, record
from crm_identity.organisation.model import Group


def create_group(session: Session, actor_id: UUID | None, values: Mapping[str, Any]) -> Group:
    """Make a group. Raises Invalid: unknown_member, too_many_groups; Conflict group_name_taken."""
    lock_organisation(session)
    _check_name(session, None, values)
    _check_members(session, values["member_ids"])
    group = Group(id=new_id(), **values)
    add(session, "created", actor_id, group, values)
    return group


def change_group(session: Session, actor_id: UUID, group_id: UUID, version: int, values: Mapping[str, Any]) -> Group:
    """Rename a group or give it other members. Raises Stale, and what `create_group` does."""
    lock_organisation(session)
    group = queries.locked(session, Group, group_id, version, values)
    _check_name(session, group, values)
    _check_members(session, values.get("member_ids", []), group)
    return _take_over(session, actor_id, group, values)


def add_members(session: Session, actor_id: UUID, group_id: UUID, member_ids: Sequence[UUID]) -> Group:
    """Let members join; whoever is in the group stays. Raises Invalid, Conflict group_full."""
    lock_organisation(session)
    group = queries.locked(session, Group, group_id)
    _check_members(session, member_ids, group)
    joined = list(dict.fromkeys([*group.member_ids, *member_ids]))
    if len(joined) > MOST_MEMBERS:
        raise Conflict("group_full", max_members=MOST_MEMBERS)
    return _take_over(session, actor_id, group, {"member_ids": joined})


def remove_members(session: Session, actor_id: UUID, group_id: UUID, member_ids: Sequence[UUID]) -> Group:
    """Let members leave; whoever is not in the group is passed over."""
    lock_organisation(session)
    group = queries.locked(session, Group, group_id)
    return _take_over(session, actor_id, group, _without(group, member_ids))


def leave_groups(session: Session, actor_id: UUID, member_id: UUID) -> None:
    """Take somebody out of all groups. The caller holds the organisation's lock."""
    for group in of_member(session, member_id):
        _take_over(session, actor_id, group, _without(group, [member_id]))


def delete_group(session: Session, actor_id: UUID, group_id: UUID, version: int) -> None:
    """End a group; its members stay. Raises Stale."""
    lock_organisation(session)
    group = queries.locked(session, Group, group_id, version)
    before = {"name": group.name, "member_ids": group.member_ids}
    record(session, "deleted", actor_id, group, (before, {}), fact=group.deleted)
    session.delete(group)


def _without(group: Group, member_ids: Sequence[UUID]) -> dict[str, Any]:
    return {"member_ids": [id_ for id_ in group.member_ids if id_ not in member_ids]}


def _take_over(session: Session, actor_id: UUID, group: Group, values: Mapping[str, Any]) -> Group:
    if any(changes := group.take_over(values)):
        record(session, "changed", actor_id, group, changes)
    return group


def _check_name(session: Session, group: Group | None, values: Mapping[str, Any]) -> None:
    if "name" in values:
        bearer = session.scalar(select(Group.id).where(Group.name == values["name"]))
        if bearer not in (None, group and group.id):
            raise Conflict("group_name_taken", name=values["name"])


def _check_members(session: Session, member_ids: Sequence[UUID], group: Group | None = None) -> None:
    """Those who join are active people with a group to spare; nobody asks that of those who are in `group`."""
    joining = [id_ for id_ in member_ids if group is None or id_ not in group.member_ids]
    known, groups = queries.active_people(session, joining), counted(session, joining)
    errors = []
    for place, id_ in enumerate(member_ids):
        if id_ in joining and id_ not in known:
            errors.append(FieldError(f"/member_ids/{place}", "unknown_member"))
        elif id_ in joining and groups.get(id_, 0) >= MOST_GROUPS:
            errors.append(FieldError(f"/member_ids/{place}", "too_many_groups", {"max_groups": MOST_GROUPS}))
    if errors:
        raise invalid(*errors)
