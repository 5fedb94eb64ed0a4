"""The acts on many customers: the right each needs, and what does it; now, or as a batch of frozen ids."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from batch.commands import MAX_ITEMS, start_batch
from batch.model import Batch
from crm_pool.assignments import commands
from crm_pool.assignments.deciding import Order, Outcome
from crm_pool.assignments.rules import BY_DEFAULT, Cause, Distribution, Effects, FormerOwner, Related
from directory.permissions import Permission


@dataclass(frozen=True)
class Target:
    """To whom or where, how and why, and what goes with them. `pool_id` None: the default pool of the kind in question."""

    member_ids: tuple[UUID, ...] = ()
    pool_id: UUID | None = None
    effects: Effects = BY_DEFAULT
    distribution: Distribution = Distribution.IN_TURN
    reason_id: UUID | None = None
    reason_note: str | None = None


@dataclass(frozen=True)
class Verb:
    """An act, the permission it needs, and the command that does it in one transaction.

    `permission` None: pool.assign, or to be an administrator of the pool (decision 0025); the command looks.
    `takes`: owners lose their customers to a pool, so that of several the facts are confirmed before (design §3).
    """

    cause: Cause
    permission: str | None
    act: Callable[[Session, Order, Sequence[UUID], Target], Outcome]
    takes: bool = False


CLAIM = Verb(Cause.CLAIM, Permission.POOL_CLAIM, lambda session, order, ids, _to: commands.claim(session, order, ids))
ASSIGN = Verb(
    Cause.ASSIGN,
    None,
    lambda session, order, ids, to: commands.assign(session, order, ids, to.member_ids, to.effects, to.distribution),
)
TRANSFER = Verb(
    Cause.TRANSFER,
    Permission.POOL_TRANSFER,
    lambda session, order, ids, to: commands.transfer(session, order, ids, to.member_ids[0], to.effects),
)
RELEASE = Verb(
    Cause.RELEASE,
    Permission.POOL_RELEASE,
    lambda session, order, ids, to: commands.release(session, order, ids, to.pool_id, to.reason_id, to.reason_note),
    takes=True,
)
MOVE = Verb(
    Cause.MOVE,
    None,
    lambda session, order, ids, to: commands.move(session, order, ids, cast("UUID", to.pool_id)),
)
CONFIRM = Verb(
    Cause.CONFIRM,
    None,
    lambda session, order, ids, to: commands.confirm(session, order, ids, to.pool_id),
)
VERBS = (CLAIM, ASSIGN, TRANSFER, RELEASE, MOVE, CONFIRM)


def start(
    session: Session,
    verb: Verb,
    order: Order,
    target: Target,
    customer_ids: Sequence[UUID],
    most: int | None = MAX_ITEMS,
) -> tuple[Batch, dict[UUID, str]]:
    """Freeze the customers, `most` of them at most, as a batch of this act; also returns assignees passed over, each with the code why.

    Raises what the act raises about its target: that is said now, not to every customer later.
    """
    checked = verb.act(session, order, [], target)
    parameters = {
        "member_ids": [str(member_id) for member_id in target.member_ids],
        "pool_id": str(target.pool_id) if target.pool_id else None,
        "in_app": order.in_app,
        "email": order.email,
        "following": target.effects.following,
        "former_owner": target.effects.former_owner,
        "distribution": target.distribution,
        "reason_id": str(target.reason_id) if target.reason_id else None,
        "reason_note": target.reason_note,
    }
    return start_batch(session, verb.cause.value, order.actor_id, customer_ids, parameters, most), checked.passed_over


def target_of(parameters: Any) -> Target:
    """The target of a batch that was started; one by the release before chose neither effects nor how or why."""
    pool_id, reason_id = parameters["pool_id"], parameters.get("reason_id")
    effects = BY_DEFAULT
    if "following" in parameters:
        effects = Effects(tuple(map(Related, parameters["following"])), FormerOwner(parameters["former_owner"]))
    return Target(
        tuple(map(UUID, parameters["member_ids"])),
        UUID(pool_id) if pool_id else None,
        effects,
        Distribution(parameters.get("distribution", Distribution.IN_TURN)),
        UUID(reason_id) if reason_id else None,
        parameters.get("reason_note"),
    )
