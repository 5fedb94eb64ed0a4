"""Shapes of user groups in REST."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from chassis.http.api import Body, PageQuery, View
from crm_identity.groups.rules import MOST_MEMBERS
from crm_identity.organisation.views import Name, Named


def _each_once(ids: list[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))


MemberIds = Annotated[list[UUID], Field(max_length=MOST_MEMBERS), AfterValidator(_each_once)]


class GroupQuery(PageQuery):
    """Which groups to list. `search`: part of the name; `member_id`: those of this member."""

    search: str = Field(default="", max_length=100)
    member_id: UUID | None = None


class GroupView(View):
    """A user group (H-11)."""

    id: UUID
    name: str
    member_ids: list[UUID]
    version: int


class ListedGroup(View):
    """A user group with its members by name."""

    id: UUID
    name: str
    members: list[Named]
    version: int


class NewGroup(Body):
    """A user group of at most 100 active people; each belongs to 5 groups at most."""

    name: Name
    member_ids: MemberIds = []


class GroupChange(Body):
    """What is to change; the rest stays. `member_ids` replaces the whole list."""

    name: Name = ""
    member_ids: MemberIds = []


class GroupMembers(Body):
    """Members who join or leave."""

    member_ids: Annotated[MemberIds, Field(min_length=1)]
