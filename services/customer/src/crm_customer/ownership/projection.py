"""Where customers lie, as `pool` decided it: the place columns of `customers`, and the pools.

One set-wise statement serves the event, the RPC, the reply to a creation and the rebuild. An older version never
overwrites a newer one. `version` and `updated_at` of a customer are the users' and stay as they are (design §2.4).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Row, TextClause, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.database.rows import in_columns
from crm.pool.v1 import pool_events_pb2 as pb
from crm_customer.ownership.model import STATE, Pool

# Members are locked first: an owner who is just moving or leaving is either seen here as they will be, or
# `follow_owners` waits and then sees these customers.
_OWNERS = """
    SELECT id, department_id AS owner_department_id, NOT active AS owner_left
    FROM directory_members WHERE id = ANY(CAST(:owners AS uuid[])) ORDER BY id
"""
_READ_OWNERS, _LOCK_OWNERS = text(_OWNERS), text(f"{_OWNERS} FOR SHARE")
# Rows are locked in id order, so that two sets never wait for each other. A birth where it was wished has no effects. Of a
# version next in order whose effects the caller applies, they count as applied: a change writes its customer once. What was
# taken over from a release that did not know of recycled customers is one as soon as pool says so.
# What all of them share is sent once (chassis.database.rows). Each is looked up by itself: arrays out of SELECTs are taken for
# small, where a thousand ids would be worth reading a table of 100,000 whole. Hence no set is joined with another.
_CHANGED = """
    WITH given AS (
        SELECT id, coalesce(version, CAST(:shared_versions AS bigint)) AS version,
            coalesce(owner_id, CAST(:shared_owners AS uuid)) AS owner_id,
            coalesce(pool_id, CAST(:shared_pools AS uuid)) AS pool_id,
            coalesce(expires_on, CAST(:shared_expires AS date)) AS expires_on,
            coalesce(held_since, CAST(:shared_since AS timestamptz)) AS held_since,
            coalesce(recycled, CAST(:shared_recycled AS boolean)) AS recycled,
            coalesce(moved, CAST(:shared_moved AS boolean)) AS moved
        FROM unnest(
            (SELECT CAST(:given_ids AS uuid[])), (SELECT CAST(:given_versions AS bigint[])),
            (SELECT CAST(:given_owners AS uuid[])), (SELECT CAST(:given_pools AS uuid[])),
            (SELECT CAST(:given_expires AS date[])), (SELECT CAST(:given_since AS timestamptz[])),
            (SELECT CAST(:given_recycled AS boolean[])), (SELECT CAST(:given_moved AS boolean[]))
        ) AS own (id, version, owner_id, pool_id, expires_on, held_since, recycled, moved)
        ORDER BY id
    ), judged AS (
        SELECT given.*, effects_version, facts_version, locked_at, locked_by,
            version = 1 AND (locked.owner_id, locked.pool_id) IS NOT DISTINCT FROM (given.owner_id, given.pool_id) AS as_wished,
            moved AND effects_version = version - 1 AS next
        FROM given CROSS JOIN LATERAL (
            SELECT owner_id, pool_id, effects_version, facts_version, locked_at, locked_by
            FROM customers WHERE customers.id = given.id FOR NO KEY UPDATE
        ) AS locked
    ), changed AS (
        UPDATE customers SET
            owner_id = judged.owner_id, owner_department_id = members.department_id,
            owner_left = members.active IS FALSE, pool_id = judged.pool_id,
            recycled = judged.recycled, expires_on = judged.expires_on, held_since = judged.held_since,
            assignment_version = judged.version,
            effects_version = CASE WHEN as_wished OR next THEN judged.version ELSE customers.effects_version END
        FROM judged LEFT JOIN directory_members members ON members.id = judged.owner_id
        WHERE customers.id = judged.id AND (customers.assignment_version < judged.version
            OR customers.assignment_version = judged.version AND judged.recycled AND NOT customers.recycled)
        RETURNING customers.id, as_wished, next AND NOT as_wished AS next,
            judged.effects_version, judged.facts_version, judged.locked_at, judged.locked_by
    )
"""
_APPLY = text(f"{_CHANGED} SELECT * FROM changed")  # noqa: S608 - our own constants
_APPLY_TOGETHER = text(f"""{_CHANGED}
    SELECT id FROM judged WHERE id NOT IN (SELECT id FROM changed WHERE next)
""")  # noqa: S608 - our own constants
# Each customer by its own look into the index, whatever is known of the table: joined as a set, a thousand of them are worth
# reading a table of 100,000 whole.
_NEWS = text("""
    SELECT given.position - 1
    FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[]), CAST(:recycled AS boolean[]))
        WITH ORDINALITY AS given (id, version, recycled, position)
    CROSS JOIN LATERAL (
        SELECT effects_version, assignment_version, recycled FROM customers WHERE customers.id = given.id OFFSET 0
    ) AS known
    WHERE known.effects_version < given.version OR known.assignment_version < given.version
        OR known.assignment_version = given.version AND given.recycled AND NOT known.recycled
""")
_KNOWN = text("SELECT id FROM customers WHERE id = ANY(CAST(:ids AS uuid[]))")
# Each half has an index that begins with the owner; rows are locked in id order here as well.
_FOLLOW = text("""
    WITH astray AS (
        SELECT customers.id
        FROM directory_members members JOIN customers ON customers.owner_id = members.id AND deleted_at IS NULL
        WHERE members.id = ANY(CAST(:ids AS uuid[]))
            AND (owner_department_id, owner_left) IS DISTINCT FROM (members.department_id, NOT members.active)
        UNION ALL
        SELECT customers.id
        FROM directory_members members JOIN customers ON customers.owner_id = members.id AND deleted_at IS NOT NULL
        WHERE members.id = ANY(CAST(:ids AS uuid[]))
            AND (owner_department_id, owner_left) IS DISTINCT FROM (members.department_id, NOT members.active)
    ), locked AS (
        SELECT id FROM customers WHERE id IN (SELECT id FROM astray) ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE customers SET owner_department_id = members.department_id, owner_left = NOT members.active
    FROM locked, directory_members members WHERE customers.id = locked.id AND members.id = customers.owner_id
""")
_STRAYED = text("""
    SELECT customers.owner_id, count(*) FROM customers JOIN directory_members members ON members.id = customers.owner_id
    WHERE (owner_department_id, owner_left) IS DISTINCT FROM (members.department_id, NOT members.active)
    GROUP BY customers.owner_id
""")
_COMPARE = text("""
    SELECT count(*) FROM unnest(
        CAST(:ids AS uuid[]), CAST(:versions AS bigint[]), CAST(:owners AS uuid[]), CAST(:pools AS uuid[]),
        CAST(:expires AS date[]), CAST(:recycled AS boolean[]), CAST(:suspended AS boolean[])
    ) AS given (id, version, owner_id, pool_id, expires_on, recycled, suspended)
    LEFT JOIN customers ON customers.id = given.id
    WHERE NOT (given.suspended AND customers.id IS NULL) AND (customers.assignment_version, customers.owner_id, customers.pool_id, customers.expires_on,
            customers.recycled)
        IS DISTINCT FROM (given.version, given.owner_id, given.pool_id, given.expires_on, given.recycled)
""")


@dataclass(frozen=True)
class TakenOver:
    """`unknown`: customers that do not exist here. `next`: those whose version came next in order, as they were before: id,
    effects_version, facts_version, locked_at, locked_by; their effects count as applied.
    """

    unknown: Collection[UUID] = ()
    next: Mapping[UUID, Row[Any]] = field(default_factory=dict)


def apply_assignments(
    session: Session, states: Iterable[pb.AssignmentState], moved: Collection[tuple[UUID, int]] = ()
) -> TakenOver:
    """Take over places that are newer than those known.

    `moved`: customers and versions whose effects the caller applies in this transaction, where they come next in order.

    Unknown customers are not kept for later: `customer` itself writes every customer and tells `pool` afterwards, so such
    an id can only be one that this database never held or lost in a restore, which `rebuild assignments` repairs.
    """
    columns = _columns(states)
    if not columns["ids"]:
        return TakenOver()
    del columns["suspended"]
    columns["moved"] = [key in moved for key in zip(columns["ids"], columns["versions"], strict=True)]
    session.execute(_LOCK_OWNERS, {"owners": columns["owners"]})
    changed = {row.id: row for row in session.execute(_APPLY, in_columns(columns))}
    missing = set(columns["ids"]) - changed.keys()
    known = session.scalars(_KNOWN, {"ids": list(missing)}) if missing else ()
    return TakenOver(missing - set(known), {id_: row for id_, row in changed.items() if row.next})


def apply_together(session: Session, common: pb.AssignmentState, versions: Mapping[str, int]) -> set[UUID]:
    """Take over places told by column, newer ones of customers at these versions, whose effects the caller applies where they
    come next in order. Returns the others: known already, out of order, or born where it was wished.
    """
    place, count = place_of(common), len(versions)
    columns: dict[str, list[Any]] = {
        "ids": list(versions),
        "versions": list(versions.values()),
        "owners": [place["owner_id"]] * count,
        "pools": [place["pool_id"]] * count,
        "expires": [place["expires_on"]] * count,
        "since": [place["held_since"]] * count,
        "recycled": [place["recycled"]] * count,
        "moved": [True] * count,
    }
    if place["owner_id"]:
        session.execute(_LOCK_OWNERS, {"owners": [place["owner_id"]]})
    return set(session.scalars(_APPLY_TOGETHER, in_columns(columns)))


def news(session: Session, ids: Sequence[str], versions: Sequence[int], recycled: Sequence[bool]) -> set[int]:
    """Which of these places, by their position, are not known yet, or known without their effects; those of customers that do
    not exist here left out.
    """
    if not ids:
        return set()
    return set(session.scalars(_NEWS, {"ids": list(ids), "versions": list(versions), "recycled": list(recycled)}))


def owners_of(session: Session, owner_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """What customers keep of their owners, as things stand."""
    return _kept_of(session, _READ_OWNERS, owner_ids)


def lock_owners(session: Session, owner_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """The same for rows about to be written, held until the transaction ends (see _LOCK_OWNERS)."""
    return _kept_of(session, _LOCK_OWNERS, owner_ids)


def _kept_of(session: Session, statement: TextClause, owner_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    if not owner_ids:
        return {}
    rows = session.execute(statement, {"owners": list(owner_ids)})
    return {str(row.id): {"owner_department_id": row.owner_department_id, "owner_left": row.owner_left} for row in rows}


def assignments_differing(session: Session, states: Iterable[pb.AssignmentState]) -> int:
    """How many of pool's assignments are kept differently here, or not at all.

    Pool suspends those of customers that a restore of this database lost: they are as they should be.
    """
    return session.scalar(_COMPARE, _columns(states)) or 0


def owners_differing(session: Session) -> dict[UUID, int]:
    """By owner: how many customers keep another department or leaving than the directory says."""
    return {row[0]: row[1] for row in session.execute(_STRAYED)}


def follow_owners(session: Session, owner_ids: Iterable[UUID]) -> None:
    """Bring what customers keep of these owners, department and leaving, in line with the directory (one statement)."""
    session.execute(_FOLLOW, {"ids": list(owner_ids)})


def keep_pools(session: Session, pools: Iterable[pb.Pool], *, deleted: bool = False) -> None:
    """Take over pools that are newer than those known; `deleted` marks them as gone."""
    newest: dict[str, pb.Pool] = {}
    for pool in pools:
        if pool.id not in newest or pool.version > newest[pool.id].version:
            newest[pool.id] = pool
    if not newest:
        return
    statement = insert(Pool).values([{**pool_row(newest[id_]), "deleted": deleted} for id_ in sorted(newest)])
    changed = {name: statement.excluded[name] for name in (*STATE[1:], "deleted")}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Pool.id],
            set_=changed,
            where=Pool.version < statement.excluded.version,
        )
    )


def pool_row(pool: pb.Pool) -> dict[str, Any]:
    """A pool's state as its row, without `deleted`."""
    return {
        "id": UUID(pool.id),
        "version": pool.version,
        "name": pool.name,
        "kind": int(pool.kind),
        "open_to_all": pool.open_to_all,
        "member_ids": [UUID(id_) for id_ in pool.member_ids],
        "department_ids": [UUID(id_) for id_ in pool.department_ids],
        "role_ids": [UUID(id_) for id_ in pool.role_ids],
        "admin_ids": [UUID(id_) for id_ in pool.admin_ids],
        "hidden_fields": list(pool.hidden_fields),
        "daily_reveals": pool.daily_reveals if pool.HasField("daily_reveals") else None,
    }


# Columns of a customer that say where it lies, without the owner's department; ids and moments are texts.
Place = Mapping[str, Any]


def place_of(state: pb.AssignmentState) -> Place:
    """An assignment's state as columns of a customer. Raises ValueError when it is malformed."""
    place = state.place
    return {
        "owner_id": _id(place.owner_id),
        "pool_id": _id(place.pool_id),
        "expires_on": date.fromisoformat(state.expires_on) if state.expires_on else None,
        "held_since": _moment(state.held_since.seconds, state.held_since.nanos)
        if state.HasField("held_since")
        else None,
        "assignment_version": state.version,
        "recycled": is_recycled(state),
    }


def is_recycled(state: pb.AssignmentState) -> bool:
    """Whether it lies in a pool after somebody owned it (C-40)."""
    return state.had_owner and bool(state.place.pool_id)


# States of a batch repeat their places and moments.
@lru_cache(maxsize=1024)
def _id(text: str) -> str | None:
    return str(UUID(text)) if text else None


@lru_cache(maxsize=64)
def _moment(seconds: int, nanos: int) -> str:
    return Timestamp(seconds=seconds, nanos=nanos).ToJsonString()


def _columns(states: Iterable[pb.AssignmentState]) -> dict[str, list[Any]]:
    newest: dict[str, pb.AssignmentState] = {}
    for state in states:
        if state.customer_id not in newest or state.version > newest[state.customer_id].version:
            newest[state.customer_id] = state
    places = [place_of(state) for state in newest.values()]
    return {
        "ids": [UUID(id_) for id_ in newest],
        "versions": [place["assignment_version"] for place in places],
        "owners": [place["owner_id"] for place in places],
        "pools": [place["pool_id"] for place in places],
        "expires": [place["expires_on"] for place in places],
        "since": [place["held_since"] for place in places],
        "recycled": [place["recycled"] for place in places],
        "suspended": [state.suspended for state in newest.values()],
    }
