"""Shapes of members in REST."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from chassis.http.api import Body, PageQuery, View
from crm_identity.credentials.views import LinkView
from crm_identity.members.rules import (
    EMAIL,
    EMAIL_CHARACTERS,
    LOGIN,
    LOGIN_CHARACTERS,
    MOST_ROLES,
    PHONE,
    PHONE_CHARACTERS,
)
from crm_identity.organisation.views import NIL, Name, Named

Login = Annotated[
    str, StringConstraints(to_lower=True, strip_whitespace=True, max_length=LOGIN_CHARACTERS, pattern=LOGIN)
]
Email = Annotated[str, Field(max_length=EMAIL_CHARACTERS, pattern=EMAIL)]
Phone = Annotated[str, Field(max_length=PHONE_CHARACTERS, pattern=PHONE)]


def _once_each(ids: list[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))


RoleIds = Annotated[list[UUID], Field(max_length=MOST_ROLES), AfterValidator(_once_each)]
Language = Literal["zh-CN", "en"]


class MemberQuery(PageQuery):
    """Which members to list. `search`: part of the name or login; a department includes those below it (A-33).

    `sort` with a leading `-` begins at the end.
    """

    search: str = Field(default="", max_length=100)
    department_id: UUID | None = None
    active: bool = True
    service_account: bool = False
    role_id: UUID | None = None
    group_id: UUID | None = None
    sort: Literal["name", "-name", "login", "-login", "department", "-department"] = "name"


class ColleagueView(View):
    """A member as colleagues see them: no phone."""

    id: UUID
    login: str
    name: str
    email: str
    department: Named
    active: bool
    absent_from: datetime | None
    absent_until: datetime | None


class MemberView(View):
    """A member as administrators see them."""

    id: UUID
    login: str
    name: str
    email: str
    phone: str | None
    department_id: UUID
    role_ids: list[UUID]
    language: str
    absent_from: datetime | None
    absent_until: datetime | None
    service_account: bool
    active: bool
    version: int


class NewMember(Body):
    """A member. A service account needs no e-mail address."""

    login: Login
    name: Name
    email: Email = ""
    phone: Phone | None = None
    department_id: UUID
    role_ids: RoleIds = []
    language: Language = "zh-CN"
    service_account: bool = False


class MemberChange(Body):
    """What is to change; the rest stays. `null` clears the phone."""

    name: Name = ""
    email: Email = ""
    phone: Phone | None = None
    department_id: UUID = NIL
    role_ids: RoleIds = []
    language: Language = "zh-CN"


class SecretView(LinkView):
    """What proves a member from now on, shown this once: a link for a person, a service account's secret."""

    client_secret: str | None = None


class NewMemberView(MemberView, SecretView):
    """A new member, with what is shown this once."""


class Invitees(Body):
    """Whom to invite."""

    member_ids: Annotated[list[UUID], Field(min_length=1, max_length=200), AfterValidator(_once_each)]


class InvitationView(LinkView):
    """What became of one member. `code` and `message` say why there is no link."""

    member_id: UUID
    outcome: Literal["done", "skipped"]
    code: str | None = None
    message: str | None = None


class InvitationsView(View):
    """What became of each member, in the order asked for."""

    succeeded: int
    skipped: int
    results: list[InvitationView]
