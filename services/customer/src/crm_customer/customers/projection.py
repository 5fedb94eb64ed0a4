"""Customers as other services know them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.events.outbox import MAX_PAYLOAD_BYTES, chunks
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as pb


class Facts(Protocol):
    """What a state is made of: a Customer, or a row of its table."""

    @property
    def id(self) -> UUID: ...
    @property
    def facts_version(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def owner_id(self) -> UUID | None: ...
    @property
    def pool_id(self) -> UUID | None: ...
    @property
    def created_by(self) -> UUID: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def deleted_at(self) -> datetime | None: ...
    @property
    def assignment_version(self) -> int: ...


_MOST_STATES = 1000
# Largest state possible: a name of 50 four-byte characters, five ids, numbers and tags.
_LARGEST_STATE_BYTES = 500
_PER_EVENT = min(_MOST_STATES, MAX_PAYLOAD_BYTES // _LARGEST_STATE_BYTES - 1)


def place(owner_id: UUID | None, pool_id: UUID | None) -> Place:
    """A place on the wire; unset when it is neither."""
    if owner_id is not None:
        return Place(owner_id=str(owner_id))
    return Place(pool_id=str(pool_id)) if pool_id is not None else Place()


def state_of(customer: Facts) -> pb.CustomerState:
    """The facts of one customer."""
    created_at = Timestamp()
    created_at.FromDatetime(customer.created_at)
    return pb.CustomerState(
        id=str(customer.id),
        facts_version=customer.facts_version,
        name=customer.name,
        wish=place(customer.owner_id, customer.pool_id),
        created_by=str(customer.created_by),
        created_at=created_at,
        deleted=customer.deleted_at is not None,
        assignment_version=customer.assignment_version,
    )


def in_parts(message: type[Any], states: Iterable[pb.CustomerState], **others: str) -> Sequence[Any]:
    """Messages of type `message` holding `states`, as many as one event may carry (design §5)."""
    return [message(customers=part, **others) for part in chunks(list(states), _PER_EVENT)]
