"""Shapes of secrets that are shown once."""

from datetime import datetime

from chassis.http.api import View
from chassis.http.app import PREFIX
from crm_identity.credentials.rules import NewLink

PAGE = "/auth/password"


class LinkView(View):
    """A link that sets a password once, until `expires_at`; none when the request is repeated."""

    password_link: str | None = None
    expires_at: datetime | None = None


def link_view(link: NewLink, public_url: str) -> LinkView:
    """The link as people follow it. The token is in the fragment: browsers send it to nobody."""
    address = f"{public_url.rstrip('/')}{PREFIX}{PAGE}#{link.token}"
    return LinkView(password_link=address, expires_at=link.expires_at)
