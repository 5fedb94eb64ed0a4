"""Rows of an import of follow-up records: what they say, and what becomes of each (D-04, D-33). Pure functions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.days import day_after, day_of, start_of
from chassis.errors import FieldError
from crm_customer.activities.rules import (
    LONGEST_CONTENT,
    METHODS,
    Kind,
    wrong_fields,
    wrong_method,
    wrong_promise,
)
from crm_customer.contacts.rules import Broken, text_up_to
from crm_customer.customers.rules import Problem
from crm_customer.dictionaries.rules import Options
from crm_customer.imports.rules import Chunk, Unwritten, record_id_of, without_nulls

CUSTOMER, CONTENT, METHOD, AT, MEMBER, NEXT = "customer", "content", "method", "at", "member", "next_contact_on"
KNOWN = frozenset({CUSTOMER, CONTENT, METHOD, AT, MEMBER, NEXT})
_FIRST_YEAR = 1900
# A file needs no method, unlike the form (D-33).
_OPTIONAL = {("/method", "missing")}


@dataclass(frozen=True)
class Setting:
    """When rows are read, and by what: the organisation's zone and options."""

    now: datetime
    zone: str
    options: Options


@dataclass(frozen=True)
class Sameness:
    """Where a follow-up that is the same would be found: written by the member of the customer between these moments,
    the second exclusive, with this content.
    """

    customer_id: UUID
    member_id: UUID
    since: datetime
    until: datetime
    content: str


@dataclass
class Row:
    """One row. `at` is when it happened, `dated` whether the file says so; `customer` and `member` as written, their ids as
    found.
    """

    number: int
    customer: str
    member: str
    content: str
    method: str | None
    at: datetime
    dated: bool
    next_contact_on: date | None
    problems: list[Problem]
    customer_id: UUID | None = None
    member_id: UUID | None = None

    def sameness(self, zone: str) -> Sameness | None:
        """By what it is found again, once it is known of whom and by whom it is: files tell seconds; a row that tells no
        time is the same as one of its day.
        """
        if self.customer_id is None or self.member_id is None:
            return None
        since = self.at.replace(microsecond=0)
        until = since + timedelta(seconds=1)
        if not self.dated:
            day = day_of(self.at, zone)
            since, until = start_of(day, zone), start_of(day_after(day), zone)
        return Sameness(self.customer_id, self.member_id, since, until, self.content)


@dataclass(frozen=True)
class Create:
    """The row becomes a follow-up."""

    row: Row


Decision = Create | Unwritten


def read_row(number: int, given: Mapping[str, str], setting: Setting) -> Row:
    """A row by the rules of the form, but for the method, which it need not have, and the time, which it may tell."""
    texts, problems = without_nulls(given)
    if not texts.get(CUSTOMER, given.get(CUSTOMER)):
        problems.append(Problem(CUSTOMER, "missing"))
    told = {name: texts.get(name) or None for name in (CONTENT, METHOD)}
    errors = [one for one in wrong_fields(Kind.FOLLOW_UP, told) if (one.pointer, one.code) not in _OPTIONAL]
    method, content = told[METHOD], told[CONTENT] or ""
    if method:
        errors += wrong_method(method, setting.options)
    at = _read(AT, texts, problems, lambda text: _moment(text, setting))
    day = _read(NEXT, texts, problems, _day)
    at_day = day_of(at or setting.now, setting.zone)
    errors += wrong_promise(day, at_day)
    unreadable = {problem.field for problem in problems}
    problems += [found for error in errors if (found := _problem(error, texts)).field not in unreadable]
    _read(CONTENT, texts, problems, lambda text: text_up_to(LONGEST_CONTENT, text))
    return Row(
        number=number,
        customer=texts.get(CUSTOMER, ""),
        member=texts.get(MEMBER, ""),
        content=content,
        method=setting.options.find(METHODS, method) if method else None,
        at=at or setting.now,
        dated=at is not None,
        next_contact_on=day,
        problems=problems,
    )


def _read(name: str, texts: Mapping[str, str], problems: list[Problem], rule: Any) -> Any:
    """What `rule` makes of a field's text; none for an empty one, and for one that is wrong."""
    text = texts.get(name, "")
    try:
        return rule(text) if text else None
    except Broken as broken:
        problems.append(Problem(name, broken.code, text, broken.parameters))
        return None


def _moment(text: str, setting: Setting) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise Broken("moment_invalid") from error
    if not _FIRST_YEAR <= read.year <= setting.now.year + 1:
        raise Broken("moment_invalid")
    moment = read if read.tzinfo else read.replace(tzinfo=ZoneInfo(setting.zone))
    if moment > setting.now:
        raise Broken("at_in_future")
    return moment


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Broken("date_invalid") from error


def _problem(error: FieldError, texts: Mapping[str, str]) -> Problem:
    field = error.pointer.removeprefix("/")
    return Problem(field, error.code, texts.get(field, ""), error.parameters)


def decide(
    rows: Iterable[Row], chunk: Chunk, made: Collection[UUID], recorded: Mapping[int, UUID], zone: str
) -> list[Decision]:
    """What becomes of each row. `made`: follow-ups that earlier attempts made of rows of this chunk (D-44); `recorded`:
    those that say the same as a row, by its number.
    """
    taken: dict[tuple[Any, ...], int] = {}
    return [_decide(row, chunk, made, recorded, zone, taken) for row in rows]


def _decide(
    row: Row,
    chunk: Chunk,
    made: Collection[UUID],
    recorded: Mapping[int, UUID],
    zone: str,
    taken: dict[tuple[Any, ...], int],
) -> Decision:
    id_, same = record_id_of(chunk.job_id, row.number), row.sameness(zone)
    if id_ in made:
        return Unwritten(row.number, record_id=id_, made=True)
    if row.problems or same is None:
        return Unwritten(row.number, row.problems)
    if row.number in recorded:
        return _skipped(row, Problem("", "already_recorded"), recorded[row.number])
    first = taken.setdefault((same.customer_id, same.member_id, same.since, same.content), row.number)
    if first != row.number:
        return _skipped(row, Problem("", "repeated_in_file", parameters={"first_row": first}))
    return Create(row)


def _skipped(row: Row, problem: Problem, record_id: UUID | None = None) -> Unwritten:
    return Unwritten(row.number, [problem], skipped=True, record_id=record_id)


@dataclass(frozen=True)
class Worker:
    """Who works on a customer, so that what they write of it moves its clock (F-16, design §3)."""

    owner_id: UUID | None
    collaborator_ids: Collection[UUID]
    last_touch_at: datetime | None


def touches(births: Sequence[Row], workers: Mapping[UUID, Worker]) -> dict[UUID, datetime]:
    """Where the clocks of customers are moved to, by the last follow-up of its owner or a collaborator; never back."""
    found: dict[UUID, datetime] = {}
    for row in births:
        if row.customer_id is None or row.member_id is None:
            continue
        of = workers[row.customer_id]
        last = found.get(row.customer_id, of.last_touch_at)
        if (row.member_id == of.owner_id or row.member_id in of.collaborator_ids) and (last is None or last < row.at):
            found[row.customer_id] = row.at
    return found
