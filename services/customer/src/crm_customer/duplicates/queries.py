"""Customers of the whole company that may be the one asked about, best first (G-01 to G-03, decision 0032).

At most about 200 are read, each found by an index: by the beginning of its name's core, an alias, the rarest pairs of
characters, a telephone number, a domain, the credit code. Who matches is said by `matching`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Select,
    Text,
    and_,
    any_,
    literal,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.orm import Session

from chassis.days import day_of
from crm_customer.contacts.model import Contact, CustomerContact, email_domain, phone_digits
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight, one_of
from crm_customer.duplicates.companies import features_of
from crm_customer.duplicates.model import DuplicateCheck
from crm_customer.duplicates.rules import Question, brand_of, not_claimable, rarest_grams
from crm_customer.duplicates.views import Found
from crm_customer.matching.rules import Counted, Features, Likeness, likeness
from crm_customer.ownership.model import Pool
from crm_customer.profiles.model import CustomerProfile
from crm_customer.search.model import CustomerAlias, CustomerSearch
from directory.permissions import Permission
from directory.tables import members

MOST_CANDIDATES = 10
_BEYOND = "\U0010ffff"
# PostgreSQL counts the most frequent ones by itself: what is not among them is rare. Marked grams are of addresses and initials.
_FREQUENT_GRAMS = text("""
    SELECT common.gram, CAST(common.share * greatest(pg_class.reltuples, 0) AS int) AS customers, pg_class.reltuples AS total
    FROM pg_stats
    JOIN pg_class ON pg_class.oid = CAST('customer_search' AS regclass)
    JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace AND pg_namespace.nspname = pg_stats.schemaname,
        unnest(CAST(CAST(most_common_elems AS text) AS text[]), most_common_elem_freqs) AS common (gram, share)
    WHERE pg_stats.tablename = 'customer_search' AND pg_stats.attname = 'grams' AND left(common.gram, 1) NOT IN ('@', '^')
""")


def frequent_grams(session: Session) -> tuple[Mapping[str, int], int]:
    """How many customers bear the most frequent pairs of characters in their names, about, and how many customers there are."""
    rows = session.execute(_FREQUENT_GRAMS).all()
    return {row.gram: row.customers for row in rows}, int(max((row.total for row in rows), default=0))


def candidates(session: Session, sight: Sight, question: Question, zone: str) -> list[Found]:
    """The best candidates of the whole company, deleted ones never, in five statements; days of `zone`."""
    counts, customers = frequent_grams(session)
    asked, rarity = question.features, Counted(counts, customers)
    ids = session.scalars(union_all(*_ways(asked, rarest_grams(asked.core, rarity, counts, customers)))).unique().all()
    known = features_of(session, ids)
    alike = {id_: likeness(asked, features, rarity) for id_, features in known.items()}
    likely = [id_ for id_ in alike if alike[id_].level != "none"]
    best = sorted(likely, key=lambda id_: (-alike[id_].score, id_))[:MOST_CANDIDATES]
    rows = {row.id: row for row in session.execute(_facts(best, sight))}
    return [_judged(rows[id_], alike[id_], sight, zone) for id_ in best]


def _judged(row: Any, alike: Likeness, sight: Sight, zone: str) -> Found:
    why = not_claimable(
        owned=row.owner_id is not None,
        in_my_pools=row.pool_id in sight.pool_ids,
        placed=row.assignment_version > 0,
        may_claim=sight.scope.may(Permission.POOL_CLAIM),
    )
    return Found(row, alike, bool(row.visible), row.last_touch_at and day_of(row.last_touch_at, zone), why)


def _ways(asked: Features, grams: Iterable[Sequence[str]]) -> list[Select[Any]]:
    """Statements that each find some ids by an index."""
    ways = []
    if asked.core:
        beginnings = {asked.core: 20, brand_of(asked.core): 40}
        ways += [_beginning(CustomerSearch, beginning, most) for beginning, most in beginnings.items()]
        ways.append(_beginning(CustomerAlias, brand_of(asked.core), 20))
        ways += [_with_grams(some) for some in grams]
    if asked.phones:
        abroad = ("86" + number.removeprefix("0") for number in asked.phones)
        numbers = sorted({*asked.phones, *abroad})
        ways += [*_with_phones(numbers)]
    if asked.domains:
        ways += [*_with_domains(sorted(asked.domains))]
    if asked.credit_code:
        coded = CustomerProfile.credit_code == asked.credit_code
        ways.append(select(CustomerProfile.customer_id).where(coded).limit(10))
    return [select(way.subquery().c.customer_id) for way in ways]


def _beginning(table: Any, beginning: str, most: int) -> Select[Any]:
    """Cores that begin so, the shortest of them first."""
    within = (table.core >= beginning, table.core < beginning + _BEYOND)
    return _alive(table).where(*within).order_by(table.core).limit(most)


def _with_grams(grams: Sequence[str]) -> Select[Any]:
    return _alive(CustomerSearch).where(CustomerSearch.grams.contains(list(grams))).limit(25)


def _alive(table: Any) -> Select[Any]:
    """Its customers that are not deleted, one look-up by id for each: deleted ones shall take no place of others."""
    alive = select(Customer.id).where(Customer.id == table.customer_id, Customer.deleted_at.is_(None)).limit(1)
    return select(table.customer_id).select_from(table).join(alive.lateral(), true())


def _with_phones(numbers: Sequence[str]) -> Iterable[Select[Any]]:
    for number in (Contact.mobile, phone_digits(Contact.phone)):
        yield _of_contacts(number == _any(numbers))
    held = phone_digits(CustomerProfile.phone_office) == _any(numbers)
    yield select(CustomerProfile.customer_id).where(held).limit(10)


def _with_domains(domains: Sequence[str]) -> Iterable[Select[Any]]:
    yield _of_contacts(email_domain(Contact.email) == _any(domains))
    yield select(CustomerProfile.customer_id).where(email_domain(CustomerProfile.email) == _any(domains)).limit(10)


def _of_contacts(condition: Any) -> Select[Any]:
    people = select(Contact.id).where(condition, Contact.deleted_at.is_(None)).limit(10).subquery()
    return select(CustomerContact.customer_id).where(CustomerContact.contact_id == people.c.id).limit(10)


def _any(values: Sequence[str]) -> Any:
    return any_(literal(list(values), ARRAY(Text)))


def _facts(ids: Sequence[UUID], sight: Sight) -> Select[Any]:
    """What is told of the customers."""
    own = ("id", "name", "owner_id", "owner_left", "pool_id", "assignment_version", "last_touch_at")
    names = (members.c.name.label("owner_name"), Pool.name.label("pool_name"))
    return (
        select(*(getattr(Customer, name) for name in own), *names, sight.condition().label("visible"))
        .select_from(Customer)
        .outerjoin(members, members.c.id == Customer.owner_id)
        .outerjoin(Pool, Pool.id == Customer.pool_id)
        .where(one_of(Customer.id, ids))
    )


@dataclass(frozen=True)
class CheckFilter:
    """Which checks: of a member, from a moment on, before another."""

    member_id: UUID | None
    since: datetime | None
    until: datetime | None


def checks(session: Session, wanted: CheckFilter, before: tuple[datetime, UUID] | None, most: int) -> list[Any]:
    """What members asked, newest first, with their names; `before`: the last one of the page before."""
    found = (
        select(DuplicateCheck, members.c.name.label("member_name"))
        .outerjoin(members, members.c.id == DuplicateCheck.member_id)
        .order_by(DuplicateCheck.asked_at.desc(), DuplicateCheck.id.desc())
        .limit(most)
    )
    if wanted.member_id is not None:
        found = found.where(DuplicateCheck.member_id == wanted.member_id)
    if wanted.since is not None:
        found = found.where(DuplicateCheck.asked_at >= wanted.since)
    if wanted.until is not None:
        found = found.where(DuplicateCheck.asked_at < wanted.until)
    if before is not None:
        earlier = and_(DuplicateCheck.asked_at == before[0], DuplicateCheck.id < before[1])
        found = found.where(or_(DuplicateCheck.asked_at < before[0], earlier))
    return list(session.execute(found))
