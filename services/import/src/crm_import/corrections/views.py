"""Shapes of corrections."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chassis.http.api import Body, View

MOST_ROWS = 1000
RowNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]  # as PostgreSQL can hold it


class CorrectionView(View):
    """A cell that was put right: its column (index from 0), and what it holds instead of what is in the file."""

    column: int
    value: str


class CorrectionBody(Body):
    """What the cells of a column are to hold: those of `rows` by number, or all that hold `from`."""

    column: int = Field(ge=0, strict=True)
    to: str = Field(max_length=5000)
    rows: list[RowNumber] | None = Field(default=None, min_length=1, max_length=MOST_ROWS)
    from_: str | None = Field(default=None, alias="from", max_length=5000)

    @model_validator(mode="after")
    def _of_one(self) -> Self:
        if (self.rows is None) == (self.from_ is None):
            raise PydanticCustomError("rows_or_from", "either rows or from")
        return self


class FormerView(View):
    """A text that cells held before, and how many."""

    value: str
    rows: int


class CorrectedView(View):
    """How many rows were corrected, and what their cells held: corrected to that again they are as before."""

    column: int
    field: str
    rows: int
    former: list[FormerView]


def correction_views(corrected: Mapping[int, str]) -> list[CorrectionView]:
    """The cells of a row that were corrected, in the order of columns."""
    return [CorrectionView(column=column, value=text) for column, text in sorted(corrected.items())]
