"""Who is told what of customers that will be taken back (design §3: reminders, extensions, circuit breaker)."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from crm.pool.v1 import pool_events_pb2 as pb
from crm_notify.notifications.rules import Kind, Notice

# A digest is read, not searched: whatever else expires is counted in one line.
MOST_LINES = 50


def notice_of_expiry(event_id: UUID, fact: pb.ExpiryDigest) -> Notice:
    """The day's reminder of one member: their own customers by day, then, for a manager, the others' by owner and day."""
    soonest: dict[str, str] = {}
    for one in fact.expiring:
        soonest[one.owner_id] = min(one.expires_on, soonest.get(one.owner_id, one.expires_on))

    def order(one: pb.ExpiringCustomers) -> tuple[bool, str, str, str]:
        return (one.owner_id != fact.member_id, soonest[one.owner_id], one.owner_id, one.expires_on)

    lines = sorted(fact.expiring, key=order)
    return Notice(
        source_event_id=event_id,
        member_id=UUID(fact.member_id),
        kind=Kind.CUSTOMERS_EXPIRING,
        parameters={
            "count": sum(one.customers for one in lines),
            "expiring": [_line(one, own=one.owner_id == fact.member_id) for one in lines[:MOST_LINES]],
            "more": sum(one.customers for one in lines[MOST_LINES:]),
        },
    )


def notices_of_request(event_id: UUID, fact: pb.ExtensionRequested) -> Iterator[Notice]:
    """One for each who may decide on it, the owner who asks left out."""
    for decider_id in fact.decider_ids:
        if decider_id != fact.owner_id:
            yield Notice(
                source_event_id=event_id,
                member_id=UUID(decider_id),
                kind=Kind.EXTENSION_REQUESTED,
                parameters={
                    "count": 1,
                    "customers": _names(fact.customer_name),
                    "actor_id": fact.owner_id,
                    "days": fact.days,
                    "reason": fact.reason,
                },
                subject_type="extension",
                subject_id=UUID(fact.extension_id),
            )


def notice_of_decision(event_id: UUID, fact: pb.ExtensionDecided) -> Notice:
    """What the owner hears of it."""
    return Notice(
        source_event_id=event_id,
        member_id=UUID(fact.owner_id),
        kind=Kind.EXTENSION_GRANTED if fact.granted else Kind.EXTENSION_REFUSED,
        parameters={
            "count": 1,
            "customers": _names(fact.customer_name),
            "actor_id": fact.decided_by,
            "days": fact.days,
            "expires_on": fact.expires_on,
        },
        subject_type="customer",
        subject_id=UUID(fact.customer_id),
    )


def notices_of_held_run(event_id: UUID, fact: pb.RecyclingHeld) -> Iterator[Notice]:
    """One for each who can confirm it: nothing is taken until somebody does."""
    for receiver_id in fact.receiver_ids:
        yield Notice(
            source_event_id=event_id,
            member_id=UUID(receiver_id),
            kind=Kind.RECYCLING_HELD,
            parameters={"day": fact.day, "count": fact.customers, "reasons": list(fact.reasons)},
            subject_type="recycling_run",
            subject_id=UUID(fact.run_id),
        )


def notices_of_rule(event_id: UUID, fact: pb.RecycleRuleAnnounced) -> Iterator[Notice]:
    """One for each owner whose customers will expire earlier than before."""
    for receiver in fact.receivers:
        yield Notice(
            source_event_id=event_id,
            member_id=UUID(receiver.member_id),
            kind=Kind.RECYCLE_RULE_ANNOUNCED,
            parameters={"count": receiver.customers, "pool": fact.pool_name, "effective_on": fact.effective_on},
            subject_type="pool",
            subject_id=UUID(fact.pool_id),
        )


def _line(one: pb.ExpiringCustomers, *, own: bool) -> dict[str, Any]:
    return {
        "owner_id": "" if own else one.owner_id,
        "expires_on": one.expires_on,
        "days_left": one.days_left,
        "count": one.customers,
        "customers": list(one.customer_names),
    }


def _names(name: str) -> list[str]:
    return [name] if name else []
