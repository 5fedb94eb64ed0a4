"""Computing every day anew when what days depend on has changed, a page of customers in each transaction (design §3)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import try_lock
from chassis.identifiers import new_id
from crm_pool.assignments.queries import page_of_owned
from crm_pool.assignments.recording import Act, locked
from crm_pool.assignments.rescheduling import reschedule
from crm_pool.recycle_rules import queries
from crm_pool.recycle_rules.model import Recompute

PAGE = 1000
# So many members' customers are found by their owners, again for each page; those of more by walking through all.
FEW_MEMBERS = 20


def begin(session: Session, at: datetime) -> None:
    """Begin to compute days anew if anything changed since the last time that they were, whoever or whatever changed it.

    What changes while a recompute runs is left to one more after it, however often. Where no rule is and was, nothing is
    to be computed. A few members who changed, and nothing else, concern their own customers alone.
    """
    if not try_lock(session, "begin-recompute"):
        return
    last = queries.last_recompute(session, done=False)
    if last is not None and last.done_at is None:
        return
    now, before = queries.basis(session), last.basis if last else {"rules": []}
    if not (now["rules"] or before["rules"]):
        return
    causes = [kind for kind in now if now[kind] != before.get(kind)]
    moved = queries.note_members(session)
    if not (causes or moved):
        return
    session.add(
        Recompute(
            id=new_id(),
            causes=[*causes, *(["members"] if moved else [])],
            rule_ids=[UUID(id_) for id_ in now["rules"]],
            owner_ids=None if causes or len(moved) > FEW_MEMBERS else moved,
            basis=now,
            at=at,
            examined=0,
            changed=0,
        )
    )


def compute_page(session: Session, at: datetime) -> bool:
    """The next customers of the recompute that runs, unless another worker is at it. False: there is none.

    No owner caused it, so that no day comes before today and the warning days. The changes bear its id as a batch.
    """
    running = select(Recompute).where(Recompute.done_at.is_(None)).limit(1).with_for_update(skip_locked=True)
    recompute = session.scalar(running)
    if recompute is None:
        return False
    page = page_of_owned(session, recompute.after_customer_id, PAGE, recompute.owner_ids)
    customer_ids = [one.customer_id for one in page]
    held = locked(session, customer_ids).values() if customer_ids else []
    changed = reschedule(session, held, Act(None, at, recompute.id), floor=True)
    recompute.pass_by(customer_ids, len(changed))
    if len(customer_ids) < PAGE:
        recompute.done_at = at
    return True
