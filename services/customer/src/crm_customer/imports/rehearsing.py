"""What a chunk of an import would do: judged by what writes it, and nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.customers.rules import Problem
from crm_customer.fields.words import Words
from crm_customer.imports.answers import created, settled, updated
from crm_customer.imports.commands import placed_by
from crm_customer.imports.queries import Prepared, decisions
from crm_customer.imports.rules import Change, Create, Decision, Plan, Settled, Update
from crm_customer.imports.updates import judge_updates
from directory.scope import zone_of


@dataclass(frozen=True)
class Judged:
    """What becomes of the rows, but for where new customers would lie; updates by customer."""

    prepared: Prepared
    decided: Sequence[Decision]
    updates: Mapping[UUID, Change | list[Problem]]
    words: Words

    @property
    def newcomers(self) -> list[Create]:
        """The rows that would become customers, if pool lets them."""
        return [one for one in self.decided if isinstance(one, Create)]


def judge(session: Session, prepared: Prepared, language: str) -> Judged:
    """Judge the rows as they would be written now; a few statements, however many rows. Words in `language`."""
    decided = decisions(session, prepared)
    updates = judge_updates(session, prepared, [one for one in decided if isinstance(one, Update)])
    reference = prepared.reference
    zone = ZoneInfo(zone_of(session))
    return Judged(
        prepared, decided, updates, Words(language, zone, reference.options, reference.regions, reference.custom)
    )


def rehearsed(judged: Judged, plan: Plan) -> list[rows_pb.ImportRowResult]:
    """The answers; `plan`: where pool would let the newcomers lie."""
    return [_result(judged, one, plan) for one in judged.decided]


def _result(judged: Judged, one: Decision, plan: Plan) -> rows_pb.ImportRowResult:
    if isinstance(one, Create):
        placed = placed_by(plan, judged.prepared, one.row)
        if isinstance(placed, Problem):
            return settled(Settled(one.row, [placed]))
        return created(one.row.number, "", placed.columns)
    return _update(judged, one) if isinstance(one, Update) else settled(one)


def _update(judged: Judged, one: Update) -> rows_pb.ImportRowResult:
    change = judged.updates[one.customer_id]
    problems = [] if isinstance(change, Change) else change
    if one.undecided:
        waiting = [Problem("", "undecided"), *problems]
        result = settled(
            Settled(one.row, waiting, skipped=True, customer_id=one.customer_id, matched_by=one.matched_by)
        )
    elif problems:
        return settled(Settled(one.row, problems, customer_id=one.customer_id, matched_by=one.matched_by))
    else:
        result = updated(one)
    if isinstance(change, Change):
        result.changes.extend(
            rows_pb.ImportFieldChange(field=name, before=judged.words.cell(name, change.before.get(name)))
            for name in change.changed
        )
    return result
