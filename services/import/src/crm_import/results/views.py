"""Shapes of row results."""

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, PageQuery, View
from chassis.wording import Messages
from crm_import.corrections.views import CorrectionView, correction_views
from crm_import.jobs.model import ImportJob
from crm_import.kinds.kind import Kind
from crm_import.results.model import RowResult
from crm_import.results.rules import Outcome, Problem, ProblemSum, Undo, reason, sentence


class ProblemView(View):
    """Why a row was not written: `message` is the whole sentence with row and field, `reason` its last part."""

    field: str
    field_label: str
    code: str
    value: str
    reason: str
    message: str


class RowView(View):
    """What became of a row. `record_id`: the record that it became or met; `cells` as in the file for rows that were
    skipped or failed, `corrections` what stands over them.
    """

    row_number: int
    outcome: Outcome
    record_id: UUID | None
    owner_id: UUID | None = Field(description="of a customer that was created")
    owner_name: str | None
    pool_id: UUID | None = Field(description="where a customer without an owner was created")
    pool_name: str | None
    cells: list[str] | None
    corrections: list[CorrectionView]
    problems: list[ProblemView]
    undo: Undo | None = Field(description="what an undo of the import made of it")
    undo_problems: list[ProblemView] = Field(description="why an undo left it, or some of it")


class ProblemSumView(View):
    """A problem that several rows have, with the same value; `reason` in words."""

    field: str
    field_label: str
    code: str
    value: str
    reason: str
    rows: int
    first_row: int


class ProblemSumsView(View):
    """The problems that most rows have, at most 100."""

    items: list[ProblemSumView]


class RowQuery(PageQuery):
    """Paging of the rows of an import, in file order; what is given must hold for all."""

    outcome: Outcome | None = None
    undo: Undo | None = None
    field: str = Field(default="", max_length=100, description="with a problem of this field")
    code: str = Field(default="", max_length=100, description="with this problem")
    text: str = Field(default="", max_length=100, description="that hold this text; those written keep none")


class ProblemsQuery(Body):
    """Problems of failed rows, or of skipped ones."""

    outcome: Literal["failed", "skipped"] = "failed"


class ErrorsQuery(Body):
    """`include=skipped`: the skipped rows, too."""

    include: Literal["skipped"] | None = None


def row_view(
    result: RowResult,
    owner: str | None,
    corrected: Mapping[int, str],
    job: ImportJob,
    messages: Messages,
    language: str,
) -> RowView:
    """The view of a result with its problems in `language`; `owner`: what its owner is called, `corrected`: cells that were
    put right, by column.
    """
    kind = job.traits

    def worded(problems: Sequence[Problem]) -> list[ProblemView]:
        return [problem_view(result.row_number, item, kind, messages, language) for item in problems]

    return RowView(
        row_number=result.row_number,
        outcome=Outcome(result.outcome),
        record_id=result.record_id,
        owner_id=result.owner_id,
        owner_name=owner,
        pool_id=result.pool_id,
        pool_name=job.pool_name(result.pool_id),
        cells=result.cells,
        corrections=correction_views(corrected),
        problems=worded(result.reasons()),
        undo=Undo(result.undo) if result.undo else None,
        undo_problems=worded(result.reasons_left()),
    )


def problem_sum_view(found: ProblemSum, kind: Kind, messages: Messages, language: str) -> ProblemSumView:
    """The view of a sum with its problem in `language`."""
    problem = found.problem
    return ProblemSumView(
        field=problem.field,
        field_label=kind.label(problem.field, language),
        code=problem.code,
        value=problem.value,
        reason=reason(problem, kind, messages, language),
        rows=found.rows,
        first_row=found.first_row,
    )


def problem_view(number: int, problem: Problem, kind: Kind, messages: Messages, language: str) -> ProblemView:
    """The view of a problem of row `number` in `language`."""
    return ProblemView(
        field=problem.field,
        field_label=kind.label(problem.field, language),
        code=problem.code,
        value=problem.value,
        reason=reason(problem, kind, messages, language),
        message=sentence(number, problem, kind, messages, language),
    )
