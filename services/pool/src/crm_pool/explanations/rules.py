"""Why a customer expires when it does, as sentences that need only be put into words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from crm_pool.expiry.rules import Term, Verdict, days_left


class Because(StrEnum):
    """What decides about the day: a condition (expires), or why there is none."""

    EXPIRES = "expires"
    EXEMPT = "exempt"
    NO_CONDITION = "no_condition"
    NO_RULE = "no_rule"
    OWNER_LEFT = "owner_left"
    IN_POOL = "in_pool"
    DELETED = "deleted"


@dataclass(frozen=True)
class Sentence:
    """A message by its code."""

    code: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Explained:
    """Everything that is said of one customer.

    `expires_on`: the day that is kept, which lists, reminders and recycling go by; `verdict` and `terms`: what the rule says
    now, and each of its conditions. `pool_id`: where it lies, None: with an owner, who `owner_works` or has left. `pools`:
    names.
    """

    expires_on: date | None
    today: date
    deleted: bool
    pool_id: UUID | None
    home_pool_id: UUID | None
    owner_works: bool
    verdict: Verdict
    terms: Sequence[Term]
    pools: Mapping[UUID, str]

    @property
    def because(self) -> Because:
        """What decides about the day."""
        if self.deleted:
            return Because.DELETED
        if self.pool_id is not None:
            return Because.IN_POOL
        if not self.owner_works:
            return Because.OWNER_LEFT
        if self.verdict.rule is None:
            return Because.NO_RULE
        if self.verdict.exemptions:
            return Because.EXEMPT
        return Because.NO_CONDITION if self.verdict.condition is None else Because.EXPIRES

    @property
    def days_left(self) -> int | None:
        """See expiry."""
        return days_left(self.expires_on, self.today)

    def pool_name(self, pool_id: UUID) -> str:
        """A pool that has gone without a trace is named by its id."""
        return self.pools.get(pool_id, str(pool_id))


def sentences(one: Explained) -> list[Sentence]:
    """The explanation, sentence by sentence."""
    return list(_sentences(one))


def term_sentence(one: Explained, term: Term) -> Sentence:
    """What one condition says."""
    said = "since_touch" if term.touched else "since_held"
    parameters = {"since": term.since.isoformat(), "days": term.days, "last_day": term.last_day.isoformat()}
    return Sentence(f"explained_{term.kind}_{said}{_unit(one)}", parameters)


def _sentences(one: Explained) -> Iterator[Sentence]:
    because, verdict = one.because, one.verdict
    if because in (Because.DELETED, Because.OWNER_LEFT, Because.NO_RULE):
        yield Sentence(f"explained_{because}")
    elif one.pool_id is not None:
        yield Sentence("explained_in_pool", {"pool": one.pool_name(one.pool_id)})
    elif verdict.rule is not None:
        chosen = "home" if verdict.rule.pool_id == one.home_pool_id else "priority"
        parameters = {"pool": one.pool_name(verdict.rule.pool_id), "number": verdict.rule.number}
        yield Sentence(f"explained_rule_{chosen}", parameters)
        for exemption in verdict.exemptions:
            yield Sentence(f"explained_exempt_{exemption}")
        yield from _day(one)
    if verdict.expires_on != one.expires_on:
        yield Sentence("explained_recomputing")


def _day(one: Explained) -> Iterator[Sentence]:
    """Which condition runs out first, what was added, and what is left."""
    verdict = one.verdict
    if one.because is Because.NO_CONDITION:
        yield Sentence("explained_no_condition")
    if one.because is not Because.EXPIRES or verdict.rule is None:
        return
    yield term_sentence(one, next(term for term in one.terms if term.kind == verdict.condition))
    if verdict.extension_days:
        yield Sentence(f"explained_extension{_unit(one)}", {"days": verdict.extension_days})
    if verdict.floor and verdict.expires_on:
        yield Sentence("explained_floor", {"day": verdict.expires_on.isoformat()})
    if one.expires_on is not None:
        target = one.pool_name(verdict.rule.target_pool_id or verdict.rule.pool_id)
        parameters = {"day": one.expires_on.isoformat(), "days": one.days_left, "pool": target}
        yield Sentence(f"explained_{_left(one.expires_on, one.today)}", parameters)


def _left(expires_on: date, today: date) -> str:
    if expires_on < today:
        return "overdue"
    return "last_day" if expires_on == today else "days_left"


def _unit(one: Explained) -> str:
    return "_working" if one.verdict.rule and one.verdict.rule.working_days else ""
