"""Undoing a release: each customer that lies where the release put it goes back to its former owner (decision 0015).

Lock order: leavers, members whose customers are counted, assignments in id order.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from batch.commands import start_batch
from batch.model import Batch, Counts
from batch.queries import tally
from chassis.audit import AuditEntry, record_audit
from chassis.auth.actors import Actor
from chassis.errors import Forbidden, NotFound
from crm_pool.assignments.model import Change
from crm_pool.assignments.queries import counted_owners, working_actor
from crm_pool.assignments.recording import Act, Owners, finish_batch, locked, record
from crm_pool.assignments.records import Release
from crm_pool.assignments.rules import Cause
from crm_pool.caps.queries import kept_room
from crm_pool.customers.projection import protections
from crm_pool.leaving.commands import list_again, tell
from crm_pool.leaving.queries import known_versions
from crm_pool.releases import queries
from directory.permissions import Permission
from directory.scope import resolve_scope

OVER_CAP = "over_cap"


@dataclass(frozen=True)
class Returned:
    """A customer that went back; `over_cap`: its owner now has more than may be held."""

    change: Change
    over_cap: bool


def undo(session: Session, actor: Actor, release_id: UUID, at: datetime) -> Release:
    """Start to undo a release, as a batch.

    Raises NotFound outside the actor's sight, Forbidden when neither pool.manage nor the actor's own release by hand,
    Conflict already_undone or undo_expired.
    """
    release = queries.release_in_sight(session, resolve_scope(session, actor.id), release_id, lock=True)
    if release is None:
        raise NotFound("not_found")
    _require_right(actor, release)
    release.require_undoable(at)
    parameters = {"release_id": str(release_id)}
    customer_ids = queries.taken_by(session, release_id)
    batch = start_batch(session, Cause.UNDO, actor.id, customer_ids, parameters, most=None)
    release.undo(batch.id, actor.id, at)
    record_audit(
        session, AuditEntry("release.undone", "release", release_id, actor.id, None, {"customers": len(customer_ids)})
    )
    return release


def give_back(session: Session, batch: Batch, customer_ids: Sequence[UUID], at: datetime) -> list[Returned]:
    """Return those of the customers that nothing happened to since the release; of leavers who are gone too.

    The owners' caps are only looked at. Raises Forbidden when the batch's actor left or lost the right.
    """
    release = release_of(session, batch)
    _require_right(working_actor(session, batch.actor_id), release)
    losses = queries.losses_by(session, release.id, customer_ids)
    owners = {owner_id for _, owner_id in losses.values()}
    list_again(session, owners, at)
    room = kept_room(session, owners)
    assignments = locked(session, losses)
    untouched = queries.untouched(session, {id_: version for id_, (version, _) in losses.items()})
    changes = [
        assignment.give_back(losses[id_][1], losses[id_][0], at)
        for id_, assignment in assignments.items()
        if id_ in untouched
    ]
    facts = protections(session, losses)
    returned = []
    for change in changes:
        customer_id = change.assignment.customer_id
        owner_id = losses[customer_id][1]
        room.take(owner_id, won=facts[customer_id].won)
        returned.append(Returned(change, (room.left(owner_id) or 0) < 0))
    act = Act(batch.actor_id, at, batch.id)
    record(session, [(act, change) for change in changes])
    return returned


def end_undo(session: Session, batch: Batch, counts: Counts, at: datetime) -> None:
    """The batch is through: say so once, and note the counts. Of leavers who are listed again their managers are told."""
    owners = counted_owners(session, batch.id, "owner_id")
    gone = known_versions(session, {id_ for id_ in owners if id_}, active=False)
    received: Owners = Counter()
    for id_, customers in owners.items():
        received[None if id_ in gone else id_] += customers
    left = counts.skipped + counts.failed
    act = Act(batch.actor_id, at, batch.id, in_app=True)
    lost = counted_owners(session, batch.id, "former_owner_id")
    finish_batch(session, act, Cause.UNDO, received, lost, skipped=left)
    over_cap = tally(session, batch.id, OVER_CAP)["true"]
    release_of(session, batch).end_undo(returned=counts.done, not_returned=left, over_cap=over_cap)
    tell(session, gone.keys())


def release_of(session: Session, batch: Batch) -> Release:
    """The release that the batch undoes."""
    return session.get_one(Release, UUID(batch.parameters["release_id"]))


def _require_right(actor: Actor, release: Release) -> None:
    by_hand = release.actor_id == actor.id and actor.may(Permission.POOL_RELEASE)
    if not by_hand and not actor.may(Permission.POOL_MANAGE):
        raise Forbidden("forbidden", permission=Permission.POOL_MANAGE)
