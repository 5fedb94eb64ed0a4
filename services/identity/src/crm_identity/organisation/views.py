"""Shapes of the organisation's REST."""

from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from chassis.http.api import Body, View
from directory.permissions import Permission

NIL = UUID(int=0)
Name = Annotated[str, Field(min_length=1, max_length=50)]
DataScopeName = Literal["own", "department", "centre", "company"]


# Known to a machine, but a place nowhere: "localtime" is another one on each machine.
_NO_PLACES = frozenset({"localtime", "Factory"})


def _known_zone(zone: str) -> str:
    if zone not in available_timezones() - _NO_PLACES:
        raise PydanticCustomError("unknown_zone", "not an IANA zone")
    return zone


class OrganisationView(View):
    """Settings of the organisation."""

    name: str
    zone: str
    version: int


class OrganisationChange(Body):
    """What is to change; the rest stays."""

    name: Name = ""
    zone: Annotated[str, AfterValidator(_known_zone)] = ""


class Named(View):
    """A record and what it is called."""

    id: UUID
    name: str


class RoleView(View):
    """A role; `key` is empty for roles made here."""

    id: UUID
    key: str
    name: str
    permissions: list[str]
    data_scope: str
    version: int


class RoleInUse(RoleView):
    """A role, and how many active members have it."""

    member_count: int


class NewRole(Body):
    """A role; `data_scope`: 普通 own, 部门 department, 中心 centre (it and all below), 公司 company."""

    name: Name
    permissions: list[Permission]
    data_scope: DataScopeName


class RoleChange(Body):
    """What is to change; the rest stays."""

    name: Name = ""
    permissions: list[Permission] = []
    data_scope: DataScopeName = "own"


class PermissionView(View):
    """A permission in the caller's language."""

    code: str
    name: str


class PermissionsView(View):
    """All permissions a role can grant."""

    items: list[PermissionView]
