"""Shapes of the caps' REST API."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chassis.http.api import Body, View
from crm_pool.caps.rules import MOST

Cap = Annotated[int, Field(ge=0, le=MOST)]


class NewCap(Body):
    """How many customers a member, or everybody in a department and below, may own; 0: none may be given."""

    cap: Cap
    member_id: UUID | None = None
    department_id: UUID | None = None

    @model_validator(mode="after")
    def _of_one(self) -> Self:
        if (self.member_id is None) == (self.department_id is None):
            raise PydanticCustomError("cap_of_one", "either a member or a department")
        return self


class CapChange(Body):
    """How many customers may be owned from now on."""

    cap: Cap


class CapView(View):
    """A cap; `name` is the member's or department's."""

    id: UUID
    cap: int
    member_id: UUID | None
    department_id: UUID | None
    name: str
    version: int
