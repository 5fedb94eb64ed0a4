"""Taking what expired of a page: locked, judged, written and told by column (decision 0037)."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, Text, Uuid, any_, select, text, true
from sqlalchemy import cast as cast_
from sqlalchemy.orm import Session

from crm.pool.v1.pool_events_pb2 import MovedTogether
from crm_pool.assignments.model import AssignmentRow, common_state
from crm_pool.assignments.recording import Act, locked, publish_together
from crm_pool.assignments.rescheduling import reschedule
from crm_pool.assignments.rules import Cause, Place
from crm_pool.customers.model import Customer
from crm_pool.database import array_of, array_text
from crm_pool.expiry.queries import Holding, facts_of, verdicts
from crm_pool.recycling.model import Run
from crm_pool.recycling.queries import OWNED, Expired
from crm_pool.recycling.rules import batch_of

# Where it goes and why: the pool, and the version of the rule.
Target = tuple[UUID, UUID]

# Each by its own look into the index: PostgreSQL would read a table of 100,000 whole for a page of them.
_KNOWN = (
    select(Customer.name, Customer.deleted, *facts_of(AssignmentRow))
    .where(Customer.id == AssignmentRow.customer_id)
    .offset(0)
    .lateral("known")
)
# The rows are locked, so that what is judged is what is taken: facts that are just arriving reschedule what is left.
_FREE = (
    select(
        AssignmentRow.customer_id,
        cast_(AssignmentRow.customer_id, Text).label("id"),
        AssignmentRow.version,
        AssignmentRow.owner_id,
        AssignmentRow.home_pool_id,
        AssignmentRow.held_since,
        AssignmentRow.not_before,
        _KNOWN,
    )
    .join(_KNOWN, true())
    .where(AssignmentRow.customer_id == any_(array_of("ids", Uuid)), *OWNED, ~_KNOWN.c.deleted)
    .order_by(AssignmentRow.customer_id)
    .with_for_update(of=AssignmentRow, skip_locked=True)
)
_TAKE = text("""
    WITH taken AS (
        UPDATE assignments SET version = version + 1, owner_id = NULL, pool_id = :pool_id, held_since = :at,
            expires_on = NULL, not_before = NULL, had_owner = TRUE
        WHERE customer_id = ANY(CAST(:ids AS uuid[]))
    )
    INSERT INTO assignment_history (customer_id, version, at, cause, from_owner_id, to_pool_id, batch_id, rule_id)
    SELECT given.customer_id, given.version, :at, :cause, given.owner_id, :pool_id, :batch_id, :rule_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[]), CAST(:owners AS uuid[]))
        AS given (customer_id, version, owner_id)
""")


def take(
    session: Session, run: Run, expired: Sequence[Expired], pools: Collection[UUID], at: datetime
) -> tuple[int, int]:
    """Take what has expired still into the pool of `pools` that its rule names, and give the others their day. Returns how
    many were taken, and how many had not expired.

    Left as they are: deleted ones, and those that somebody is changing or has changed since.
    """
    rows = _lock_unchanged(session, expired)
    going, spared = _judged(session, rows, run.day)
    taken = 0
    for (pool_id, rule_id), lost in going.items():
        if pool_id in pools:
            _move(session, lost, pool_id, rule_id, Act(None, at, batch_of(run.id, run.walk, pool_id)))
            taken += len(lost)
    if spared:
        reschedule(session, locked(session, spared).values(), Act(None, at), floor=False)
    return taken, len(spared)


def _lock_unchanged(session: Session, expired: Sequence[Expired]) -> list[Row[Any]]:
    versions = {one.customer_id: one.version for one in expired}
    found = session.execute(_FREE, {"ids": array_text(list(map(str, versions)))})
    return [row for row in found if row.version == versions[row.customer_id]]


def _judged(session: Session, rows: Sequence[Row[Any]], day: date) -> tuple[dict[Target, list[Row[Any]]], list[UUID]]:
    """Those that expired before `day` by where they go, and the others."""
    judged = verdicts(session, cast("Sequence[Holding]", rows), facts={row.customer_id: row for row in rows})
    going: dict[Target, list[Row[Any]]] = {}
    spared = []
    for row in rows:
        expires_on, rule, *_ = judged[row.customer_id]
        if rule is None or expires_on is None or expires_on >= day:
            spared.append(row.customer_id)
        else:
            going.setdefault((rule.target_pool_id or rule.pool_id, rule.id), []).append(row)
    return going, spared


def _move(session: Session, lost: Sequence[Row[Any]], pool_id: UUID, rule_id: UUID, act: Act) -> None:
    """自动回收: their owners lose these customers, which are locked, to a pool."""
    ids, owners = [row.id for row in lost], [str(row.owner_id) for row in lost]
    versions = [row.version + 1 for row in lost]
    parameters = {
        "ids": array_text(ids),
        "versions": versions,
        "owners": array_text(owners),
        "pool_id": pool_id,
        "at": act.at,
        "cause": Cause.RECYCLE.value,
        "batch_id": act.batch_id,
        "rule_id": rule_id,
    }
    session.execute(_TAKE, parameters)
    moved = MovedTogether(
        common=common_state(Place(pool_id=pool_id), act.at, None, had_owner=True),
        customer_ids=ids,
        versions=versions,
        customer_names=[row.name for row in lost],
        former_owner_ids=owners,
    )
    publish_together(session, act, Cause.RECYCLE, [moved])
