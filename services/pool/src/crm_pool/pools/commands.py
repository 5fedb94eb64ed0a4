"""Creating, changing and deleting pools (Q-05). Every change is audited and published."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis import clock
from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, FieldError, NotFound, invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.database import Changes, require_version
from crm_pool.pools import queries
from crm_pool.pools.model import Pool, PoolSettings
from crm_pool.pools.rules import DEFAULT_POOLS, PoolKind, leads_back

SETTINGS_ID = UUID(int=1)


def create_pool(session: Session, actor_id: UUID, values: Mapping[str, Any]) -> Pool:
    """A new pool.

    Raises Conflict pool_name_taken; Invalid when it is open to nobody, lists somebody unknown, or cascades to nowhere or
    back to itself.
    """
    ensure_default_pools(session)
    _lock_pools(session)
    at = clock.now()
    pool = Pool(id=new_id(), version=1, is_default=False, created_at=at, updated_at=at, **values)
    _check(session, pool)
    session.add(pool)
    session.flush()
    _record(session, "pool.created", actor_id, pool, ({}, dict(values)))
    return pool


def change_pool(session: Session, actor_id: UUID, pool_id: UUID, expected: int, values: Mapping[str, Any]) -> Pool:
    """Change what `values` name. Raises NotFound, Stale with both values of each clashing field, and as create_pool."""
    pool = _locked(session, pool_id, expected, values)
    changed = pool.change(values, clock.now())
    if changed:
        with session.no_autoflush:
            _check(session, pool)
        session.flush()
        _record(session, "pool.changed", actor_id, pool, changed)
    return pool


def delete_pool(session: Session, actor_id: UUID, pool_id: UUID, expected: int) -> None:
    """Delete an empty pool. Raises NotFound, Stale, Conflict default_pool, pool_not_empty or pool_is_target."""
    pool = _locked(session, pool_id, expected, {})
    pool.delete(queries.customers_in(session, pool_id), queries.feeding(session, pool_id), clock.now())
    session.flush()
    record_audit(session, AuditEntry("pool.deleted", "pool", pool.id, actor_id, {"name": pool.name}, None))
    record_event(session, pb.PoolDeleted(pools=[pool.state()]))


def settings_of(session: Session, *, lock: bool = False) -> PoolSettings:
    """What holds for the whole organisation."""
    return session.scalars(select(PoolSettings).with_for_update() if lock else select(PoolSettings)).one()


def change_settings(session: Session, actor_id: UUID, expected: int, values: Mapping[str, Any]) -> PoolSettings:
    """Change what holds for the whole organisation. Raises Stale."""
    settings = settings_of(session, lock=True)
    require_version(settings, expected, values)
    changed = settings.change(values)
    if changed:
        session.flush()
        record_audit(session, AuditEntry("pool_settings.changed", "pool_settings", SETTINGS_ID, actor_id, *changed))
    return settings


def ensure_default_pools(session: Session) -> None:
    """Make the pools that every organisation has from birth. Safe any number of times and side by side."""
    missing = set(DEFAULT_POOLS) - {PoolKind(kind) for kind in queries.default_kinds(session)}
    if not missing:
        return
    at = clock.now()
    rows = [
        {"id": new_id(), "version": 1, "name": DEFAULT_POOLS[kind], "kind": kind.value, "is_default": True}
        | {"open_to_all": True, "member_ids": [], "department_ids": [], "daily_reveals": 0, "cool_down_days": 0}
        | {"created_at": at, "updated_at": at}
        for kind in sorted(missing)
    ]
    made = session.scalars(insert(Pool).values(rows).on_conflict_do_nothing().returning(Pool))
    states = [pool.state() for pool in made]
    if states:
        record_event(session, pb.PoolChanged(pools=states))


def default_pool(session: Session, kind: PoolKind) -> UUID:
    """The default pool of a kind that has one, made now if it does not exist yet."""
    ensure_default_pools(session)
    return session.scalars(select(Pool.id).where(Pool.is_default, Pool.kind == kind.value)).one()


def to_be_assigned_for(session: Session, member_ids: Collection[UUID | None]) -> dict[UUID | None, UUID]:
    """The to-be-assigned pool of each member: the one of the nearest department upwards, else the default."""
    if not member_ids:
        return {}
    default = default_pool(session, PoolKind.TO_BE_ASSIGNED)
    return dict.fromkeys(member_ids, default) | queries.nearest_to_be_assigned(
        session, {id_ for id_ in member_ids if id_}
    )


def remove_leavers(session: Session, member_ids: Collection[UUID]) -> None:
    """Take members who left out of every pool's lists. A pool whose list becomes empty is open to nobody."""
    gone = sorted(member_ids)

    def staying(pool: Pool) -> dict[str, Any]:
        return {"member_ids": _without(pool.member_ids, gone), "admin_ids": _without(pool.admin_ids, gone)}

    listing = Pool.member_ids.overlap(gone) | Pool.admin_ids.overlap(gone)
    _relist(session, "pool.leavers_removed", listing, staying)


def remove_roles(session: Session, role_ids: Collection[UUID]) -> None:
    """Take roles that are gone out of every pool's list. A pool whose list becomes empty is open to nobody."""
    gone = sorted(role_ids)
    _relist(
        session,
        "pool.roles_gone",
        Pool.role_ids.overlap(gone),
        lambda pool: {"role_ids": _without(pool.role_ids, gone)},
    )


def follow_departments(session: Session, merged_into: Mapping[UUID, UUID | None]) -> None:
    """Open pools of departments that are gone to those they were merged into; None: just deleted, it loses the pool."""

    def heirs(pool: Pool) -> dict[str, Any]:
        kept = (merged_into.get(id_, id_) for id_ in pool.department_ids)
        return {"department_ids": list(dict.fromkeys(id_ for id_ in kept if id_))}

    _relist(session, "pool.departments_gone", Pool.department_ids.overlap(sorted(merged_into)), heirs)


def _relist(
    session: Session, action: str, listing: ColumnElement[bool], values_of: Callable[[Pool], dict[str, Any]]
) -> None:
    found = select(Pool).where(listing, Pool.deleted_at.is_(None)).order_by(Pool.id)
    pools = session.scalars(found.with_for_update(key_share=True)).all()
    at = clock.now()
    entries = [_entry(action, None, pool, pool.change(values_of(pool), at) or ({}, {})) for pool in pools]
    session.flush()
    record_audit(session, *entries)
    if pools:
        record_event(session, pb.PoolChanged(pools=[pool.state() for pool in pools]))


def _without(ids: Collection[UUID], gone: Collection[UUID]) -> list[UUID]:
    return [id_ for id_ in ids if id_ not in gone]


def _check(session: Session, pool: Pool) -> None:
    errors = [*_unknown(session, pool), *_cascade_errors(session, pool)]
    if not (pool.open_to_all or pool.member_ids or pool.department_ids or pool.role_ids):
        errors.append(FieldError("/open_to_all", "pool_open_to_nobody"))
    if errors:
        raise invalid(*errors)
    if queries.name_taken(session, pool.name, pool.id):
        raise Conflict("pool_name_taken", name=pool.name)


def _unknown(session: Session, pool: Pool) -> list[FieldError]:
    unknown = queries.unknown_listed(session, pool)
    return [
        FieldError(f"/{field}/{place}", "not_in_directory")
        for field in ("member_ids", "department_ids", "role_ids", "admin_ids")
        for place, id_ in enumerate(getattr(pool, field))
        if id_ in unknown
    ]


def _cascade_errors(session: Session, pool: Pool) -> list[FieldError]:
    if pool.cascade_pool_id is None and pool.cascade_after_days is None:
        return []
    if pool.cascade_after_days is None:
        return [FieldError("/cascade_after_days", "cascade_incomplete")]
    if pool.cascade_pool_id is None:
        return [FieldError("/cascade_pool_id", "cascade_incomplete")]
    others = queries.all_pools(session)
    target = others.get(pool.cascade_pool_id)
    if target is None or target.pool_kind is PoolKind.PROSPECT:
        return [FieldError("/cascade_pool_id", "cascade_target")]
    cascades = {id_: one.cascade_pool_id for id_, one in others.items()} | {pool.id: pool.cascade_pool_id}
    return [FieldError("/cascade_pool_id", "cascade_loop")] if leads_back(pool.id, cascades) else []


def _lock_pools(session: Session) -> None:
    """Let nobody else configure pools until the transaction ends: names, cascades and targets are compared among all."""
    lock(session, "pools")


def _locked(session: Session, pool_id: UUID, expected: int, values: Mapping[str, Any]) -> Pool:
    _lock_pools(session)
    # Deletion must wait for whoever is putting customers in: they hold the row FOR KEY SHARE.
    pool = session.scalar(select(Pool).where(Pool.id == pool_id, Pool.deleted_at.is_(None)).with_for_update())
    if pool is None:
        raise NotFound("not_found")
    require_version(pool, expected, values)
    return pool


def _record(session: Session, action: str, actor_id: UUID, pool: Pool, changed: Changes) -> None:
    record_audit(session, _entry(action, actor_id, pool, changed))
    record_event(session, pb.PoolChanged(pools=[pool.state()]))


def _entry(action: str, actor_id: UUID | None, pool: Pool, changed: Changes) -> AuditEntry:
    before, after = changed
    return AuditEntry(action, "pool", pool.id, actor_id, before or None, after)
