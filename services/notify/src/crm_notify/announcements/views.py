"""Shapes of announcements on the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chassis.http.api import Body, View
from crm_notify.announcements.model import Announcement
from crm_notify.announcements.rules import LONGEST_TEXT, LONGEST_TITLE, MOST_LISTED, Status

Listed = Annotated[list[UUID], Field(default_factory=list, max_length=MOST_LISTED)]


class Audience(Body):
    """Whom an announcement is for: everybody, or whoever is in one of these departments or below, has one of these roles, is
    in one of these groups, or is named.
    """

    everybody: bool = False
    department_ids: Listed
    role_ids: Listed
    group_ids: Listed
    member_ids: Listed

    @model_validator(mode="after")
    def _either_or(self) -> Self:
        if self.everybody == any(self.lists().values()):
            raise PydanticCustomError("everybody_or_some", "either everybody or some")
        return self

    def lists(self) -> dict[str, list[UUID]]:
        """The lists that are not empty, by name; none for everybody."""
        names = ("department_ids", "role_ids", "group_ids", "member_ids")
        return {name: found for name in names if (found := getattr(self, name))}


class NewAnnouncement(Body):
    """An announcement and whom it is for."""

    title: str = Field(min_length=1, max_length=LONGEST_TITLE)
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    audience: Audience


class AudienceCount(View):
    """How many members would be told."""

    receivers: int


class Progress(View):
    """How many are to be told, have been told, and have read of it."""

    receivers: int
    told: int
    read: int


class Author(View):
    """Who announced."""

    id: UUID
    name: str


class AnnouncementView(View):
    """An announcement. `audience` and `progress` are for those who may announce, `progress` of one alone; `read_at` is when
    the reader read of it.
    """

    id: UUID
    title: str
    text: str
    status: Status
    created_by: Author
    created_at: datetime
    withdrawn_at: datetime | None
    read_at: datetime | None
    audience: dict[str, Any] | None
    progress: Progress | None

    @classmethod
    def of(
        cls,
        row: Announcement,
        names: Mapping[UUID, str],
        *,
        read_at: datetime | None = None,
        with_audience: bool = False,
        progress: Progress | None = None,
    ) -> "AnnouncementView":
        """The view of `row`."""
        return cls(
            id=row.id,
            title=row.title,
            text=row.text,
            status=Status(row.status),
            created_by=Author(id=row.created_by, name=names.get(row.created_by, "")),
            created_at=row.created_at,
            withdrawn_at=row.withdrawn_at,
            read_at=read_at,
            audience=(row.audience or {"everybody": True}) if with_audience else None,
            progress=progress,
        )
