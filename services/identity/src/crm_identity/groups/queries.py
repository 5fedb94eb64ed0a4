"""Reading user groups."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_identity.groups.views import GroupQuery, ListedGroup
from crm_identity.organisation.model import Group, Member
from crm_identity.organisation.queries import page_of
from crm_identity.organisation.views import Named


def page_of_groups(session: Session, query: GroupQuery) -> tuple[list[ListedGroup], int]:
    """One page of groups by name with their members by name, and how many groups there are."""
    wanted = select(Group).order_by(Group.name, Group.id)
    if query.search:
        wanted = wanted.where(Group.name.icontains(query.search, autoescape=True))
    if query.member_id:
        wanted = wanted.where(Group.member_ids.contains([query.member_id]))
    groups, total = page_of(session, wanted, query.page, query.page_size)
    ids = {id_ for group in groups for id_ in group.member_ids}
    members = session.scalars(select(Member).where(Member.id.in_(ids)).order_by(Member.name, Member.id)).all()
    return [
        ListedGroup(
            id=group.id,
            name=group.name,
            members=[Named.model_validate(member) for member in members if member.id in group.member_ids],
            version=group.version,
        )
        for group in groups
    ], total


def of_member(session: Session, member_id: UUID) -> Sequence[Group]:
    """The groups of a member, locked."""
    wanted = select(Group).where(Group.member_ids.contains([member_id])).order_by(Group.id).with_for_update()
    return session.scalars(wanted).all()


def counted(session: Session, member_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many groups each of these members belongs to; those in none are left out."""
    each = select(func.unnest(Group.member_ids).label("member_id")).subquery()
    wanted = select(each.c.member_id, func.count()).where(each.c.member_id.in_(member_ids)).group_by(each.c.member_id)
    return dict(session.execute(wanted).all())
