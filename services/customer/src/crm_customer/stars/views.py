"""Shapes of stars on the wire."""

from datetime import datetime

from chassis.http.api import Body, View
from crm_customer.tags.rules import Color


class StarBody(Body):
    """The star's colour (C-23)."""

    color: Color


class StarView(View):
    """The reader's star on a customer, since when and in which colour."""

    color: str
    starred_at: datetime
