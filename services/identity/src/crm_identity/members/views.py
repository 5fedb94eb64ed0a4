"""Shapes of members in REST."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from chassis.http.api import Body, PageQuery, View
from crm_identity.organisation.views import NIL, Name

Login = Annotated[
    str,
    StringConstraints(to_lower=True, strip_whitespace=True, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]+$"),
]
Email = Annotated[str, Field(max_length=100, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s.]+$")]
Phone = Annotated[str, Field(max_length=20, pattern=r"^[0-9+()\- ]+$")]
RoleIds = Annotated[list[UUID], Field(max_length=20), AfterValidator(lambda ids: list(dict.fromkeys(ids)))]
Language = Literal["zh-CN", "en"]
# Bounds keep the moment within what every zone, database and protobuf can hold.
Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))]


class MemberQuery(PageQuery):
    """Which members to list. `search`: part of the name or login; a department includes those below it (A-33)."""

    search: str = Field(default="", max_length=100)
    department_id: UUID | None = None
    active: bool = True
    service_account: bool = False


class Named(View):
    """A record and what it is called."""

    id: UUID
    name: str


class ColleagueView(View):
    """A member as colleagues see them: no phone."""

    id: UUID
    login: str
    name: str
    email: str
    department: Named
    active: bool
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
    """What is to change; the rest stays. `null` clears phone and absence."""

    name: Name = ""
    email: Email = ""
    phone: Phone | None = None
    department_id: UUID = NIL
    role_ids: RoleIds = []
    language: Language = "zh-CN"
    absent_until: Moment | None = None


class NewMemberView(MemberView):
    """A new member with the secret that is shown this once: a person's one-time password, an account's secret."""

    one_time_password: str | None = None
    client_secret: str | None = None


class SecretView(View):
    """A new secret, shown this once; none when the request is repeated."""

    one_time_password: str | None = None
    client_secret: str | None = None
