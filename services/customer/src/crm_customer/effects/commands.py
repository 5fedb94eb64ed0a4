"""Applying the effects of changes of place: each version once and in order, set-wise (decision 0021)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import repeat
from typing import Any
from uuid import UUID

from sqlalchemy import Delete, Table, Update, delete, select, text, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database.rows import insert_rows, listed, rowset
from chassis.events.outbox import record_event
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as events
from crm.pool.v1 import pool_events_pb2 as pb
from crm_customer.collaboration.model import Collaborator
from crm_customer.contacts.model import Contact
from crm_customer.customers.commands import SUBJECT
from crm_customer.customers.projection import in_parts, states_of
from crm_customer.effects.model import AssignmentEffect
from crm_customer.effects.queries import (
    Locked,
    amid_records,
    lock_behind,
    moment_text,
    read_around,
    read_customers,
    read_members,
    read_undone,
    record_names,
)
from crm_customer.effects.rules import (
    COLLABORATOR,
    CONTACT,
    LOCK,
    OPPORTUNITY,
    ORDER,
    OWNED,
    STAR,
    Effect,
    Key,
    Move,
    Values,
    due,
    effects_of,
)
from crm_customer.opportunities.model import Opportunity
from crm_customer.orders.model import Order
from crm_customer.ownership.projection import apply_assignments, apply_together
from crm_customer.stars.model import Star

Applied = list[tuple[Move, list[Effect]]]
_RELATED = {CONTACT: pb.RELATED_CONTACTS, OPPORTUNITY: pb.RELATED_OPPORTUNITIES, ORDER: pb.RELATED_ORDERS}
_MODELS = {CONTACT: Contact, OPPORTUNITY: Opportunity, ORDER: Order}
# What a change of the record tells other services anew.
_FACTS = (COLLABORATOR, LOCK)


def move_of(change: pb.AssignmentChange, actor_id: str) -> Move:
    """A change as pool sent it. Raises ValueError for an id that is none.

    Where nothing was chosen, and out of a pool, all that their owner or nobody owned goes with the customer.
    """
    place, previous = change.state.place, change.previous
    chosen, effects = change.HasField("effects") and bool(previous.owner_id), change.effects
    writing = {pb.FORMER_OWNER_READER: False, pb.FORMER_OWNER_EDITOR: True}
    return Move(
        customer_id=UUID(change.state.customer_id),
        version=change.state.version,
        actor_id=UUID(actor_id) if actor_id else None,
        moved=(place.owner_id, place.pool_id) != (previous.owner_id, previous.pool_id),
        former=UUID(previous.owner_id) if previous.owner_id else None,
        owner=UUID(place.owner_id) if place.owner_id else None,
        following=[record for record, related in _RELATED.items() if not chosen or related in effects.following],
        former_can_write=writing.get(effects.former_owner),
        undoes=effects.undoes_version,
    )


def changes_of(group: pb.MovedTogether) -> Iterator[pb.AssignmentChange]:
    """What is told by column as a message each, in its order. Raises ValueError where columns differ in length."""
    former = [Place(owner_id=id_) for id_ in group.former_owner_ids] or repeat(None, len(group.customer_ids))
    for id_, version, name, previous in zip(
        group.customer_ids, group.versions, group.customer_names, former, strict=True
    ):
        change = pb.AssignmentChange(state=group.common, previous=previous, customer_name=name)
        change.state.customer_id, change.state.version = id_, version
        yield change


def apply_changes(
    session: Session, states: Iterable[pb.AssignmentState], moves: Sequence[Move], now: datetime
) -> set[UUID]:
    """Take over the places of `states` and apply the effects of `moves`, in whatever order versions come. Returns the
    customers that do not exist here.
    """
    taken = apply_assignments(session, states, {(move.customer_id, move.version) for move in moves})
    apply_effects(session, moves, now, taken=taken.next)
    return set(taken.unknown)


def apply_moved(
    session: Session, group: pb.MovedTogether, actor_id: str, positions: Iterable[int], now: datetime
) -> None:
    """The same of those at `positions` of what is told by column. Effects cost where there is anything around a customer."""
    versions = {group.customer_ids[position]: group.versions[position] for position in positions}
    others = apply_together(session, group.common, versions)
    around = amid_records(session, {id_: version for id_, version in versions.items() if UUID(id_) not in others})
    concerned = others | around.keys()
    if concerned:
        changes = [change for change in changes_of(group) if UUID(change.state.customer_id) in concerned]
        apply_effects(session, [move_of(change, actor_id) for change in changes], now, taken=around)


def apply_effects(
    session: Session,
    moves: Iterable[Move],
    now: datetime,
    *,
    complete: Mapping[UUID, int] | None = None,
    taken: Mapping[UUID, Locked] | None = None,
) -> None:
    """Apply what of `moves` is next for each customer; after a gap nothing is. The states are applied before.

    `complete`: the moves are all that pool knows of these customers, which are thereby at this version. `taken`: customers
    as they were before the newest of their moves was written as applied.
    """
    taken = taken or {}
    given: dict[UUID, list[Move]] = {}
    for move in moves:
        given.setdefault(move.customer_id, []).append(move)
    newest = dict(complete or {})
    for id_, its in given.items():
        newest[id_] = max(newest.get(id_, 0), *(move.version for move in its))
    others = {id_: version for id_, version in newest.items() if id_ not in taken}
    customers = {**taken, **(lock_behind(session, others) if others else {})}
    if not customers:
        return
    wanted = [
        move
        for id_, customer in customers.items()
        for move in due(given.get(id_, ()), customer.effects_version, complete=complete is not None)
    ]
    moving = [move for move in wanted if not move.still]
    applied = _applied(session, customers, moving, now) if moving else []
    reached = dict(complete or {})
    for move in wanted:
        reached[move.customer_id] = max(move.version, reached.get(move.customer_id, 0))
    _write(session, applied)
    _advance(session, customers, reached, applied, taken)
    _tell(session, applied)


def _applied(session: Session, customers: Mapping[UUID, Locked], moves: Sequence[Move], now: datetime) -> Applied:
    """The effects of each move, in order, each after those before it."""
    concerned = {move.customer_id: customers[move.customer_id] for move in moves}
    around, undone = read_around(session, concerned, moves), read_undone(session, moves)
    people = read_members(session, {move.former for move in moves if move.former})
    active = {id_ for id_, member in people.items() if member.active}
    applied: Applied = []
    for move in moves:
        mine = around[move.customer_id]
        effects = effects_of(move, mine, undone.get((move.customer_id, move.undoes), ()), active, moment_text(now))
        mine |= {effect.key: effect.after for effect in effects}
        undone.setdefault((move.customer_id, move.version), effects)
        applied.append((move, effects))
    return applied


def _write(session: Session, applied: Applied) -> None:
    """The last values of each record, one statement for each kind, and the log."""
    last: dict[tuple[UUID, Key], Values] = {}
    log: list[dict[str, Any]] = []
    for move, effects in applied:
        for effect in effects:
            last[move.customer_id, effect.key] = effect.after
            log.append({"customer_id": move.customer_id, **vars(effect)})
    for record, model in _MODELS.items():
        owned = [
            {"id": key[1], "owner_id": _id(values["owner_id"])}
            for (_, key), values in last.items()
            if key[0] == record and values
        ]
        if owned:
            session.execute(_giving(_table(model)), listed(owned))
    _settle(session, _table(Collaborator), COLLABORATOR, last)
    _settle(session, _table(Star), STAR, last)
    insert_rows(session, _table(AssignmentEffect), log)


@cache
def _giving(table: Table) -> Update:
    given = rowset(table, ("id", "owner_id"))
    return update(table).where(table.c.id == given.c.id).values(owner_id=given.c.owner_id)


def _settle(session: Session, table: Table, record: str, last: Mapping[tuple[UUID, Key], Values]) -> None:
    """Rows of members beside a customer: gone where nothing is left, else as they now are."""
    rows = {(id_, key[1]): values for (id_, key), values in last.items() if key[0] == record}
    gone = [{"customer_id": id_, "member_id": member_id} for (id_, member_id), values in rows.items() if not values]
    kept = [
        {"customer_id": id_, "member_id": member_id} | {name: _plain(name, value) for name, value in values.items()}
        for (id_, member_id), values in rows.items()
        if values
    ]
    if gone:
        session.execute(_removal(table), listed(gone))
    if kept:
        session.execute(_keeping(table, tuple(kept[0])), listed(kept))


# What tells apart the collaborators, and the stars, of a customer.
_OF_MEMBER = ("customer_id", "member_id")


@cache
def _removal(table: Table) -> Delete:
    given = rowset(table, _OF_MEMBER)
    return delete(table).where(*(table.c[key] == given.c[key] for key in _OF_MEMBER))


@cache
def _keeping(table: Table, keys: tuple[str, ...]) -> Insert:
    statement = insert(table).from_select(keys, select(rowset(table, keys)))
    changed = {key: statement.excluded[key] for key in keys if key not in _OF_MEMBER}
    return statement.on_conflict_do_update(index_elements=_OF_MEMBER, set_=changed)


def _plain(name: str, value: Any) -> Any:
    """A value out of JSON as its column takes it."""
    if value is None or name in ("can_write", "color"):
        return value
    return UUID(value) if name == "added_by" else datetime.fromisoformat(value)


# Nothing but what effects change.
_ADVANCE = text("""
    UPDATE customers SET effects_version = given.effects_version, facts_version = given.facts_version,
        locked_at = given.locked_at, locked_by = given.locked_by
    FROM unnest(
        CAST(:id AS uuid[]), CAST(:effects_version AS bigint[]), CAST(:facts_version AS bigint[]),
        CAST(:locked_at AS timestamptz[]), CAST(:locked_by AS uuid[])
    ) AS given (id, effects_version, facts_version, locked_at, locked_by)
    WHERE customers.id = given.id
""")


def _advance(
    session: Session,
    customers: Mapping[UUID, Locked],
    reached: Mapping[UUID, int],
    applied: Applied,
    taken: Collection[UUID],
) -> None:
    """How far each customer has come, unless it is written already, its lock, and that its facts changed."""
    locks = {id_: (customer.locked_at, customer.locked_by) for id_, customer in customers.items()}
    told = set()
    for move, effects in applied:
        told |= {move.customer_id for effect in effects if effect.record in _FACTS}
        for effect in effects:
            if effect.record == LOCK:
                locks[move.customer_id] = _lock(effect.after)
    rows = [
        {
            "id": id_,
            "effects_version": reached[id_],
            "facts_version": customer.facts_version + (id_ in told),
            "locked_at": locks[id_][0],
            "locked_by": locks[id_][1],
        }
        for id_, customer in customers.items()
        if reached.get(id_, 0) > customer.effects_version and (id_ not in taken or id_ in told)
    ]
    if rows:
        session.execute(_ADVANCE, {name: [row[name] for row in rows] for name in rows[0]})


def _lock(values: Values) -> tuple[datetime | None, UUID | None]:
    if values is None:
        return None, None
    return datetime.fromisoformat(values["locked_at"]), _id(values["locked_by"])


def _tell(session: Session, applied: Applied) -> None:
    """The history of customers and contacts, and the facts that changed."""
    told = [(move, effects) for move, effects in applied if any(effect.record != STAR for effect in effects)]
    if not told:
        return
    ids = {effect.record_id for _, effects in told for effect in effects if effect.record == COLLABORATOR}
    ids |= {member_id for move, _ in told for member_id in (move.former, move.owner) if member_id}
    names = {id_: member.name for id_, member in read_members(session, ids).items()}
    names |= record_names(session, {effect.record_id for _, its in told for effect in its if effect.record in OWNED})
    record_audit(session, *(entry for move, effects in told for entry in _entries(move, effects, names)))
    by_actor: dict[UUID | None, dict[UUID, None]] = {}
    for move, effects in told:
        if any(effect.record in _FACTS for effect in effects):
            by_actor.setdefault(move.actor_id, {})[move.customer_id] = None
    fresh = read_customers(session, {id_ for ids in by_actor.values() for id_ in ids}) if by_actor else {}
    for actor_id, changed in by_actor.items():
        states = states_of(session, [fresh[id_] for id_ in changed])
        record_event(session, *in_parts(events.CustomerUpdated, states, actor_id=str(actor_id or "")))


_PLURAL = {OPPORTUNITY: "opportunities"}


def _entries(move: Move, effects: Sequence[Effect], names: Mapping[UUID, str]) -> Iterable[AuditEntry]:
    before: dict[str, list[Any]] = {}
    after: dict[str, list[Any]] = {}
    for effect in effects:
        if effect.record == STAR:
            continue
        for told, values in ((before, effect.before), (after, effect.after)):
            if values is not None:
                told.setdefault(_PLURAL.get(effect.record, f"{effect.record}s"), []).append(
                    _shown(effect, values, names)
                )
        if effect.record in OWNED:
            action, sides = f"{effect.record}.owner_changed", (effect.before, effect.after)
            yield AuditEntry(action, effect.record, effect.record_id, move.actor_id, *sides)
    if before or after:
        yield AuditEntry(
            "customer.handed_over", SUBJECT, move.customer_id, move.actor_id, before or None, after or None
        )


def _shown(effect: Effect, values: Mapping[str, Any], names: Mapping[UUID, str]) -> dict[str, Any]:
    about = {} if effect.record == LOCK else {"id": str(effect.record_id), "name": names.get(effect.record_id, "")}
    if effect.record in OWNED and values["owner_id"]:
        about |= {"owner_name": names.get(UUID(values["owner_id"]), "")}
    return about | {name: value for name, value in values.items() if name not in ("added_by", "added_at")}


def _table(model: Any) -> Table:
    found: Table = model.__table__
    return found


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
