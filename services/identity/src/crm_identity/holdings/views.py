"""Shapes of the review of permissions in REST."""

from datetime import datetime
from uuid import UUID

from chassis.http.api import Body, PageQuery, View
from crm_identity.organisation.views import Named
from directory.permissions import Permission


class HoldingsFilter(Body):
    """Whose holdings: those who hold `permission`, have the role, are in the department or below it.

    Without `service_account` people and accounts.
    """

    permission: Permission | None = None
    role_id: UUID | None = None
    department_id: UUID | None = None
    active: bool = True
    service_account: bool | None = None


class HoldingsQuery(HoldingsFilter, PageQuery):
    """One page of them."""


class HeldPermission(View):
    """A permission, and the names of the roles that grant it."""

    code: str
    roles: list[str]


class HoldingsView(View):
    """What one member may do, and whence (Q-06). `data_scope` is the widest of the roles."""

    id: UUID
    login: str
    name: str
    department: Named
    roles: list[Named]
    data_scope: str
    permissions: list[HeldPermission]
    active: bool
    service_account: bool
    last_login_at: datetime | None
