"""Reading plans, and judging wishes for a first place."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from sqlalchemy import Uuid, column, func, select, true
from sqlalchemy.orm import Session

from chassis import clock
from chassis.errors import Unauthenticated
from crm_pool.assignments.model import Assignment, AssignmentRow
from crm_pool.assignments.queries import EVERY, Colleague, colleagues, found_by
from crm_pool.assignments.rules import Place
from crm_pool.caps.queries import kept_room, room
from crm_pool.customers.model import Customer
from crm_pool.database import among, among_ids, array_of, array_text
from crm_pool.placement.model import KEPT, OLD_PLANS, PlannedPlace, Promise
from crm_pool.pools.queries import keep_existing, visible_pools
from directory.scope import Scope, resolve_scope

_IN_OLD_PLANS = select(
    *(OLD_PLANS.c[name] for name in ("customer_id", "owner_id", "pool_id", "planned_at", "expires_on"))
)

_OF_PLANS = select(PlannedPlace).where(among_ids(PlannedPlace.placement_id)).order_by(PlannedPlace.id).with_for_update()
_ASKED = func.unnest(array_of("ids", Uuid)).table_valued(column("id", Uuid)).render_derived("asked")
# Each by its own look into the index, whatever is known of the table: of a set, the planner may read all of it.
_LOOKED_UP = EVERY.where(AssignmentRow.customer_id == _ASKED.c.id).offset(0).lateral("lying")
_LYING = select(_LOOKED_UP).select_from(_ASKED.join(_LOOKED_UP, true()))


class Wishes:
    """Judges wishes one after another and counts those granted against their owners' caps.

    Until the transaction ends the pools wished for stay, and nobody else counts these owners' customers; unless it is
    `rehearsed` alone, which locks nothing.
    """

    def __init__(
        self,
        session: Session,
        wishes: Collection[Place],
        visible_to: UUID | None = None,
        rehearsed: Mapping[UUID, int] | None = None,
    ) -> None:
        """`visible_to`: the member who must see the pools wished for; None: they only have to exist. `rehearsed`: how
        many customers each owner has been given before, in a rehearsal that somebody sees.
        """
        self._session = session
        self._scopes: dict[UUID, Scope] = {}
        pools = {wish.pool_id for wish in wishes if wish.pool_id}
        self._pools = pools if rehearsed is not None else keep_existing(session, pools)
        if visible_to is not None:
            self._pools &= visible_pools(session, resolve_scope(session, visible_to)).keys()
        owners = sorted({wish.owner_id for wish in wishes if wish.owner_id})
        self._owners = colleagues(session, owners)
        self._room = kept_room(session, owners) if rehearsed is None else room(session, owners)
        coming = promised(session, [id_ for id_ in owners if self._room.left(id_) is not None])
        for given in (coming, rehearsed or {}):
            for owner, customers in given.items():
                self._room.fill(owner, customers)

    def refusal(self, wish: Place | None, creator_id: UUID | None) -> str:
        """Why the wish cannot be met, empty when it can; then it is counted.

        `creator_id`: the member who wishes, within whose reach the owner must be; None: nobody's wish, a place known.
        """
        let_in, code = self.let_in(1, wish, creator_id)
        return "" if let_in else code

    def let_in(self, customers: int, wish: Place | None, creator_id: UUID | None) -> tuple[int, str]:
        """How many of the customers for which `wish` is made get it, who are counted, and why the others do not. See `refusal`."""
        if code := self._impossible(wish, creator_id):
            return 0, code
        if wish is None or wish.owner_id is None:
            return customers, ""
        left = self._room.left(wish.owner_id)
        let_in = customers if left is None else max(0, min(customers, left))
        self._room.fill(wish.owner_id, let_in)
        return let_in, "holding_cap_reached"

    def _impossible(self, wish: Place | None, creator_id: UUID | None) -> str:
        """Why nobody at all can lie there, empty when somebody can."""
        if wish is None:
            return "place_missing"
        if wish.owner_id is None:
            return "" if wish.pool_id in self._pools else "pool_not_found"
        owner = self._owners.get(wish.owner_id)
        if owner is None or not owner.assignable:
            return "assignee_inactive"
        return "owner_out_of_reach" if creator_id is not None and not self._reaches(creator_id, owner) else ""

    def _reaches(self, creator_id: UUID, owner: Colleague) -> bool:
        """A creator who has left since was entitled when the customer was created: customer had looked."""
        if creator_id == owner.id:
            return True
        if creator_id not in self._scopes:
            with suppress(Unauthenticated):
                self._scopes[creator_id] = resolve_scope(self._session, creator_id)
        scope = self._scopes.get(creator_id)
        return scope is None or scope.reaches(owner.id, owner.department_id)


def lying(session: Session, customer_ids: Collection[str]) -> list[Assignment]:
    """Where those of these customers lie that lie somewhere already."""
    return found_by(session, _LYING, {"ids": array_text(customer_ids)}) if customer_ids else []


def placed(session: Session, customer_ids: Collection[UUID]) -> set[UUID]:
    """Which of these customers lie somewhere already."""
    if not customer_ids:
        return set()
    return set(session.scalars(select(AssignmentRow.customer_id).where(among(AssignmentRow.customer_id, customer_ids))))


def planned_places(session: Session, placement_ids: Collection[UUID]) -> Sequence[PlannedPlace]:
    """The rows of plans, of customers that do not lie there yet, locked."""
    if not placement_ids:
        return []
    return session.scalars(_OF_PLANS, {"ids": list(placement_ids)}).all()


def promises_among(places: Sequence[PlannedPlace]) -> dict[UUID, Promise]:
    """What plans promise, by customer."""
    return {id_: promise for one in places for promise in [one.promise] for id_ in one.customer_ids}


def promises_to(session: Session, customer_ids: Collection[UUID]) -> dict[UUID, Promise]:
    """What any plan, also one of the release before, promises to customers, by customer."""
    if not customer_ids:
        return {}
    old = session.execute(_IN_OLD_PLANS.where(among(OLD_PLANS.c.customer_id, customer_ids)))
    found = {row.customer_id: Promise(Place(row.owner_id, row.pool_id), row.planned_at, row.expires_on) for row in old}
    plans = select(PlannedPlace).where(PlannedPlace.customer_ids.overlap(list(customer_ids)))
    return found | promises_among(session.scalars(plans).all())


def promised(session: Session, member_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many customers open plans will bring to each member."""
    if not member_ids:
        return {}
    counted = session.execute(
        select(PlannedPlace.owner_id, func.sum(func.cardinality(PlannedPlace.customer_ids)))
        .where(
            among(PlannedPlace.owner_id, member_ids), PlannedPlace.open, PlannedPlace.planned_at > clock.now() - KEPT
        )
        .group_by(PlannedPlace.owner_id)
    )
    return {owner_id: customers for owner_id, customers in counted if owner_id}


def out_of_step(session: Session, customer_ids: Collection[UUID]) -> set[UUID]:
    """Customers whose assignment is not suspended although they are deleted, or the other way round."""
    statement = (
        select(Customer.id)
        .join(AssignmentRow, AssignmentRow.customer_id == Customer.id)
        .where(among(Customer.id, customer_ids), AssignmentRow.suspended != Customer.deleted)
    )
    return set(session.scalars(statement))
