"""Shapes of the reasons' REST API."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View

Label = Annotated[str, Field(min_length=1, max_length=50)]
Position = Annotated[int, Field(ge=0, le=10_000)]


class NewReason(Body):
    """A reason in both languages; without a position it is the last."""

    label_zh: Label
    label_en: Label
    position: Position | None = None


class ReasonChange(Body):
    """The fields to change; what is left out stays. One that is not `active` is offered no more."""

    label_zh: Label = ""
    label_en: Label = ""
    position: Position = 0
    active: bool = True


class ReasonQuery(Body):
    """`inactive`: those offered no more too, for who manages pools."""

    inactive: bool = False


class ReasonView(View):
    """A reason; `label` in the caller's language."""

    id: UUID
    label: str
    label_zh: str
    label_en: str
    active: bool
    position: int
    version: int


class ReasonsView(View):
    """All reasons, in their order."""

    items: list[ReasonView]
