"""Customers as other services know them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Protocol
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import ARRAY, Row, Uuid, any_, func, literal, select, text
from sqlalchemy.orm import Session

from chassis.events.outbox import MAX_PAYLOAD_BYTES
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.model import Customer


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
    @property
    def locked_at(self) -> datetime | None: ...
    @property
    def wecom_friend(self) -> bool: ...
    @property
    def level(self) -> str | None: ...
    @property
    def last_touch_at(self) -> datetime | None: ...
    @property
    def won(self) -> bool: ...
    @property
    def open_opportunities(self) -> int: ...
    @property
    def last_opportunity_at(self) -> datetime | None: ...
    @property
    def last_deal_at(self) -> datetime | None: ...
    @property
    def merged_into(self) -> UUID | None: ...


_MOST_STATES = 1000
# Left for the other fields of a message, each an id, and for the tag and length of each state.
_SPARE_BYTES, _STATE_HEAD_BYTES = 500, 6


def place(owner_id: UUID | None, pool_id: UUID | None) -> Place:
    """A place on the wire; unset when it is neither."""
    if owner_id is not None:
        return Place(owner_id=str(owner_id))
    return Place(pool_id=str(pool_id)) if pool_id is not None else Place()


_FACTS = select(
    *(
        Customer.__table__.c[name]
        for name in (
            *("id", "facts_version", "name", "owner_id", "pool_id", "created_by", "created_at", "deleted_at"),
            *("assignment_version", "locked_at", "wecom_friend", "level", "last_touch_at"),
            *("won", "open_opportunities", "last_opportunity_at", "last_deal_at", "merged_into"),
        )
    )
).order_by(Customer.__table__.c.id)


def read_facts(session: Session, ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """The `Facts` of these customers, deleted ones included, and nothing else of them; by id."""
    return session.execute(_FACTS.where(Customer.__table__.c.id == any_(literal(ids, ARRAY(Uuid))))).all()


# Each by its own look into the index: PostgreSQL would read a table of 100,000 whole for a thousand of them.
_DIFFERING = text("""
    SELECT given.id, known.facts_version IS NULL AS missing
    FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[])) AS given (id, version)
    LEFT JOIN LATERAL (SELECT facts_version FROM customers WHERE customers.id = given.id OFFSET 0) AS known ON TRUE
    WHERE known.facts_version IS DISTINCT FROM given.version
""")


def facts_differing(session: Session, ids: Sequence[str], versions: Sequence[int]) -> tuple[list[UUID], list[UUID]]:
    """Of these customers those whose facts are not at the version given for each, and those that do not exist."""
    rows = session.execute(_DIFFERING, {"ids": list(ids), "versions": list(versions)}).all()
    return [row.id for row in rows if not row.missing], [row.id for row in rows if row.missing]


def states_of(session: Session, customers: Iterable[Facts]) -> list[pb.CustomerState]:
    """The facts of customers, in their order; changes of their collaborators must be flushed."""
    customers = list(customers)
    ids = literal([customer.id for customer in customers], ARRAY(Uuid))
    found = session.execute(
        select(Collaborator.customer_id, func.array_agg(Collaborator.member_id))
        .where(Collaborator.customer_id == any_(ids))
        .group_by(Collaborator.customer_id)
    )
    collaborators = {row[0]: sorted(map(str, row[1])) for row in found}
    return [_state(customer, collaborators.get(customer.id, ())) for customer in customers]


def state_of(session: Session, customer: Facts) -> pb.CustomerState:
    """The facts of one customer."""
    return states_of(session, [customer])[0]


_NEWBORN = {
    "facts_version": 1,
    **dict.fromkeys(("deleted_at", "merged_into", "locked_at", "last_touch_at", "last_opportunity_at", "last_deal_at")),
    "wecom_friend": False,
    "won": False,
    "open_opportunities": 0,
}


def state_of_newborn(columns: Mapping[str, Any]) -> pb.CustomerState:
    """The facts of a customer that was born with these columns: nobody collaborates on it yet."""
    return _state(SimpleNamespace(**{**_NEWBORN, **columns}), ())


def _state(customer: Facts, collaborator_ids: Iterable[str]) -> pb.CustomerState:
    return pb.CustomerState(
        id=str(customer.id),
        facts_version=customer.facts_version,
        name=customer.name,
        wish=place(customer.owner_id, customer.pool_id),
        created_by=str(customer.created_by),
        created_at=stamp(customer.created_at),
        deleted=customer.deleted_at is not None,
        assignment_version=customer.assignment_version,
        locked=customer.locked_at is not None,
        wecom_friend=customer.wecom_friend,
        collaborator_ids=collaborator_ids,
        level=customer.level or "",
        last_touch_at=stamp(customer.last_touch_at),
        won=customer.won,
        open_opportunities=customer.open_opportunities,
        last_opportunity_at=stamp(customer.last_opportunity_at),
        last_deal_at=stamp(customer.last_deal_at),
        merged_into=str(customer.merged_into or ""),
    )


@lru_cache(maxsize=256)
def stamp(moment: datetime | None) -> Timestamp | None:
    """A moment as messages hold it, for them to copy: those of a batch share theirs; unset for none."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def in_parts(message: type[Any], states: Iterable[pb.CustomerState], **others: str) -> Sequence[Any]:
    """Messages of type `message` holding `states`, as many as one event may carry (design §5)."""
    parts: list[list[pb.CustomerState]] = []
    room = 0
    for state in states:
        size = state.ByteSize() + _STATE_HEAD_BYTES
        if size > room or len(parts[-1]) == _MOST_STATES:
            parts.append([])
            room = MAX_PAYLOAD_BYTES - _SPARE_BYTES
        parts[-1].append(state)
        room -= size
    return [message(customers=part, **others) for part in parts]
