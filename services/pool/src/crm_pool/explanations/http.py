"""REST of explanations."""

from collections.abc import Sequence
from uuid import UUID

from chassis import clock
from chassis.errors import Refusal
from chassis.http.api import Api
from chassis.http.call import Call
from crm_pool.assignments.claiming import claim_refusals
from crm_pool.assignments.http import Names, named_if, names_of
from crm_pool.assignments.model import Assignment
from crm_pool.assignments.queries import visible_assignment
from crm_pool.assignments.views import Named
from crm_pool.expiry.rules import Rule
from crm_pool.explanations.queries import explain
from crm_pool.explanations.rules import Explained, Sentence, sentences, term_sentence
from crm_pool.explanations.views import (
    AppliedRuleView,
    ClaimView,
    ExemptionView,
    ExplanationView,
    RefusalView,
    TermView,
)
from directory.permissions import Permission

api = Api("explanations")


@api.route(
    "GET",
    "/assignments/<uuid:customer_id>/explanation",
    access=Permission.CUSTOMER_READ,
    summary="Why a customer expires when it does, in words",
    reply=ExplanationView,
)
def read_explanation(call: Call[None, None], customer_id: UUID) -> ExplanationView:
    """In the caller's language."""
    with call.runtime.database.reading() as session:
        assignment = visible_assignment(session, call.actor.id, customer_id)
        explained = explain(session, assignment, clock.now())
        claim = _claim_view(call, claim_refusals(session, call.actor.id, assignment, clock.now()))
        return _view(call, assignment, explained, names_of(session, {assignment.owner_id}, ()), claim)


def _view(
    call: Call[None, None], assignment: Assignment, one: Explained, names: Names, claim: ClaimView
) -> ExplanationView:
    verdict = one.verdict

    def words(*said: Sentence) -> str:
        texts = [call.runtime.messages.text(each.code, call.language, each.parameters) for each in said]
        return (" " if call.language == "en" else "").join(texts)

    return ExplanationView(
        customer_id=assignment.customer_id,
        owner=named_if(assignment.owner_id, names),
        pool=_pool(one, assignment.pool_id) if assignment.pool_id else None,
        expires_on=one.expires_on,
        days_left=one.days_left,
        because=one.because,
        message=words(*sentences(one)),
        rule=_rule_view(one, verdict.rule) if verdict.rule else None,
        conditions=[
            TermView(**term._asdict(), first=term.kind == verdict.condition, message=words(term_sentence(one, term)))
            for term in one.terms
        ],
        exemptions=[
            ExemptionView(code=code, message=words(Sentence(f"explained_exempt_{code}"))) for code in verdict.exemptions
        ],
        extension_days=verdict.extension_days,
        not_before=assignment.not_before if verdict.floor else None,
        claim=claim,
    )


def _claim_view(call: Call[None, None], refusals: Sequence[Refusal]) -> ClaimView:
    text, language = call.runtime.messages.text, call.language
    said = [RefusalView(code=one.code, message=text(one.code, language, one.parameters)) for one in refusals]
    return ClaimView(allowed=not said, refusals=said)


def _rule_view(one: Explained, rule: Rule) -> AppliedRuleView:
    return AppliedRuleView(
        id=rule.id,
        number=rule.number,
        pool=_pool(one, rule.pool_id),
        target_pool=_pool(one, rule.target_pool_id or rule.pool_id),
        working_days=rule.working_days,
    )


def _pool(one: Explained, pool_id: UUID) -> Named:
    return Named(id=pool_id, name=one.pool_name(pool_id))
