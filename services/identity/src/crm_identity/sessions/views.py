"""Shapes of logging in."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from chassis.http.api import Body, View
from crm_identity.credentials.rules import MAX_PASSWORD, MIN_PASSWORD
from crm_identity.members.views import Email, Language, Phone
from crm_identity.organisation.views import Name
from crm_identity.sessions.rules import ACCESS_TOKEN_SECONDS

# What is typed is looked up, not judged: a wrong form would say which logins cannot exist.
TypedLogin = Annotated[str, Field(min_length=1, max_length=200)]
# Spaces at the ends belong to a password.
TypedPassword = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=200)]
NewPassword = Annotated[
    str, StringConstraints(strip_whitespace=False, min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)
]


class Login(Body):
    """Account and password (Q-03)."""

    login: TypedLogin
    password: TypedPassword


class PasswordChange(Body):
    """Account, the password until now, and the one from now on."""

    login: TypedLogin
    password: TypedPassword
    new_password: NewPassword


class LinkRedemption(Body):
    """The token of a link (what follows # in its address), and the password from now on."""

    token: TypedPassword
    new_password: NewPassword


class ServiceLogin(Body):
    """A service account's login and secret."""

    client_id: TypedLogin
    client_secret: TypedPassword


class HeldRole(View):
    """A role of the member."""

    id: UUID
    key: str
    name: str


class SelfView(View):
    """The member who is logged in; what `permissions` lack, a client hides (Q-23). `data_scope`: the widest of the roles."""

    id: UUID
    login: str
    name: str
    email: str
    phone: str | None
    department_id: UUID
    roles: list[HeldRole]
    permissions: list[str]
    data_scope: str
    language: str
    absent_from: datetime | None
    absent_until: datetime | None
    version: int


class SessionView(View):
    """One of one's own sessions. `network`: whence it was last used, without the last part of the address."""

    id: UUID
    current: bool
    user_agent: str
    network: str | None
    began_at: datetime
    last_used_at: datetime
    expires_at: datetime


class ProfileChange(Body):
    """What a member changes about themself (Q-17); the rest stays. `null` clears the phone."""

    name: Name = ""
    email: Email = ""
    phone: Phone | None = None
    language: Language = "zh-CN"


class ServiceTokenView(View):
    """An access token for a service account; there is nothing to refresh it with."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme, not a secret
    expires_in: int = ACCESS_TOKEN_SECONDS


class LoginView(ServiceTokenView):
    """An access token, valid for `expires_in` seconds; the refresh token is in the cookie."""

    password_change_required: bool = False
    member: SelfView
