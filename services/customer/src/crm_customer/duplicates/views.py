"""Shapes of duplicate checks on the wire."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearDay, View
from crm_customer.customers.views import Named, Notice, Owner, named
from crm_customer.duplicates.rules import Question, masked_name, tells_name
from crm_customer.matching.rules import Likeness


class DuplicateQuestion(Body):
    """What is known so far of a company (G-01, G-02): at least one of these."""

    name: str | None = Field(default=None, max_length=100, description="two characters at least, not only usual words")
    phone: str | None = Field(default=None, max_length=30, description="a whole number, mobile or with its area code")
    email: str | None = Field(default=None, max_length=50, description="an address at a domain of the company's own")
    credit_code: str | None = Field(default=None, max_length=30, description="统一社会信用代码 (GB 32100-2015)")


class CandidateView(View):
    """A customer that may be the one asked about. Numbers are never told; an id out of sight opens nothing but a collision."""

    customer_id: UUID
    name: str = Field(description="out of sight and only possible: ＊ stands for what was not asked for")
    masked: bool
    level: str = Field(description="same, likely or possible")
    reasons: list[str] = Field(description="of credit_code, phone, name, core, similar, alias, domain")
    owner: Owner | None
    pool: Named | None
    last_touch_on: date | None = Field(description="the organisation's day of the last follow-up")
    visible: bool = Field(description="the asker may open it")
    claimable: bool = Field(description="as far as is known here: pool may refuse by cool-down, quota or cap")
    not_claimable: Notice | None = Field(description="why not")


class DuplicatesView(View):
    """Candidates of the whole company, best first, at most 10."""

    items: list[CandidateView]


class ChecksQuery(Body):
    """Which checks. `from` and `to`: days of the organisation, inclusive. `cursor`: the `next_cursor` of the answer before,
    with the same filters.
    """

    member_id: UUID | None = None
    from_: NearDay | None = Field(default=None, alias="from")
    to: NearDay | None = None
    page_size: int = Field(default=15, ge=1, le=200)
    cursor: str = Field(default="", max_length=200)


class CheckView(View):
    """What a member asked; `found`: candidates at the first time of that day."""

    id: UUID
    asked_at: datetime
    member: Named
    name: str | None
    phone: str | None
    email: str | None
    credit_code: str | None
    found: int


class ChecksPage(View):
    """Checks, newest first; with `next_cursor` there are more."""

    items: list[CheckView]
    page_size: int
    next_cursor: str | None


@dataclass(frozen=True)
class Found:
    """A candidate whoever sees it, how alike it is, and what the asker may do with it: see it; `not_claimable`: why not."""

    customer: Any
    likeness: Likeness
    visible: bool
    last_touch_on: date | None
    not_claimable: str | None


def candidate_views(found: Iterable[Found], question: Question, words: Callable[[str], str]) -> list[CandidateView]:
    """What the asker learns of the candidates; `words` of why one cannot be claimed, by code."""
    return [_candidate(one, question, words) for one in found]


def _candidate(one: Found, question: Question, words: Callable[[str], str]) -> CandidateView:
    customer, why = one.customer, one.not_claimable
    told = one.visible or tells_name(one.likeness)
    owner = None
    if customer.owner_id is not None:
        owner = Owner(id=customer.owner_id, name=customer.owner_name or "", active=not customer.owner_left)
    return CandidateView(
        customer_id=customer.id,
        name=customer.name if told else masked_name(customer.name, question.name),
        masked=not told,
        level=one.likeness.level,
        reasons=list(one.likeness.reasons),
        owner=owner,
        pool=named(customer.pool_id, customer.pool_name),
        last_touch_on=one.last_touch_on,
        visible=one.visible,
        claimable=why is None,
        not_claimable=None if why is None else Notice(code=why, message=words(why)),
    )
