"""Shapes of explanations."""

from datetime import date
from uuid import UUID

from chassis.http.api import View
from crm_pool.assignments.views import Named
from crm_pool.expiry.rules import ConditionKind, Exemption
from crm_pool.explanations.rules import Because


class AppliedRuleView(View):
    """The version of a pool's rule that applies to the owner, and into which pool it takes customers."""

    id: UUID
    number: int
    pool: Named
    target_pool: Named
    working_days: bool


class TermView(View):
    """A condition: `days` and `extension_days` from `since` on is its `last_day`. `touched`: since the touch, opportunity or
    deal that it asks for; else since the owner has held the customer. `first`: it runs out first and so decides.
    """

    kind: ConditionKind
    since: date
    touched: bool
    days: int
    extension_days: int
    last_day: date
    first: bool
    message: str


class ExemptionView(View):
    """Why a customer does not expire although a rule applies."""

    code: Exemption
    message: str


class RefusalView(View):
    """Why a claim would be refused."""

    code: str
    message: str


class ClaimView(View):
    """Whether the caller could claim the customer now, and every reason why not."""

    allowed: bool
    refusals: list[RefusalView]


class ExplanationView(View):
    """Why a customer expires when it does: `message` in words, the rest as data.

    `expires_on` null: it does not, `because` says why. `not_before`: the earliest day that a change of rule, calendar or
    organisation left, if it decides. `conditions`: all of the rule's that apply to the customer, whatever exempts it.
    """

    customer_id: UUID
    owner: Named | None
    pool: Named | None
    expires_on: date | None
    days_left: int | None
    because: Because
    message: str
    rule: AppliedRuleView | None
    conditions: list[TermView]
    exemptions: list[ExemptionView]
    extension_days: int
    not_before: date | None
    claim: ClaimView
