"""Shapes of rehearsals."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, PageQuery, View
from chassis.wording import Messages
from crm_import.corrections.views import MOST_ROWS, CorrectionView, RowNumber, correction_views
from crm_import.jobs.model import ImportJob
from crm_import.rehearsal.model import RowPlan
from crm_import.rehearsal.rules import Decision
from crm_import.results.rules import Outcome, Problem
from crm_import.results.views import ProblemView, problem_view


class PlanQuery(PageQuery):
    """Which rows of a rehearsal, in file order; `field` and `code` are of one problem."""

    outcome: Outcome | None = None
    field: str | None = Field(default=None, max_length=100)
    code: str | None = Field(default=None, max_length=100)
    undecided: bool = False
    owner_id: UUID | None = None


class ChangeView(View):
    """A field that an update would overwrite; `after` as in the file, none where it follows from other fields."""

    field: str
    field_label: str
    before: str
    after: str | None


class PlanView(View):
    """What would become of a row: created with an owner or in a pool, or an update of `record_id`, which it met by
    `matched_by`, with its changes; or why not. `corrections` stand over `cells` at the
    next rehearsal and at the start. `decision` of rows that somebody is asked about (D-21).
    """

    row_number: int
    outcome: Outcome
    record_id: UUID | None
    matched_by: str | None
    matched_by_label: str | None
    changes: list[ChangeView]
    owner_id: UUID | None
    owner_name: str | None
    pool_id: UUID | None
    pool_name: str | None
    problems: list[ProblemView]
    cells: list[str]
    corrections: list[CorrectionView]
    decision: Decision | None


class ExampleView(View):
    """A text that is wrong, and in how many rows."""

    value: str
    rows: int


class ProblemCount(View):
    """What is wrong in how many rows; the most frequent texts."""

    code: str
    field: str
    field_label: str
    rows: int
    examples: list[ExampleView]


class OwnerCount(View):
    """How many customers a member would get."""

    owner_id: UUID
    owner_name: str | None
    customers: int


class PoolCount(View):
    """How many customers would lie in a pool."""

    pool_id: UUID
    pool_name: str | None
    customers: int


class MatchCount(View):
    """How many rows meet a record by a field, and how many of those wait for a decision."""

    field: str
    field_label: str
    rows: int
    undecided: int


class SummaryView(View):
    """A rehearsal in numbers."""

    total: int
    created: int
    updated: int
    skipped: int
    failed: int
    undecided: int
    problems: list[ProblemCount]
    owners: list[OwnerCount]
    pools: list[PoolCount]
    matches: list[MatchCount]


class DecisionBody(Body):
    """A decision about `rows` by number, or without them about all undecided ones; `matched_by`: only those that met
    their record by that field.
    """

    decision: Decision
    rows: list[RowNumber] | None = Field(default=None, min_length=1, max_length=MOST_ROWS)
    matched_by: str | None = Field(default=None, max_length=100)


def plan_view(
    plan: RowPlan, owner: str | None, corrected: Mapping[int, str], job: ImportJob, messages: Messages, language: str
) -> PlanView:
    """The view of a plan in `language`; `corrected`: cells that were put right, by column."""
    kind = job.traits
    problems = [Problem(**problem) for problem in plan.problems]
    return PlanView(
        row_number=plan.row_number,
        outcome=Outcome(plan.outcome),
        record_id=plan.record_id,
        matched_by=plan.matched_by,
        matched_by_label=kind.label(plan.matched_by, language) if plan.matched_by else None,
        changes=[
            ChangeView(**change, field_label=kind.label(change["field"], language), after=_cell(plan, job, change))
            for change in plan.changes
        ],
        owner_id=plan.owner_id,
        owner_name=owner,
        pool_id=plan.pool_id,
        pool_name=job.pool_name(plan.pool_id),
        problems=[problem_view(plan.row_number, problem, kind, messages, language) for problem in problems],
        cells=plan.cells,
        corrections=correction_views(corrected),
        decision=Decision(plan.decision) if plan.decision else None,
    )


def _cell(plan: RowPlan, job: ImportJob, change: dict[str, Any]) -> str | None:
    column = job.mapped.get(change["field"])
    return None if column is None else plan.cells[column - job.first_column]
