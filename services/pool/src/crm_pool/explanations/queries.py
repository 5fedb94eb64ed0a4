"""What an explanation rests on, read with the very functions that recording, reminders and recycling use."""

from datetime import datetime

from sqlalchemy.orm import Session

from chassis.days import day_of
from crm_pool.assignments.model import Assignment
from crm_pool.assignments.queries import colleagues
from crm_pool.expiry.queries import cases
from crm_pool.expiry.rules import Verdict
from crm_pool.explanations.rules import Explained
from crm_pool.pools.queries import pool_names
from directory.scope import zone_of


def explain(session: Session, assignment: Assignment, at: datetime) -> Explained:
    """Why the customer expires when it does, or does not."""
    case = None if assignment.suspended else cases(session, [assignment]).get(assignment.customer_id)
    verdict = case.verdict() if case else Verdict(None)
    owners = colleagues(session, [assignment.owner_id]) if assignment.owner_id else {}
    rule = verdict.rule
    pools = {assignment.pool_id, rule and rule.pool_id, rule and rule.target_pool_id} - {None}
    return Explained(
        expires_on=assignment.expires_on,
        today=day_of(at, zone_of(session)),
        deleted=assignment.suspended,
        pool_id=assignment.pool_id,
        home_pool_id=assignment.home_pool_id,
        owner_works=any(owner.assignable for owner in owners.values()),
        verdict=verdict,
        terms=case.terms() if case else [],
        pools=pool_names(session, [id_ for id_ in pools if id_]),
    )
