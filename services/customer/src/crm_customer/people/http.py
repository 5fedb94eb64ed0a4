"""REST of single contacts."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of
from chassis.errors import Invalid, Refusal
from chassis.http.api import Api
from chassis.http.call import Call
from crm_customer.customers.queries import load_reference
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.customers.uniqueness import hold_unique
from crm_customer.duplicate_settings.rules import MOBILE
from crm_customer.history.views import HistoryView
from crm_customer.people import commands
from crm_customer.people.changes import changes_of
from crm_customer.people.queries import seen_contacts, visible_contact, visible_contacts
from crm_customer.people.views import (
    MOST_SELECTED,
    ContactChanges,
    ContactDetail,
    ContactForm,
    ContactIds,
    ContactOutcome,
    ContactOutcomes,
    NewContact,
    SeenContact,
    contact_detail,
)
from crm_customer.settings import Settings
from crm_customer.versions import stale
from directory.permissions import Permission

api = Api("contacts")
_Act = Callable[[Session, Sight, Any, Any], dict[UUID, Refusal]]


@api.route(
    "POST",
    "/contacts",
    access=Permission.CUSTOMER_CREATE,
    summary="Create a contact",
    body=NewContact,
    reply=ContactDetail,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_contact(call: Call[NewContact, None]) -> ContactDetail:
    """Of any customer that the caller sees, or of none (B-11 to B-26, B-28). In a pool, sales claim first."""

    def work(session: Session) -> ContactDetail:
        draft = _draft(call.body, session)
        sight = sight_of(session, call.actor.id)
        relation = commands.Relation(call.body.relation_type, call.body.is_primary)
        contact = commands.create_contact(session, sight, draft, relation, _setting(call, session, sight))
        return _view(session, sight, contact.id)

    return call.command(work)


@api.route(
    "GET",
    "/contacts/<uuid:contact_id>",
    access=Permission.CUSTOMER_READ,
    summary="Read a contact",
    reply=ContactDetail,
    versioned=True,
)
def read_contact(call: Call[None, None], contact_id: UUID) -> ContactDetail:
    """All fields, and its customers that the caller sees (B-32), also out of the recycle bin (B-09)."""
    with call.runtime.database.reading() as session:
        return contact_detail(visible_contact(session, sight_of(session, call.actor.id), contact_id, deleted=None))


@api.route(
    "PATCH",
    "/contacts/<uuid:contact_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Change a contact",
    body=ContactChanges,
    reply=ContactDetail,
    versioned=True,
)
def change_contact(call: Call[ContactChanges, None], contact_id: UUID) -> ContactDetail:
    """Only the fields sent change; null or empty clears one. A 412 lists both values of each field that someone else
    changed meanwhile. In a pool, sales claim first (C-16).
    """
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        draft = _draft(call.body, session)
        sight = sight_of(session, call.actor.id)
        setting = _setting(call, session, sight)
        commands.change_contact(session, sight, contact_id, draft, setting, expected)
        return _view(session, sight, contact_id)


@api.route(
    "DELETE",
    "/contacts/<uuid:contact_id>",
    access=Permission.CUSTOMER_DELETE,
    summary="Put a contact into the recycle bin",
    status=204,
    versioned=True,
)
def delete_contact(call: Call[None, None], contact_id: UUID) -> None:
    """Soft (B-33). Who sees the company deletes all, others contacts that they or nobody but they have (X-11)."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        seen = _held(session, sight, contact_id, deleted=False)
        if seen.contact.version != expected:
            raise stale(seen.contact)
        _raise(commands.delete_contacts(session, sight, [seen], now()))


@api.route(
    "POST",
    "/contacts/<uuid:contact_id>:restore",
    access=Permission.CUSTOMER_DELETE,
    summary="Take a contact out of the recycle bin",
    reply=ContactDetail,
    idempotent=True,
    versioned=True,
)
def restore_contact(call: Call[None, None], contact_id: UUID) -> ContactDetail:
    """Back at its customers, primary again where nobody else is meanwhile (B-38). One that is not deleted stays."""

    def work(session: Session) -> ContactDetail:
        sight = sight_of(session, call.actor.id)
        seen = _held(session, sight, contact_id, deleted=None)
        _raise(commands.restore_contacts(session, sight, [seen], now()))
        return _view(session, sight, contact_id)

    return call.command(work)


@api.route(
    "POST",
    "/contacts:delete",
    access=Permission.CUSTOMER_DELETE,
    summary="Put contacts into the recycle bin",
    body=ContactIds,
    reply=ContactOutcomes,
    idempotent=True,
)
def delete_contacts(call: Call[ContactIds, None]) -> ContactOutcomes:
    """Up to 200, answered row by row: one that may not be deleted does not hold up the others (B-33, B-35)."""
    return _each(call, commands.delete_contacts)


@api.route(
    "POST",
    "/contacts:restore",
    access=Permission.CUSTOMER_DELETE,
    summary="Take contacts out of the recycle bin",
    body=ContactIds,
    reply=ContactOutcomes,
    idempotent=True,
)
def restore_contacts(call: Call[ContactIds, None]) -> ContactOutcomes:
    """Up to 200, answered row by row (B-38)."""
    return _each(call, commands.restore_contacts)


@api.route(
    "GET",
    "/contacts/<uuid:contact_id>/history",
    access=Permission.CUSTOMER_READ,
    summary="Changes of a contact",
    reply=HistoryView,
)
def read_contact_history(call: Call[None, None], contact_id: UUID) -> HistoryView:
    """Who changed what from what to what, newest first, on either form; masked as the contact is."""
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        items = changes_of(session, visible_contact(session, sight, contact_id, deleted=None))
    return HistoryView(items=items).worded(call.runtime.messages, call.language)


def _each(call: Call[ContactIds, None], act: _Act) -> ContactOutcomes:
    ids = list(dict.fromkeys(call.body.contact_ids))
    if not ids:
        raise Invalid("select_contacts_first")
    if len(ids) > MOST_SELECTED:
        raise Invalid("too_many_items", max_items=MOST_SELECTED)

    def work(session: Session) -> ContactOutcomes:
        sight = sight_of(session, call.actor.id)
        commands.lock_customers(session, ids)
        found = visible_contacts(session, sight, ids, deleted=None, lock=True)
        refused = act(session, sight, found, now())
        codes = dict.fromkeys(ids, "not_found") | {seen.contact.id: "" for seen in found}
        return _outcomes(call, codes | {id_: refusal.code for id_, refusal in refused.items()})

    return call.command(work)


def _outcomes(call: Call[Any, None], codes: dict[UUID, str]) -> ContactOutcomes:
    results = [
        ContactOutcome(
            contact_id=id_,
            outcome="skipped" if code else "done",
            code=code or None,
            message=call.runtime.messages.text((code,), call.language, {}) if code else None,
        )
        for id_, code in codes.items()
    ]
    succeeded = sum(not code for code in codes.values())
    return ContactOutcomes(total=len(results), succeeded=succeeded, skipped=len(results) - succeeded, results=results)


def _held(session: Session, sight: Sight, contact_id: UUID, *, deleted: bool | None) -> SeenContact:
    commands.lock_customers(session, [contact_id])
    return visible_contact(session, sight, contact_id, deleted=deleted, lock=True)


def _raise(refused: dict[UUID, Refusal]) -> None:
    for refusal in refused.values():
        raise refusal


def _view(session: Session, sight: Sight, contact_id: UUID) -> ContactDetail:
    session.flush()
    return contact_detail(seen_contacts(session, sight, [contact_id])[0])


def _draft(body: ContactForm, session: Session) -> commands.Draft:
    given = body.given()
    unique = hold_unique(session, [MOBILE] if given.get("mobile") else [])
    return commands.Draft(given, body.owner_id, body.customer_id, bool(unique))


def _setting(call: Call[Any, Any], session: Session, sight: Sight) -> commands.Setting:
    pattern, moment = cast(Settings, call.runtime.settings).mobile_pattern, now()
    reference = load_reference(session, pattern, sight.scope)
    return commands.Setting(reference, day_of(moment, sight.scope.zone), moment)
