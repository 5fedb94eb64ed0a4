"""Shapes of sending again on the wire."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View


class ResendBody(Body):
    """Up to 200 deliveries."""

    ids: list[UUID] = Field(min_length=1, max_length=200)


class Resent(View):
    """What became of one delivery; why, in code and words, where it was refused."""

    id: UUID
    outcome: Literal["queued", "refused"]
    code: str | None
    message: str | None


class Resends(View):
    """The answer for each id, in the order asked for."""

    results: list[Resent]
