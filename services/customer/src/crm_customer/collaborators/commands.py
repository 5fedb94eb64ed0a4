"""Who works on a customer beside its owner. Each function runs in the transaction its edge has opened."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select, tuple_
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, Forbidden, NotFound, invalid
from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.collaboration.model import Collaborator
from crm_customer.collaborators.queries import names_of, persons, rows_of
from crm_customer.collaborators.rules import MOST, Share, wrong
from crm_customer.customers.commands import SUBJECT
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import in_parts, states_of
from crm_customer.customers.sight import Sight
from directory.permissions import Permission
from directory.tables import members

_AT_ONCE = 500


def add_collaborators(
    session: Session, sight: Sight, customer: Customer, wanted: Sequence[tuple[UUID, Share]], now: datetime
) -> None:
    """Let members work on a locked customer, or change what they have; the same again changes nothing (H-09, C-20).

    Raises Conflict in_pool and too_many_collaborators, Invalid, and of a collaborator Forbidden beyond_own_access and
    not_your_collaborator.
    """
    if customer.pool_id is not None:
        raise Conflict("in_pool")
    rows = {id_: row for id_, row in rows_of(session, customer.id).items() if row.until is None or row.until > now}
    names = persons(session, [member_id for member_id, _ in wanted])
    errors = list(wrong(wanted, names, customer.owner_id, now))
    if errors:
        raise invalid(*errors)
    actor_id = sight.scope.member_id
    if not _on_owners_side(sight, customer):
        _require_own(rows, wanted, actor_id)
    if len(rows.keys() | names.keys()) > MOST:
        raise Conflict("too_many_collaborators", most=MOST)
    acts: list[_Act] = []
    for member_id, share in wanted:
        row = rows.get(member_id)
        present = None if row is None else Share(row.can_write, row.until)
        if share != present:
            session.merge(_row(customer, member_id, share, row, actor_id, now))
            acts.append((customer, member_id, present, share))
    if acts:
        _record(session, [customer], acts, actor_id)


def _row(
    customer: Customer, member_id: UUID, share: Share, present: Collaborator | None, actor_id: UUID, now: datetime
) -> Collaborator:
    """Who changes a collaborator has not added them."""
    return Collaborator(
        customer_id=customer.id,
        member_id=member_id,
        can_write=share.can_write,
        until=share.until,
        added_by=present.added_by if present else actor_id,
        added_at=present.added_at if present else now,
    )


def remove_collaborator(session: Session, sight: Sight, customer: Customer, member_id: UUID) -> None:
    """Let a member work on a locked customer no more: the owner's side anybody, others themselves and whom they added.

    Raises NotFound for one who is none, Forbidden not_your_collaborator.
    """
    row, actor_id = rows_of(session, customer.id).get(member_id), sight.scope.member_id
    if row is None:
        raise NotFound("not_found")
    if actor_id not in (member_id, row.added_by) and not _on_owners_side(sight, customer):
        raise Forbidden("not_your_collaborator")
    session.delete(row)
    _record(session, [customer], [(customer, member_id, Share(row.can_write, row.until), None)], actor_id)


def end_collaborations(session: Session) -> bool:
    """End those whose time is over, and those of members who have left, 500 at a time. True: more are left."""
    over = or_(
        Collaborator.until <= func.now(), Collaborator.member_id.in_(select(members.c.id).where(~members.c.active))
    )
    ended = session.execute(select(Collaborator.customer_id).where(over).limit(_AT_ONCE)).all()
    if not ended:
        return False
    statement = select(Customer).where(Customer.id.in_({row.customer_id for row in ended})).order_by(Customer.id)
    free = statement.with_for_update(key_share=True, skip_locked=True).execution_options(populate_existing=True)
    customers = {customer.id: customer for customer in session.scalars(free)}
    gone = session.scalars(
        select(Collaborator).where(over, Collaborator.customer_id.in_(customers)).limit(_AT_ONCE)
    ).all()
    acts: list[_Act] = [
        (customers[row.customer_id], row.member_id, Share(row.can_write, row.until), None) for row in gone
    ]
    keys = [(row.customer_id, row.member_id) for row in gone]
    session.execute(
        delete(Collaborator)
        .where(tuple_(Collaborator.customer_id, Collaborator.member_id).in_(keys))
        .execution_options(synchronize_session=False)
    )
    _record(session, [customers[id_] for id_ in {key[0] for key in keys}], acts, None)
    return len(ended) == _AT_ONCE and bool(gone)


# A customer, the member, and what they had and have.
_Act = tuple[Customer, UUID, Share | None, Share | None]


def _on_owners_side(sight: Sight, customer: Customer) -> bool:
    """Whether the member disposes of the customer: owner, colleagues, whoever sees the owner's department, and all that
    only with the right to change customers.
    """
    return sight.scope.may(Permission.CUSTOMER_UPDATE) and sight.reaches(customer)


def _require_own(rows: Mapping[UUID, Collaborator], wanted: Sequence[tuple[UUID, Share]], actor_id: UUID) -> None:
    """A collaborator gives no more than they have, and changes only whom they added."""
    own = rows.get(actor_id)
    if own is None or not all(share.within(Share(own.can_write, own.until)) for _, share in wanted):
        raise Forbidden("beyond_own_access")
    if any(rows[member_id].added_by != actor_id for member_id, _ in wanted if member_id in rows):
        raise Forbidden("not_your_collaborator")


def _record(session: Session, customers: Sequence[Customer], acts: Sequence[_Act], actor_id: UUID | None) -> None:
    """History, facts and what the members are told."""
    for customer in customers:
        customer.facts_version += 1
    session.flush()
    names = names_of(session, {member_id for _, member_id, _, _ in acts})
    by_customer: dict[UUID, tuple[list[Any], list[Any]]] = {}
    for customer, member_id, before, after in acts:
        for told, share in zip(by_customer.setdefault(customer.id, ([], [])), (before, after), strict=True):
            if share is not None:
                told.append(_shown(member_id, names.get(member_id, ""), share))
    record_audit(
        session,
        *(
            AuditEntry("customer.collaborators_changed", SUBJECT, id_, actor_id, _listed(was), _listed(becomes))
            for id_, (was, becomes) in by_customer.items()
        ),
    )
    actor = str(actor_id or "")
    told = [
        pb.CollaborationChanged(
            customer_id=str(customer.id),
            customer_name=customer.name,
            member_id=str(member_id),
            added=after is not None,
            can_write=after is not None and after.can_write,
            actor_id=actor,
        )
        for customer, member_id, before, after in acts
        # A later end alone is nothing to tell.
        if before is None or after is None or before.can_write != after.can_write
    ]
    record_event(session, *in_parts(pb.CustomerUpdated, states_of(session, customers), actor_id=actor), *told)


def _shown(member_id: UUID, name: str, share: Share) -> dict[str, Any]:
    until = share.until and share.until.isoformat()
    return {"id": str(member_id), "name": name, "can_write": share.can_write, "until": until}


def _listed(entries: list[Any]) -> dict[str, Any] | None:
    return {"collaborators": entries} if entries else None
