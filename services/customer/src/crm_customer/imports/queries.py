"""Reading what a chunk needs: the importer's rights, the rows by the rules, and the customers they match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, any_, column, func, literal, literal_column, select, true
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.parents import parent_not_found, visible_parents
from crm_customer.customers.queries import load_reference
from crm_customer.customers.rules import Reference
from crm_customer.customers.sight import Condition, Sight
from crm_customer.imports.chunks import DECIDED, cells_of, importing
from crm_customer.imports.members import load_members
from crm_customer.imports.reading import read_rows
from crm_customer.imports.rules import (
    ID,
    MATCHABLE,
    MOBILE,
    PARENT,
    SIMILAR,
    Chunk,
    Decision,
    Key,
    Likely,
    Made,
    Match,
    Matches,
    Row,
    Seen,
    decide,
    record_ids_of,
    settle_owner,
)
from crm_customer.imports.tagging import Vocabulary, settle_tags
from crm_customer.imports.uniqueness import without_shared
from crm_customer.search.model import CustomerSearch
from directory.permissions import Permission
from directory.tables import members


@dataclass
class Prepared:
    """A chunk read and judged, ready to be written. `seen` at the last look, and what it `decided`."""

    chunk: Chunk
    sight: Sight
    reference: Reference
    rows: Sequence[Row]
    tags: Vocabulary | None
    importer: str
    seen: Seen | None = None
    decided: Sequence[Decision] = ()

    @cached_property
    def wanted(self) -> Mapping[str, Sequence[str]]:
        """By what rows are matched: different values by field."""
        keys = {key for row in self.rows for key in row.keys}
        return {name: values for name in MATCHABLE if (values := sorted(key[1] for key in keys if key[0] == name))}

    @cached_property
    def holders(self) -> Mapping[str, Any]:
        """The statements that find who has these values, the same at each look; those of similar names are made anew."""
        visible = self.sight.writable()
        return {
            name: holders(name, values, self.sight, visible) for name, values in self.wanted.items() if name != SIMILAR
        }


def prepare(session: Session, chunk: Chunk, request: pb.BulkWriteCustomersRequest, mobile_pattern: str) -> Prepared:
    """Read the rows as the importer, whose rights are checked for every chunk again.

    Raises Unauthenticated for one who has left, Forbidden without the rights, NotFound for a pool out of sight.
    """
    updating = [Permission.CUSTOMER_UPDATE] if chunk.update else []
    sight = importing(session, chunk, Permission.CUSTOMER_CREATE, *updating)
    if chunk.target_pool_id is not None and chunk.target_pool_id not in sight.pool_ids:
        raise NotFound("pool_not_found")
    reference = load_reference(session, mobile_pattern, sight.scope)
    read = _read(request, chunk, reference)
    _settle_owners(session, sight, read)
    _settle_parents(session, sight, read)
    importer = session.scalar(select(members.c.name).where(members.c.id == chunk.actor_id)) or ""
    return Prepared(chunk, sight, reference, read, settle_tags(session, read), importer)


def _read(request: pb.BulkWriteCustomersRequest, chunk: Chunk, reference: Reference) -> list[Row]:
    read = [row for cells in cells_of(request, chunk) for row in read_rows(cells, chunk.match_fields, reference)]
    for row, record_id in zip(read, record_ids_of(chunk.job_id, [row.number for row in read]), strict=True):
        row.record_id = record_id
    if not request.rows:
        return read
    rows = {row.number: row for row in read}
    if chunk.ask:
        for given in request.rows:
            row = rows[given.row_number]
            row.decided, row.decided_on = DECIDED.get(given.decision), given.record_id
    return [rows[number] for number in request.row_numbers or [given.row_number for given in request.rows]]


def _settle_owners(session: Session, sight: Sight, rows: Sequence[Row]) -> None:
    naming = [row for row in rows if row.owner or row.owner_ref]
    if not naming:
        return
    members = load_members(session, sight, [row.owner for row in naming], [row.owner_ref for row in naming])
    for row in naming:
        settle_owner(row, members)


def _settle_parents(session: Session, sight: Sight, rows: Sequence[Row]) -> None:
    wanted = {row.number: UUID(row.values[PARENT]) for row in rows if row.values.get(PARENT)}
    known = visible_parents(session, sight, wanted.values()) if wanted else set()
    for row in rows:
        if row.number in wanted and wanted[row.number] not in known:
            row.parent_problem = parent_not_found(row.values[PARENT])


def decisions(session: Session, prepared: Prepared) -> list[Decision]:
    """What becomes of each row as things stand; a few statements, however many rows. What was decided at the last look
    stands where nothing else is seen now.
    """
    seen = Seen(_matches(session, prepared), _made(session, prepared))
    if seen != prepared.seen:
        prepared.seen, prepared.decided = seen, decide(prepared.rows, seen, prepared.chunk)
    return without_shared(session, prepared.chunk.job_id, prepared.decided)


def _made(session: Session, prepared: Prepared) -> dict[int, Made]:
    numbers = [row.number for row in prepared.rows] or [0]
    # Nearly all rows between the first and the last belong to the chunk, and one walk is cheaper than a look-up for each.
    found = session.execute(
        select(Customer.source_row, Customer.id, Customer.owner_id, Customer.pool_id).where(
            Customer.source_job == prepared.chunk.job_id, Customer.source_row.between(min(numbers), max(numbers))
        )
    )
    return {
        number: Made(str(id_), {"owner_id": str(owner_id or ""), "pool_id": str(pool_id or "")})
        for number, id_, owner_id, pool_id in found
        if number is not None
    }


def _matches(session: Session, prepared: Prepared) -> Matches:
    found: dict[Key, list[Match]] = {}
    sight = prepared.sight
    for name, values in prepared.wanted.items():
        if name == SIMILAR:
            found |= _similar(session, sight, values)
        else:
            for value, customer_id, pool_id, visible in session.execute(prepared.holders[name]):
                match = Match(customer_id, visible, not sight.must_claim(pool_id))
                found.setdefault((name, str(value)), []).append(match)
    return found


def _similar(session: Session, sight: Sight, values: Sequence[str]) -> Mapping[Key, list[Match]]:
    """Customers that the importer may change and whose names are similar; of others nothing is said (decision 0032)."""
    wanted = {value: Likely.read(value) for value in values}
    cores = literal(sorted({one.core for one in wanted.values()}), ARRAY(Text))
    named = select(CustomerSearch.core, CustomerSearch.region, CustomerSearch.branch, CustomerSearch.customer_id)
    borne = named.where(CustomerSearch.core == any_(cores)).subquery("borne")
    holder = _holder(borne, sight.writable())
    rows = session.execute(
        select(borne.c.core, borne.c.region, borne.c.branch, holder.c.id, holder.c.pool_id, holder.c.city)
        .select_from(borne.join(holder, true()))
        .where(holder.c.deleted_at.is_(None), holder.c.visible)
        .order_by(holder.c.created_at, holder.c.id)
    )
    held: dict[str, list[tuple[Likely, Match]]] = {}
    for core, region, branch, customer_id, pool_id, city in rows:
        match = Match(customer_id, visible=True, workable=not sight.must_claim(pool_id))
        held.setdefault(core, []).append((Likely(core, region or city or "", branch), match))
    return {
        (SIMILAR, value): met
        for value, likely in wanted.items()
        if (met := [match for other, match in held.get(likely.core, ()) if likely.meets(other)])
    }


def holders(name: str, values: Sequence[str], sight: Sight, visible: Condition) -> Any:
    """Customers that have one of `values`, and whether the importer may know of it by this value."""
    if name == MOBILE:
        # A number that the importer may not read must not be found out by importing it either.
        visible = visible & sight.shows(MOBILE)
    wanted: Any
    if name == ID:
        given = func.unnest(literal([UUID(text) for text in values], ARRAY(Uuid))).table_valued(column("id", Uuid))
        ids = given.render_derived(name="given")
        wanted = select(ids.c.id.label("value"), ids.c.id.label("customer_id")).subquery("wanted")
    else:
        wanted = (_with_mobile(values) if name == MOBILE else _named(values)).subquery("wanted")
    holder = _holder(wanted, visible)
    return (
        select(wanted.c.value, holder.c.id, holder.c.pool_id, holder.c.visible)
        .select_from(wanted.join(holder, true()))
        .where(holder.c.deleted_at.is_(None))
        .order_by(holder.c.created_at, holder.c.id)
    )


def _holder(wanted: Any, visible: Condition) -> Any:
    """One look-up by id for each that is `wanted`, whatever PostgreSQL believes: during a first import it knows no numbers
    yet, takes the customers that are not deleted for a handful, and would begin with all of them.
    """
    told = (Customer.id, Customer.pool_id, Customer.city, Customer.created_at, Customer.deleted_at)
    found = select(*told, visible.label("visible")).where(Customer.id == wanted.c.customer_id)
    return found.limit(1).lateral("holder")


def _named(values: Sequence[str]) -> Any:
    found = select(CustomerSearch.name.label("value"), CustomerSearch.customer_id)
    return found.where(CustomerSearch.name == any_(_texts(values)))


def _with_mobile(values: Sequence[str]) -> Any:
    found = select(Contact.mobile.label("value"), CustomerContact.customer_id)
    linked = found.join(CustomerContact, CustomerContact.contact_id == Contact.id).where(Contact.deleted_at.is_(None))
    return linked.where(Contact.mobile == any_(_texts(values)))


def _texts(values: Sequence[str]) -> Any:
    """Names and numbers, which hold no white space, as one text: the driver would look at each value alone."""
    return func.string_to_array(literal("\n".join(values)), literal_column("E'\\n'"), type_=ARRAY(Text))
