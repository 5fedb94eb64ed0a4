"""What became of a row, and how its problems are worded."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as defaulted
from enum import StrEnum
from typing import Any

from chassis.wording import Messages
from crm_import.kinds.kind import Kind


class Outcome(StrEnum):
    """The four ends of a row; each row has exactly one."""

    CREATED = "created"
    UPDATED = "updated"
    SKIPPED = "skipped"
    FAILED = "failed"


# Rows that have changed something.
WROTE = (Outcome.CREATED, Outcome.UPDATED)


class Undo(StrEnum):
    """What an undo made of a row: as before the import, in part, or not at all."""

    UNDONE = "undone"
    PARTLY = "partly"
    LEFT = "left"


class Only(StrEnum):
    """Which rows are tried again: those put right alone, or those that failed alone."""

    CORRECTED = "corrected"
    FAILED = "failed"


@dataclass(frozen=True)
class Problem:
    """Why a row was skipped, failed or left by an undo: `field` empty when the whole row is meant, `value` the offending text."""

    field: str
    code: str
    value: str = ""
    parameters: Mapping[str, Any] = defaulted(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """As kept in the database."""
        return asdict(self)


@dataclass(frozen=True)
class ProblemSum:
    """A problem that `rows` rows have, `first_row` first; parameters are those of that one."""

    problem: Problem
    rows: int
    first_row: int


@dataclass(frozen=True)
class Result:
    """What became of the row `number`, or would. `cells`, as in the file, are kept for rows that a person may want to
    correct. It met the record by the field `matched_by`; a customer that was created lies with `owner_id`, else in
    `pool_id`, called `pool_name`. `changes`, field and former text, of an update that is rehearsed.
    """

    number: int
    outcome: Outcome
    record_id: str | None = None
    problems: Sequence[Problem] = ()
    cells: Sequence[str] | None = None
    matched_by: str = ""
    owner_id: str | None = None
    pool_id: str | None = None
    pool_name: str = ""
    changes: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Created:
    """Rows that became records in one place, by column (decision 0037): there is nothing else to be said of them. A customer
    lies with `owner_id`, else in `pool_id`, called `pool_name`.
    """

    numbers: Sequence[int]
    record_ids: Sequence[str]
    owner_id: str | None = None
    pool_id: str | None = None
    pool_name: str = ""


@dataclass(frozen=True)
class Results:
    """What became of rows: each is either one of `single` or told by column in `created`."""

    single: Sequence[Result] = ()
    created: Sequence[Created] = ()

    def counts(self) -> Counter[str]:
        """How many rows ended how."""
        counted: Counter[str] = Counter(result.outcome for result in self.single)
        if self.created:
            counted[Outcome.CREATED] += sum(len(group.numbers) for group in self.created)
        return counted

    def pools(self) -> dict[str, str]:
        """Id → name of the pools that the records lie in."""
        return pools_named((*self.single, *self.created))


def pools_named(places: Iterable[Result | Created]) -> dict[str, str]:
    """Id → name of the pools of rows."""
    return {place.pool_id: place.pool_name for place in places if place.pool_id and place.pool_name}


@dataclass(frozen=True)
class Reverted:
    """What an undo made of the row `number`, and why something of it was left."""

    number: int
    undo: Undo
    problems: Sequence[Problem] = ()


def reason(problem: Problem, kind: Kind, messages: Messages, language: str) -> str:
    """The problem in words, without the field: 手机号码格式不正确. Unknown codes get a general sentence."""
    words = {
        **problem.parameters,
        "field": kind.label(problem.field, language),
        "value": problem.value,
        "code": problem.code,
    }
    if "record" in problem.parameters:
        words["record"] = messages.text(f"record.{problem.parameters['record']}", language, {})
    of_kind = f"row.{kind.name}"
    keys = (
        f"{of_kind}.{problem.field}.{problem.code}",
        f"{of_kind}.{problem.code}",
        f"row.{problem.code}",
        "row.other",
    )
    return messages.text(keys, language, words)


def sentence(number: int, problem: Problem, kind: Kind, messages: Messages, language: str) -> str:
    """The problem with its place: 第3行 手机：手机号码格式不正确 (D-37)."""
    words = {
        "row": number,
        "field": kind.label(problem.field, language),
        "reason": reason(problem, kind, messages, language),
    }
    return messages.text("row_sentence" if problem.field else "row_sentence_without_field", language, words)


def reasons(problems: Iterable[Problem], kind: Kind, messages: Messages, language: str) -> str:
    """All problems of a row, each with its field and value, for the error workbook."""
    parts = []
    for problem in problems:
        text = reason(problem, kind, messages, language)
        named = f"{kind.label(problem.field, language)}：{text}" if problem.field else text
        parts.append(f"{named}（{problem.value}）" if problem.value and problem.value not in text else named)
    return "；".join(parts)
