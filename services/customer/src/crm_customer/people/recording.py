"""What changes of contacts leave in the histories of contacts and customers."""

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.audit import AuditEntry
from crm_customer.contacts.model import FORM_FIELDS, Contact
from crm_customer.customers.commands import CONTACT, SUBJECT
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight
from crm_customer.people.views import SeenContact


def link_entries(
    sight: Sight,
    action: str,
    customer: Customer,
    contact: Contact,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> list[AuditEntry]:
    """A link's change in the history of both: the customer names the contact, the contact the customer."""
    actor_id = sight.scope.member_id
    of_customer, of_contact = (
        [None if side is None else {name: value, **side} for side in (before, after)]
        for name, value in (("contact", contact.name), ("customer_id", str(customer.id)))
    )
    return [
        AuditEntry(f"customer.{action}", SUBJECT, customer.id, actor_id, *of_customer),
        AuditEntry(f"contact.{action.replace('contact', 'customer')}", CONTACT, contact.id, actor_id, *of_contact),
    ]


def change_entries(seen: SeenContact, sight: Sight, before: Mapping[str, Any]) -> list[AuditEntry]:
    """A change in the contact's history, and in that of each customer whose primary contact it is."""
    after = {name: getattr(seen.contact, name) for name in before}
    return entries_of_change(seen, sight, seen.contact.version - 1, before, after)


def entries_of_change(
    seen: SeenContact, sight: Sight, version: int, before: Mapping[str, Any], after: Mapping[str, Any], **cause: str
) -> list[AuditEntry]:
    """The same, of a change on top of `version` that something else caused."""
    sides = {"version": version, **before}, {"version": version + 1, **cause, **after}
    entries = [entry_of("contact.changed", seen.contact, sight, *sides)]
    shown = [{f"contact.{name}": side[name] for name in FORM_FIELDS if name in side} for side in (before, after)]
    if shown[0]:
        entries += [
            AuditEntry(
                "customer.contact_changed", SUBJECT, one.customer_id, sight.scope.member_id, shown[0], cause | shown[1]
            )
            for one in seen.links
            if one.is_primary
        ]
    return entries


def move_entries(
    action: str, sight: Sight, contacts: Sequence[SeenContact], mark: Mapping[str, str] | None = None
) -> list[AuditEntry]:
    """Deletions or restorations in the history of the contacts and of their customers. Versions are one further; `mark`
    says what caused them.
    """
    entries = []
    for seen in contacts:
        contact, actor_id = seen.contact, sight.scope.member_id
        entries.append(
            entry_of(f"contact.{action}", contact, sight, None, {"version": contact.version + 1, **(mark or {})})
        )
        entries += [
            AuditEntry(
                f"customer.contact_{action}", SUBJECT, one.customer_id, actor_id, None, {"contact": contact.name}
            )
            for one in seen.links
        ]
    return entries


def entry_of(
    action: str, contact: Contact, sight: Sight, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> AuditEntry:
    return AuditEntry(action, CONTACT, contact.id, sight.scope.member_id, before, after)
