"""Rows of a chunk: read, and judged as far as import can judge them itself."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from crm_import.corrections.rules import overlaid
from crm_import.jobs.rules import Stage
from crm_import.mapping.forms import DigitsLost, Typing
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
    must not be written any more. `is_retry`: its rows are those of results to be replaced. `rehearsed`: what the chunks before gave to owners; `decided`: rows with what was
    decided about which record (D-21).
    """

    job_id: UUID
    chunk_id: UUID
    stage: Stage
    taken_at: datetime
    number: int
    is_retry: bool
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


def read_chunk(content: bytes, first: int) -> list[SourceRow]:
    """The rows that `reading.split` wrote; `first` is the column where their cells begin."""
    rows = []
    for row in json.loads(b"[%s]" % b",".join(content.splitlines())):  # a line each would cost twice as much
        errors = {int(column): text for column, text in row["errors"].items()} if "errors" in row else {}
        repeats = tuple(row["repeats"]) if "repeats" in row else None
        rows.append(SourceRow(row["row"], first, row["cells"], errors, repeats, row.get("beyond", 0)))
    return rows


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


def texts(row: SourceRow, mapped: Mapping[str, int], typing: Typing) -> list[str]:
    """What a person would have typed, of every mapped column, empty ones too; of rows that `judge` let pass."""
    cells, first, forms = row.cells, row.first, typing.forms
    return [
        typing.typed(name, cells[column - first]) if name in forms else cells[column - first]
        for name, column in mapped.items()
    ]


def _has_lost_digits(name: str, text: str, typing: Typing) -> bool:
    try:
        typing.typed(name, text)
    except DigitsLost:
        return True
    return False
