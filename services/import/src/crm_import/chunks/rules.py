"""Rows of a chunk: read, and judged as far as import can judge them itself."""

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import compress
from typing import Any
from uuid import UUID

from crm_import.corrections.rules import overlaid
from crm_import.jobs.rules import Stage
from crm_import.mapping.forms import DigitsLost, Typing
from crm_import.reading.cells import BETWEEN_CELLS, BETWEEN_COLUMNS
from crm_import.rehearsal.rules import Decision
from crm_import.results.rules import Outcome, Problem, Result

# Chunks of one job, so that jobs share the workers fairly and a cancel is quick (design §4). A rehearsal counts what
# the chunks before would give to owners.
MAX_OUTSTANDING = {Stage.REHEARSAL: 1, Stage.WRITE: 8, Stage.UNDO: 8}
MAX_TRIES = 3
MAX_CHUNK_BYTES = 1024 * 1024


class ChunkStatus(StrEnum):
    """`waiting` for its turn, `queued` with the workers, `done`."""

    WAITING = "waiting"
    QUEUED = "queued"
    DONE = "done"


@dataclass(frozen=True)
class Task:
    """What handling a chunk in a stage of its job needs to know. `taken_at`: whoever takes it later finishes it alone;
    `demanded`: fields that import itself wants filled; `typing`: how cells are read; `stop_code` is set when its rows
    must not be written any more. `is_retry`: its rows are those of results to be replaced. `has_corrections`: some cells
    of the job had been corrected by then. `rehearsed`: what the chunks before gave to owners; `decided`: rows with what was
    decided about which record (D-21).
    """

    job_id: UUID
    chunk_id: UUID
    stage: Stage
    taken_at: datetime
    number: int
    is_retry: bool
    has_corrections: bool
    key: str
    rows: int
    kind: str
    actor_id: UUID
    first: int
    mapped: Mapping[str, int]
    typing: Typing
    demanded: Sequence[str]
    mode: str
    match: Sequence[str]
    clear_empty: bool
    target_pool_id: UUID | None
    stop_code: str | None
    rehearsed: Mapping[UUID, int] = field(default_factory=dict)
    decided: Mapping[int, tuple[Decision, UUID | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceRow:
    """A row of the file. `cells` begin with column `first`; `errors` are its error cells by column; `repeats` is the
    match field and row that it repeats; `beyond`: how many filled cells it has beyond the last column; `as_written`: its cells in
    the file, where some were corrected.
    """

    number: int
    first: int
    cells: Sequence[str]
    errors: Mapping[int, str] = field(default_factory=dict)
    repeats: tuple[str, int] | None = None
    beyond: int = 0
    as_written: Sequence[str] | None = None

    def cell(self, column: int) -> str:
        """The text in a column."""
        return self.cells[column - self.first]

    @property
    def is_odd(self) -> bool:
        """Whether there is more to it than what its cells hold."""
        return bool(self.errors or self.repeats or self.beyond or self.as_written is not None)

    @property
    def written_cells(self) -> list[str]:
        """The cells as the file shows them."""
        if self.as_written is not None:
            return list(self.as_written)
        return [self.errors.get(index, text) for index, text in enumerate(self.cells, self.first)]

    def corrected(self, cells: Mapping[int, str], mapped: Mapping[str, int]) -> "SourceRow":
        """The row with what somebody has put right, by column: those cells are no errors any more, and whoever has looked
        at its cells has seen where they lie. It may repeat another row no more; if it does, the writer tells.
        """
        if not cells:
            return self
        return replace(
            self,
            cells=overlaid(self.cells, cells, self.first),
            errors={column: text for column, text in self.errors.items() if column not in cells},
            repeats=None if self.repeats and mapped.get(self.repeats[0]) in cells else self.repeats,
            beyond=0,
            as_written=self.written_cells,
        )

    def result(self, outcome: Outcome, problems: Iterable[Problem]) -> Result:
        """A result of this row that is not a success."""
        return Result(self.number, outcome, problems=list(problems), cells=self.written_cells)


@dataclass(frozen=True)
class Rows:
    """The rows of a chunk by column (decision 0037), in file order. `columns` begin with column `first`; `odd` are those
    of which more is to be said than what their cells hold, by number.
    """

    first: int
    numbers: Sequence[int]
    columns: Sequence[Sequence[str]]
    odd: Mapping[int, SourceRow] = field(default_factory=dict)

    @classmethod
    def of(cls, first: int, rows: Sequence[SourceRow]) -> "Rows":
        """Rows that were read one by one."""
        columns = list(zip(*(row.cells for row in rows), strict=True))
        return cls(first, [row.number for row in rows], columns, {row.number: row for row in rows if row.is_odd})

    def column(self, index: int) -> Sequence[str]:
        """The texts in a column."""
        return self.columns[index - self.first] if self.numbers else ()

    def each(self, numbers: Container[int] | None = None) -> Iterator[SourceRow]:
        """One by one those of these numbers; None: all."""
        for number, cells in zip(self.numbers, zip(*self.columns, strict=True), strict=True):
            if numbers is None or number in numbers:
                yield self.odd.get(number) or SourceRow(number, self.first, cells)

    def without(self, numbers: Container[int]) -> "Rows":
        """The other rows."""
        if not numbers:
            return self
        kept = [number not in numbers for number in self.numbers]
        odd = {number: row for number, row in self.odd.items() if number not in numbers}
        columns = [list(compress(column, kept)) for column in self.columns]
        return Rows(self.first, list(compress(self.numbers, kept)), columns, odd)

    def corrected(self, cells: Mapping[int, Mapping[int, str]], mapped: Mapping[str, int]) -> "Rows":
        """The rows with what somebody has put right, by number and column."""
        if not cells:
            return self
        return Rows.of(self.first, [row.corrected(cells.get(row.number, {}), mapped) for row in self.each()])


def row_again(number: int, cells: Sequence[str], problems: Iterable[Problem], task: "Task") -> SourceRow:
    """The row of a result that is to be tried again: what was wrong with its cells tells what they were."""
    errors: dict[int, str] = {}
    repeats, beyond = None, 0
    for problem in problems:
        if problem.code == "cell_error":
            errors[task.mapped[problem.field]] = problem.value
        elif problem.code == "repeated_in_file" and problem.field:
            repeats = problem.field, int(problem.parameters["first_row"])
        elif problem.code == "too_many_cells":
            beyond = int(problem.parameters["count"])
    return SourceRow(number, task.first, cells, errors, repeats, beyond)


def read_chunk(content: bytes, first: int) -> Rows:
    """The rows that `reading.split` wrote, or that of the release before; `first` is the column where their cells begin."""
    if content.startswith(b'{"row"'):
        lines = map(json.loads, content.splitlines())
        return Rows.of(first, [_read_row(line["row"], first, line["cells"], line) for line in lines])
    head, *columns = content.decode().split(BETWEEN_COLUMNS)
    said = json.loads(head)
    rows = Rows(first, said["numbers"], [column.split(BETWEEN_CELLS) for column in columns])
    odd = {int(number): of_row for number, of_row in said["odd"].items()}
    if not odd:
        return rows
    read = {row.number: _read_row(row.number, first, row.cells, odd[row.number]) for row in rows.each(odd)}
    return replace(rows, odd=read)


def _read_row(number: int, first: int, cells: Sequence[str], said: Mapping[str, Any]) -> SourceRow:
    errors = {int(column): text for column, text in said.get("errors", {}).items()}
    repeats = tuple(said["repeats"]) if "repeats" in said else None
    return SourceRow(number, first, cells, errors, repeats, said.get("beyond", 0))


def to_judge(rows: Rows, mapped: Mapping[str, int], demanded: Sequence[str], typing: Typing) -> set[int]:
    """The numbers of the rows of which `judge` may have something to say: one look at each column tells."""
    numbers = set(rows.odd)
    for name in demanded:
        numbers.update(n for n, text in zip(rows.numbers, rows.column(mapped[name]), strict=True) if not text)
    for name in typing.forms.keys() & mapped:
        column = rows.column(mapped[name])
        try:
            typing.column(name, column)
        except DigitsLost:
            numbers.update(
                n for n, text in zip(rows.numbers, column, strict=True) if _has_lost_digits(name, text, typing)
            )
    return numbers


def judge(row: SourceRow, mapped: Mapping[str, int], demanded: Sequence[str], typing: Typing) -> Result | None:
    """The result of a row that need not be written: a repeat, cells beyond the last column, an error cell, a number that
    has lost digits, a demanded field left empty; or None.
    """
    if row.repeats:
        name, first_row = row.repeats
        value = row.cell(mapped[name])
        return row.result(Outcome.SKIPPED, [Problem(name, "repeated_in_file", value, {"first_row": first_row})])
    # Cells have moved to the right of their columns, whichever it was that began it.
    problems = [Problem("", "too_many_cells", parameters={"count": row.beyond})] if row.beyond else []
    problems += [
        Problem(name, "cell_error", row.errors[column]) for name, column in mapped.items() if column in row.errors
    ]
    problems += [
        Problem(name, "digits_lost", row.cell(mapped[name]))
        for name in typing.forms
        if name in mapped and _has_lost_digits(name, row.cell(mapped[name]), typing)
    ]
    problems += [
        Problem(name, "missing") for name in demanded if not row.cell(mapped[name]) and mapped[name] not in row.errors
    ]
    return row.result(Outcome.FAILED, problems) if problems else None


def texts(rows: Rows, mapped: Mapping[str, int], typing: Typing) -> dict[str, Sequence[str]]:
    """What a person would have typed, of every mapped column, empty cells too; of rows that `judge` let pass."""
    return {name: typing.column(name, rows.column(column)) for name, column in mapped.items()}


def _has_lost_digits(name: str, text: str, typing: Typing) -> bool:
    try:
        typing.typed(name, text)
    except DigitsLost:
        return True
    return False
