"""Shapes of the signals."""

from uuid import UUID

from chassis.http.api import PageQuery, View
from crm_pool.assignments.views import Named
from crm_pool.signals.rules import SignalKind


class SignalQuery(PageQuery):
    """`kind`: of one kind alone."""

    kind: SignalKind | None = None


class ExampleView(View):
    """A customer; no name when it is out of sight."""

    id: UUID
    name: str | None


class SignalView(View):
    """That a member may hoard customers, in the last 30 days.

    `ring`: gave `customers` up and had them again by a claim or a transfer, on so many `occasions`. `untouched`: of
    `claims` that are a week old and more so many were not followed by any contact. `latest`: some of the customers.
    """

    kind: SignalKind
    member: Named
    customers: int
    occasions: int
    claims: int | None
    latest: list[ExampleView]
