"""What a batch does to one page of its customers. A few statements, however many customers the page has.

Everything is checked again, for each customer: a right, a place or a state may have changed since the batch was started.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Table, update
from sqlalchemy.orm import Session

from batch.model import Batch, ItemResult
from chassis.audit import AuditEntry, record_audit
from chassis.database.rows import listed, rowset
from chassis.errors import Conflict, Forbidden, Refusal
from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.batches.queries import locked
from crm_customer.customers.commands import (
    SUBJECT,
    refuse_merged,
    require_deletable,
    require_restorable,
    searchable,
)
from crm_customer.customers.model import Customer, with_custom
from crm_customer.customers.projection import in_parts, states_of
from crm_customer.customers.rules import Reference, settle, split
from crm_customer.customers.sight import Sight, one_of
from crm_customer.marking.commands import tag_records
from crm_customer.search.projection import keep_in_search
from crm_customer.tags.model import CustomerTag
from crm_customer.tags.queries import borne_tags
from crm_customer.tags.rules import retagged

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_FOUND_BY = ("province", "city", "address_detail")


@dataclass(frozen=True)
class Page:
    """A page of a batch: who acts, on what, against which options, and when."""

    batch: Batch
    sight: Sight
    customer_ids: Sequence[UUID]
    reference: Reference
    now: datetime

    @property
    def actor_id(self) -> UUID:
        """Who started the batch."""
        return self.batch.actor_id

    @property
    def about(self) -> dict[str, str]:
        """What events say besides customers."""
        return {"batch_id": str(self.batch.id), "actor_id": str(self.actor_id)}


@dataclass(frozen=True)
class Change:
    """What becomes of one customer: the changed fields by flat name, before and after, and the columns to be written."""

    customer: Customer
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    columns: Mapping[str, Any]


def delete_page(session: Session, page: Page) -> list[ItemResult]:
    """Put them into the recycle bin (A-66): one's own, or all for administrators; never a WeCom friend (C-27, C-29), nor
    what its owner has locked (H-19).
    """

    def require(customer: Customer, _writable: bool) -> None:
        _require_alive(customer)
        require_deletable(page.sight, customer)
        if customer.locked_at is not None and not customer.owner_left:
            raise Conflict("locked_protected")

    able, refused = _sorted_out(session, page, require)
    changed = _touch(session, page, able, deleted_at=page.now)
    _record(session, page, "customer.deleted", changed)
    record_event(session, *in_parts(pb.CustomerDeleted, states_of(session, changed), **page.about))
    return _results(page, refused, changed)


def restore_page(session: Session, page: Page) -> list[ItemResult]:
    """Take them out of the recycle bin (A-70); those that are not in it stay as they are."""
    able, refused = _sorted_out(session, page, lambda customer, _: require_restorable(page.sight, customer))
    deleted = [customer for customer in able if customer.deleted_at is not None]
    changed = _touch(session, page, deleted, deleted_at=None)
    _record(session, page, "customer.restored", changed)
    record_event(session, *in_parts(pb.CustomerRestored, states_of(session, changed), **page.about))
    return _results(page, refused, changed)


def update_page(session: Session, page: Page) -> list[ItemResult]:
    """Give them the values that were checked when the batch was started (I-02); what already holds changes nothing."""
    able, refused = _sorted_out(session, page, partial(require_workable, page.sight))
    changes = [_change(customer, page.batch.parameters["values"], page.reference) for customer in able]
    changes = [change for change in changes if change.after]
    if changes:
        _write(session, page, changes)
    return _results(page, refused, [change.customer for change in changes])


def tag_page(session: Session, page: Page) -> list[ItemResult]:
    """Let them bear some tags and lose others (I-02). Raises Conflict unknown_tag when one to be borne is gone."""
    added, removed = ([UUID(id_) for id_ in page.batch.parameters[name]] for name in ("add", "remove"))
    tags = borne_tags(session, added)
    if len(tags) < len(added):
        raise Conflict("unknown_tag")
    able, refused = _sorted_out(session, page, partial(require_workable, page.sight))
    ids = [customer.id for customer in able]
    changed = tag_records(session, CustomerTag, page.actor_id, ids, lambda had: retagged(had, tags.values(), removed))
    return _results(page, refused, [customer for customer in able if customer.id in changed])


def _require_alive(customer: Customer) -> None:
    refuse_merged(customer)
    if customer.deleted_at is not None:
        raise Conflict("already_deleted")


def require_workable(sight: Sight, customer: Customer, writable: bool) -> None:
    """Refuse a change of a customer as `locked` found it. Raises Conflict merged_into, already_deleted, claim_first,
    Forbidden read_only_collaborator.
    """
    _require_alive(customer)
    if sight.must_claim(customer.pool_id):
        raise Conflict("claim_first")
    if not writable:
        raise Forbidden("read_only_collaborator")


def _sorted_out(
    session: Session, page: Page, require: Callable[[Customer, bool], None]
) -> tuple[list[Customer], dict[UUID, ItemResult]]:
    """The customers of the page that may be worked, locked; and why the others may not."""
    found = locked(session, page.sight, page.customer_ids)
    able, refused = [], {id_: ItemResult.skipped(id_, "not_found") for id_ in page.customer_ids if id_ not in found}
    for customer, writable in found.values():
        try:
            require(customer, writable)
        except Refusal as refusal:
            refused[customer.id] = ItemResult.skipped(customer.id, refusal.code, **refusal.parameters)
        else:
            able.append(customer)
    return able, refused


def _results(page: Page, refused: Mapping[UUID, ItemResult], changed: Sequence[Customer]) -> list[ItemResult]:
    """One for each of the page; those of customers that changed name the owner, who is told how many they were."""
    owners = {customer.id: str(customer.owner_id or "") for customer in changed}
    return [refused.get(id_) or ItemResult.done(id_, owner_id=owners.get(id_, "")) for id_ in page.customer_ids]


def _touch(session: Session, page: Page, customers: Sequence[Customer], **values: Any) -> Sequence[Customer]:
    """Write the same values to all of them, as a change by a user. Returns them as they are now, in id order."""
    ids = [customer.id for customer in customers]
    return _written(session, update(Customer).where(one_of(Customer.id, ids)).values(**values), page.now)


def _written(
    session: Session, statement: Any, now: datetime, parameters: dict[str, Any] | None = None
) -> Sequence[Customer]:
    counted = {name: _CUSTOMERS.c[name] + 1 for name in ("version", "facts_version")}
    options = {"synchronize_session": False, "populate_existing": True}
    changed = session.scalars(
        statement.values(**counted, updated_at=now).returning(Customer), parameters, execution_options=options
    )
    return sorted(changed, key=lambda customer: customer.id)


def _record(session: Session, page: Page, action: str, customers: Sequence[Customer]) -> None:
    entries = (
        AuditEntry(action, SUBJECT, customer.id, page.actor_id, None, {"version": customer.version})
        for customer in customers
    )
    record_audit(session, *entries)


def _change(customer: Customer, values: Mapping[str, Any], reference: Reference) -> Change:
    present = customer.values() | {f"custom.{key}": value for key, value in customer.custom.items()}
    wanted = settle(values, present, reference)
    changed = [name for name, value in wanted.items() if value != present.get(name)]
    parts = split(wanted)
    custom = {"custom": with_custom(customer.custom, parts.custom)} if parts.custom else {}
    return Change(
        customer,
        {name: present.get(name) for name in changed},
        {name: wanted[name] for name in changed},
        parts.own | custom,
    )


def _write(session: Session, page: Page, changes: Sequence[Change]) -> None:
    names = sorted({name for change in changes for name in change.columns})
    rows = [
        {"id": change.customer.id} | {name: change.columns.get(name, getattr(change.customer, name)) for name in names}
        for change in changes
    ]
    versions = {change.customer.id: change.customer.version for change in changes}
    given = rowset(_CUSTOMERS, tuple(rows[0]))
    statement = update(Customer).where(Customer.id == given.c.id).values({name: given.c[name] for name in names})
    changed = _written(session, statement, page.now, listed(rows))
    if not set(names).isdisjoint(_FOUND_BY):
        keep_in_search(session, [searchable(customer, page.reference) for customer in changed])
    record_audit(session, *(_entry(page, change, versions[change.customer.id]) for change in changes))
    record_event(session, *in_parts(pb.CustomerUpdated, states_of(session, changed), **page.about))


def _entry(page: Page, change: Change, version: int) -> AuditEntry:
    before, after = {"version": version, **change.before}, {"version": version + 1, **change.after}
    return AuditEntry("customer.changed", SUBJECT, change.customer.id, page.actor_id, before, after)
