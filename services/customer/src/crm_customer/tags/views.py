"""Shapes of tags on the wire."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View
from crm_customer.tags.rules import Color

Name = Annotated[str, Field(min_length=1, max_length=30)]
Position = Annotated[int, Field(ge=0, le=1000)]


class NewTagGroup(Body):
    """A group of tags; `multiple`: a record may bear several of them, else one (I-01)."""

    name: Name
    multiple: bool = False


class TagGroupChange(Body):
    """What is left out stays."""

    name: Name = ""
    multiple: bool = False
    position: Position = 0


class NewTag(Body):
    """A tag of a group."""

    group_id: UUID
    name: Name
    color: Color


class TagChange(Body):
    """What is left out stays. A tag never changes its group."""

    name: Name = ""
    color: Color = Color.GREY
    position: Position = 0


class TagQuery(Body):
    """Whether to count."""

    counts: bool = Field(default=False, description="count who bears each tag; needs customer.configure")


class Deletion(Body):
    """Whether to delete what is in use."""

    confirm: bool = Field(default=False, description="also when records bear it; they lose it")


class TagView(View):
    """A tag. `customers` and `contacts` bear it, deleted ones too; null unless asked for."""

    id: UUID
    version: int
    group_id: UUID
    name: str
    color: str
    position: int
    customers: int | None = None
    contacts: int | None = None


class TagGroupView(View):
    """A group, with its tags where they are listed."""

    id: UUID
    version: int
    name: str
    multiple: bool
    position: int
    tags: list[TagView] = []


class TagsView(View):
    """All groups with their tags, in the order in which they are shown."""

    groups: list[TagGroupView]


class BorneTag(View):
    """A tag that a record bears."""

    id: UUID
    name: str
    color: str
    group_id: UUID
