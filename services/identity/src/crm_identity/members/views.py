"""Shapes of members in REST."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from chassis.http.api import Body, PageQuery, View
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
RoleIds = Annotated[list[UUID], Field(max_length=MOST_ROLES), AfterValidator(lambda ids: list(dict.fromkeys(ids)))]
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


class NewMemberView(MemberView):
    """A new member with the secret that is shown this once: a person's one-time password, an account's secret."""

    one_time_password: str | None = None
    client_secret: str | None = None


class SecretView(View):
    """A new secret, shown this once; none when the request is repeated."""

    one_time_password: str | None = None
    client_secret: str | None = None
