"""Reading what a merge is about: its customers with all they hold, and what it would do (decision 0033)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select, text
from sqlalchemy.orm import Session

from chassis.errors import Conflict, FieldError, NotFound, Stale, invalid
from crm_customer.batches.commands import require_workable
from crm_customer.customers.model import FIELDS, Customer
from crm_customer.customers.rules import Parts, Reference
from crm_customer.customers.sight import Sight, one_of
from crm_customer.merging.children import CHILDREN, LINKS, Child, Link
from crm_customer.merging.model import Merge, MergedRecord, MergeLoser
from crm_customer.merging.rules import PARENT_FIELD, Side, owners_to_choose, settled, without_cycle
from crm_customer.profiles.commands import parents_above
from crm_customer.profiles.model import CustomerProfile
from crm_customer.profiles.queries import profiles_of
from crm_customer.profiles.rules import EMPTY
from directory.tables import members

_SHOWN = 100


@dataclass(frozen=True)
class Wanted:
    """What is to be merged: losers in the order in which their values count, and whose value is kept by field name."""

    survivor_id: UUID
    loser_ids: Sequence[UUID]
    values: Mapping[str, UUID] = field(default_factory=dict)

    @property
    def ids(self) -> list[UUID]:
        """All customers of the merge, the survivor first."""
        return [self.survivor_id, *self.loser_ids]


@dataclass(frozen=True)
class Belongings:
    """Records of one kind that losers have: how many, and the first of them as (id, customer, label)."""

    kind: str
    count: int
    items: Sequence[Any]


def customers_of(session: Session, sight: Sight, wanted: Wanted, reference: Reference) -> list[Customer]:
    """The customers that are to be merged, the survivor first. Raises Invalid, NotFound, Conflict and Forbidden where one of
    them cannot take part, or not for this member (G-07, G-10).
    """
    _require_sound(wanted, reference)
    rows = session.execute(
        select(Customer, sight.writable()).where(one_of(Customer.id, wanted.ids), sight.condition()),
        execution_options={"populate_existing": True},
    )
    found = {customer.id: (customer, bool(writable)) for customer, writable in rows}
    if len(found) < len(wanted.ids):
        raise NotFound("not_found")
    for customer, writable in (found[id_] for id_ in wanted.ids):
        require_workable(sight, customer, writable)
    for loser in (found[id_][0] for id_ in wanted.loser_ids):
        _require_losable(loser)
    return [found[id_][0] for id_ in wanted.ids]


def hold(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Lock customers, and those below them, against everybody who adds something to one of them, in id order."""
    below = select(CustomerProfile.customer_id).where(one_of(CustomerProfile.parent_customer_id, customer_ids))
    locked = one_of(Customer.id, [*customer_ids, *session.scalars(below)])
    session.execute(select(Customer.id).where(locked).order_by(Customer.id).with_for_update()).all()


def require_versions(customers: Sequence[Customer], versions: Mapping[UUID, int]) -> None:
    """Raise Invalid where a version is not named, Stale with those of customers that changed since."""
    missing = [customer for customer in customers if customer.id not in versions]
    if missing:
        raise invalid(*(FieldError(f"/versions/{customer.id}", "missing") for customer in missing))
    changed = {str(one.id): one.version for one in customers if one.version != versions[one.id]}
    if changed:
        raise Stale("stale_version", extra={"versions": changed})


def sides_of(session: Session, customers: Sequence[Customer]) -> list[Side]:
    """What each of the customers holds."""
    profiles = profiles_of(session, [customer.id for customer in customers])
    return [
        Side(one.id, Parts(one.values(), {}, {**EMPTY, **profiles.get(one.id, {})}, one.custom).flat())
        for one in customers
    ]


def merged_values(session: Session, sides: Sequence[Side], chosen: Mapping[str, UUID]) -> dict[str, Any]:
    """The values that the merged customer would have."""
    above = [UUID(parent) for side in sides if (parent := side.values.get(PARENT_FIELD)) is not None]
    return settled(without_cycle(sides, parents_above(session, above)) if above else sides, chosen)


def new_owners(customers: Sequence[Customer]) -> list[UUID]:
    """Who may own a survivor that lies in a pool."""
    return owners_to_choose(customers[0].owner_id, ((one.owner_id, one.owner_left) for one in customers[1:]))


def names_of(session: Session, member_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Names of members, whether or not they have left."""
    found = session.execute(select(members.c.id, members.c.name).where(one_of(members.c.id, member_ids)))
    return {row.id: row.name for row in found}


def visible_merge(session: Session, sight: Sight, merge_id: UUID) -> Merge:
    """The merge, of whoever sees its survivor. Raises NotFound."""
    merge = session.scalar(select(Merge).where(Merge.id == merge_id, _seen(sight)))
    if merge is None:
        raise NotFound("not_found")
    return merge


def merges_of(
    session: Session, sight: Sight, customer_id: UUID | None, offset: int, limit: int
) -> tuple[Sequence[Merge], int]:
    """A page of the merges that the member sees, newest first, of one customer if that is named; and how many there are."""
    conditions = [_seen(sight)]
    if customer_id is not None:
        lost = exists().where(MergeLoser.merge_id == Merge.id, MergeLoser.customer_id == customer_id)
        conditions.append(or_(Merge.survivor_id == customer_id, lost))
    page = select(Merge).where(*conditions).order_by(Merge.merged_at.desc(), Merge.id.desc())
    total = session.scalar(select(func.count()).select_from(Merge).where(*conditions))
    return session.scalars(page.offset(offset).limit(limit)).all(), total or 0


def taking_part(session: Session, merges: Sequence[Merge]) -> dict[UUID, list[Customer]]:
    """The customers of each merge, its survivor first."""
    of = one_of(MergeLoser.merge_id, [merge.id for merge in merges])
    losers = session.execute(select(MergeLoser.merge_id, MergeLoser.customer_id).where(of)).all()
    ids = {merge.survivor_id for merge in merges} | {row.customer_id for row in losers}
    found = {one.id: one for one in session.scalars(select(Customer).where(one_of(Customer.id, list(ids))))}
    customers = {merge.id: [found[merge.survivor_id]] for merge in merges}
    for row in sorted(losers, key=lambda one: one.customer_id):
        customers[row.merge_id].append(found[row.customer_id])
    return customers


def require_sight(session: Session, sight: Sight, customers: Sequence[Customer]) -> None:
    """Raise NotFound unless the member sees all of them (G-10)."""
    ids = [customer.id for customer in customers]
    seen = session.scalar(select(func.count()).select_from(Customer).where(one_of(Customer.id, ids), sight.condition()))
    if seen != len(ids):
        raise NotFound("not_found")


def moved_counts(session: Session, merge_id: UUID) -> dict[str, int]:
    """How many records of each kind a merge moved."""
    mine = and_(MergedRecord.merge_id == merge_id, MergedRecord.added)
    counted = select(MergedRecord.kind, func.count()).where(mine).group_by(MergedRecord.kind)
    return {row[0]: row[1] for row in session.execute(counted.order_by(MergedRecord.kind))}


def _seen(sight: Sight) -> Any:
    return exists().where(Customer.id == Merge.survivor_id, sight.condition())


def belongings(session: Session, wanted: Wanted) -> Iterator[Belongings]:
    """Everything that losers have and that would move, by kind."""
    given = {"survivor": wanted.survivor_id, "losers": list(wanted.loser_ids)}
    for kind in (*CHILDREN, *LINKS):
        rows = session.execute(_listing(kind), given).all()
        if rows:
            yield Belongings(kind.kind, rows[0].total, rows)


def links_lost(session: Session, wanted: Wanted, owner_id: UUID | None) -> Iterator[Belongings]:
    """Links of losers that the survivor, owned by `owner_id` or lying in a pool, does not get: it has the like, or may not."""
    given = {"survivor": wanted.survivor_id, "losers": list(wanted.loser_ids), "owner": owner_id}
    for link in LINKS:
        rows = session.execute(_losing(link), given).all()
        if rows:
            yield Belongings(link.kind, rows[0].total, rows)


def _listing(kind: Child | Link) -> Any:
    column, key, unless = (
        (kind.column, kind.key, kind.unless) if isinstance(kind, Child) else ("customer_id", kind.other, "FALSE")
    )
    return text(f"""
        SELECT {key} AS id, {column} AS customer_id, {kind.label} AS label, count(*) OVER () AS total FROM {kind.table}
        WHERE {column} = ANY(:losers) AND NOT ({unless}) AND CAST(:survivor AS uuid) IS NOT NULL
        ORDER BY array_position(:losers, {column}), {key} LIMIT {_SHOWN}
    """)  # noqa: S608


def _losing(link: Link) -> Any:
    """Those that `moving` does not add."""
    return text(f"""
        WITH had AS (SELECT {link.group} AS place FROM {link.table} WHERE customer_id = :survivor),
        ranked AS (
            SELECT {link.other} AS id, customer_id, {link.label} AS label, {link.group} AS place, {link.may} AS may,
                row_number() OVER (PARTITION BY {link.group}, {link.may}
                    ORDER BY array_position(:losers, customer_id), {link.other}) AS turn
            FROM {link.table} WHERE customer_id = ANY(:losers)
        )
        SELECT id, customer_id, label, count(*) OVER () AS total FROM ranked
        WHERE NOT may OR turn > 1 OR EXISTS (SELECT FROM had WHERE had.place = ranked.place)
        ORDER BY array_position(:losers, customer_id), id LIMIT {_SHOWN}
    """)  # noqa: S608


def _require_sound(wanted: Wanted, reference: Reference) -> None:
    twice = [place for place, id_ in enumerate(wanted.loser_ids) if id_ in wanted.ids[: place + 1]]
    errors = [FieldError(f"/loser_ids/{place}", "merged_twice") for place in twice]
    for name, id_ in wanted.values.items():
        pointer = f"/values/{name.replace('~', '~0').replace('/', '~1')}"
        if not _is_field(name, reference):
            errors.append(FieldError(pointer, "unknown_field"))
        elif id_ not in wanted.ids:
            errors.append(FieldError(pointer, "not_merged"))
    if errors:
        raise invalid(*errors)


def _is_field(name: str, reference: Reference) -> bool:
    part, _, own = name.rpartition(".")
    return name in FIELDS or (part == "profile" and own in EMPTY) or (part == "custom" and own in reference.custom)


def _require_losable(customer: Customer) -> None:
    about = {"customer_id": str(customer.id)}
    if customer.locked_at is not None and not customer.owner_left:
        raise Conflict("locked_loser", extra=about, name=customer.name)
    if customer.wecom_friend:
        raise Conflict("wecom_friend_protected", extra=about)
