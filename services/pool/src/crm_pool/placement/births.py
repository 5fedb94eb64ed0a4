"""Births of an import by column (decision 0037): its plan comes true for all of them with a few statements."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from crm.customer.v1.customer_events_pb2 import BornTogether
from crm.pool.v1.pool_events_pb2 import MovedTogether
from crm_pool.assignments.model import common_state
from crm_pool.assignments.recording import Act, locked, publish_together
from crm_pool.assignments.rescheduling import reschedule
from crm_pool.assignments.rules import Cause, Place
from crm_pool.customers.projection import keep_newborn
from crm_pool.database import array_text
from crm_pool.expiry.queries import rules_in_force

FIRST_VERSION = 1
# What is left of the plan then comes at once or never: it counts no more.
_MAKE_TRUE = text("""
    WITH plans AS (
        DELETE FROM planned_places WHERE placement_id = CAST(:placement_id AS uuid) RETURNING *
    ), promised AS (
        SELECT id, placement_id, owner_id, pool_id, expires_on, planned_at, customer_id
        FROM plans, unnest(customer_ids) AS customer_id
    ), born AS (
        INSERT INTO assignments
            (customer_id, version, owner_id, pool_id, held_since, expires_on, suspended, home_pool_id, had_owner)
        SELECT customer_id, :version, owner_id, pool_id, planned_at, expires_on, false, pool_id, owner_id IS NOT NULL
        FROM promised JOIN unnest(CAST(:ids AS uuid[])) AS customer_id USING (customer_id)
        ORDER BY customer_id
        ON CONFLICT DO NOTHING
        RETURNING customer_id, version, owner_id, pool_id, held_since, expires_on
    ), noted AS (
        INSERT INTO assignment_history (customer_id, version, at, actor_id, cause, to_owner_id, to_pool_id, batch_id)
        SELECT customer_id, version, :at, CAST(:actor_id AS uuid), :cause, owner_id, pool_id, CAST(:batch_id AS uuid)
        FROM born
    ), kept AS (
        INSERT INTO planned_places (id, placement_id, owner_id, pool_id, expires_on, planned_at, customer_ids, open)
        SELECT id, placement_id, owner_id, pool_id, expires_on, planned_at, array_agg(customer_id), false
        FROM promised WHERE NOT EXISTS (SELECT FROM born WHERE born.customer_id = promised.customer_id)
        GROUP BY id, placement_id, owner_id, pool_id, expires_on, planned_at
    )
    SELECT owner_id, pool_id, held_since, expires_on, array_agg(CAST(customer_id AS text)) AS ids
    FROM born GROUP BY owner_id, pool_id, held_since, expires_on
""")


def make_true(session: Session, placement_id: UUID, together: Sequence[BornTogether], act: Act) -> set[str]:
    """Keep newborn customers that a plan was made for, where it says. Returns the ids of those born so.

    Whoever else is among them, being known or placed before, deleted meanwhile or promised nothing, is to be taken one by one.
    """
    planned = [one for one in together if one.common.assignment_version == FIRST_VERSION and not one.common.deleted]
    new = [id_ for one in _alike(planned) for id_ in keep_newborn(session, one)]
    if not new:
        return set()
    parameters = {
        "placement_id": placement_id,
        "ids": array_text(new),
        "version": FIRST_VERSION,
        "at": act.at,
        "actor_id": act.actor_id,
        "cause": Cause.IMPORT.value,
        "batch_id": act.batch_id,
    }
    births = session.execute(_MAKE_TRUE, parameters).all()
    names = {id_: name for one in planned for id_, name in zip(one.ids, one.names, strict=True)}
    publish_together(session, act, Cause.IMPORT, [_moved(birth, names) for birth in births])
    _follow_facts(session, [id_ for birth in births if birth.owner_id for id_ in birth.ids], act)
    return {id_ for birth in births for id_ in birth.ids}


def _alike(together: Iterable[BornTogether]) -> Iterable[BornTogether]:
    """The same by facts alone: where they wish to lie makes no difference."""
    alike: dict[bytes, BornTogether] = {}
    for one in together:
        facts = BornTogether(common=one.common)
        facts.common.ClearField("wish")
        group = alike.setdefault(facts.SerializeToString(deterministic=True), facts)
        group.ids.extend(one.ids)
        group.names.extend(one.names)
        group.levels.extend(one.levels or [""] * len(one.ids))
    return alike.values()


def _moved(birth: Row[Any], names: dict[str, str]) -> MovedTogether:
    place = Place(birth.owner_id, birth.pool_id)
    return MovedTogether(
        common=common_state(place, birth.held_since, birth.expires_on, had_owner=place.owner_id is not None),
        customer_ids=birth.ids,
        versions=[FIRST_VERSION] * len(birth.ids),
        customer_names=[names[id_] for id_ in birth.ids],
    )


def _follow_facts(session: Session, owned: Sequence[str], act: Act) -> None:
    """Their plan knew no facts: where a rule is in force they may give other days."""
    rules = rules_in_force(session) if owned else None
    if rules:
        assignments = locked(session, list(map(UUID, owned))).values()
        reschedule(session, assignments, Act(None, act.at), floor=False, rules=rules)
