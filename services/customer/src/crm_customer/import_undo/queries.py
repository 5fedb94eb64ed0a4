"""Reading what the undo of an import needs to know; each function takes the same statements however many records."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry
from chassis.database.tables import audit_entries
from chassis.errors import Forbidden
from crm_customer.activities.model import Activity
from crm_customer.collaboration.model import Collaborator
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.commands import CONTACT
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight, one_of, sight_of
from crm_customer.exports.queries import load_words
from crm_customer.fields.words import Words
from crm_customer.files.model import Attachment
from crm_customer.import_undo.rules import Trail, touched, trail_of
from crm_customer.opportunities.model import Opportunity
from crm_customer.orders.model import Order
from crm_customer.profiles.model import CustomerProfile
from crm_customer.schedules.model import ScheduleEntry
from crm_customer.stars.model import Star
from crm_customer.tasks.model import Task
from directory.actors import DirectoryActors
from directory.permissions import Permission


@dataclass(frozen=True)
class WrittenRow:
    """A row of the import and the record that it made or changed."""

    number: int
    record_id: UUID
    created: bool


@dataclass(frozen=True)
class Undo:
    """The undo of a job: who does it, what values are called, and when."""

    job_id: UUID
    sight: Sight
    words: Words
    now: datetime

    @property
    def actor_id(self) -> UUID:
        """Who undoes it."""
        return self.sight.scope.member_id

    @property
    def about(self) -> dict[str, str]:
        """What events say besides customers; an event of a batch notifies nobody."""
        return {"batch_id": str(self.job_id), "actor_id": str(self.actor_id)}

    @property
    def mark(self) -> dict[str, str]:
        """By what entries of the audit are known again as this undo's."""
        return {"undone_job": str(self.job_id)}

    def say(self, name: str, value: Any) -> str:
        """A field's value in words; of a custom field that the actor does not see nothing."""
        if name.startswith("custom.") and name.removeprefix("custom.") not in self.words.custom:
            return ""
        return self.words.cell(name, value)


def prepare(session: Session, job_id: UUID, actor_id: UUID, now: datetime) -> Undo:
    """Who undoes the job, with what is needed. Raises Unauthenticated for one who has left, Forbidden without import.run."""
    sight = sight_of(session, actor_id)
    actor = DirectoryActors().actor(session, actor_id)
    require(sight, Permission.IMPORT_RUN)
    words, _ = load_words(session, sight, actor.language if actor else "zh")
    return Undo(job_id, sight, words, now)


def require(sight: Sight, *permissions: Permission) -> None:
    """Raises Forbidden unless the member has all of them."""
    for permission in permissions:
        if not sight.scope.may(permission):
            raise Forbidden("forbidden", permission=permission)


def trails_of(
    session: Session, subject: str, ids: Iterable[UUID], job_id: UUID, whole: Collection[UUID]
) -> dict[UUID, Trail]:
    """The trail of each record; what others did only of those whose `whole` history matters: the job made them."""
    table, wanted = audit_entries.c, list(ids)
    told = [table.after[name].as_string() == str(job_id) for name in ("source_job", "undone_job")]
    needed = or_(*told, table.action == f"{subject}.deleted", one_of(table.subject_id, list(whole)))
    rows = session.execute(
        select(table.subject_id, table.action, table.actor_id, table.before, table.after)
        .where(table.subject_type == subject, one_of(table.subject_id, wanted), needed)
        .order_by(table.id)
    )
    entries: dict[UUID, list[AuditEntry]] = {id_: [] for id_ in wanted}
    for row in rows:
        entries[row.subject_id].append(
            AuditEntry(row.action, subject, row.subject_id, row.actor_id, row.before, row.after)
        )
    return {id_: trail_of(of_record, str(job_id)) for id_, of_record in entries.items()}


@dataclass(frozen=True)
class People:
    """The contacts of some customers, locked, with their trails. `links`: ids of each customer's contacts."""

    links: Mapping[UUID, Sequence[UUID]]
    contacts: Mapping[UUID, Contact]
    trails: Mapping[UUID, Trail]

    def of(self, customer_id: UUID) -> list[Contact]:
        """A customer's contacts that are not deleted."""
        return [one for id_ in self.links.get(customer_id, ()) if (one := self.contacts[id_]).deleted_at is None]

    def untouched(self, undo: Undo, contact: Contact) -> bool:
        """Whether nobody has changed a contact since the import did."""
        return not touched(self.trails[contact.id], contact.version, undo.say)


def people_of(session: Session, customer_ids: Sequence[UUID], job_id: UUID) -> People:
    """The contacts of locked customers, each locked in id order."""
    linked: dict[UUID, list[UUID]] = defaultdict(list)
    found = select(CustomerContact.customer_id, CustomerContact.contact_id)
    for row in session.execute(found.where(one_of(CustomerContact.customer_id, customer_ids))):
        linked[row.customer_id].append(row.contact_id)
    ids = sorted({id_ for of_customer in linked.values() for id_ in of_customer})
    rows = session.scalars(
        select(Contact).where(one_of(Contact.id, ids)).order_by(Contact.id).with_for_update(key_share=True),
        execution_options={"populate_existing": True},
    )
    contacts = {contact.id: contact for contact in rows}
    return People(linked, contacts, trails_of(session, CONTACT, ids, job_id, ids))


def records_of(session: Session, customer_ids: Sequence[UUID], job_id: UUID) -> dict[UUID, dict[str, int]]:
    """How many records of which kind people have added to customers; contacts excepted."""
    foreign_child = (
        select(literal("child"), CustomerProfile.parent_customer_id)
        .join(Customer, Customer.id == CustomerProfile.customer_id)
        .where(Customer.deleted_at.is_(None), Customer.source_job.is_distinct_from(job_id))
        .where(one_of(CustomerProfile.parent_customer_id, customer_ids))
    )
    alive = [
        _kept(kind, model.customer_id, customer_ids, model.deleted_at.is_(None))
        for kind, model in (
            ("activity", Activity),
            ("task", Task),
            ("schedule_entry", ScheduleEntry),
            ("file", Attachment),
            ("opportunity", Opportunity),
            ("order", Order),
        )
    ]
    marks = [
        _kept(kind, model.customer_id, customer_ids) for kind, model in (("collaborator", Collaborator), ("star", Star))
    ]
    return _counted(session, *alive, *marks, foreign_child)


def uses_of(session: Session, contact_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """How many records of which kind name contacts."""
    kinds = (("activity", Activity), ("opportunity", Opportunity))
    return _counted(
        session, *(_kept(kind, model.contact_id, contact_ids, model.deleted_at.is_(None)) for kind, model in kinds)
    )


def answers_to(session: Session, activity_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """How many remarks and files were added to activities."""
    kinds: tuple[tuple[str, Any, Any], ...] = (
        ("remark", Activity.about_id, Activity.deleted_at),
        ("file", Attachment.activity_id, Attachment.deleted_at),
    )
    return _counted(session, *(_kept(kind, key, activity_ids, gone.is_(None)) for kind, key, gone in kinds))


def _kept(kind: str, key: Any, ids: Sequence[UUID], *conditions: ColumnElement[bool]) -> Any:
    return select(literal(kind), key).where(one_of(key, ids), *conditions)


def _counted(session: Session, *kept: Any) -> dict[UUID, dict[str, int]]:
    rows = union_all(*(one.add_columns() for one in kept)).subquery("kept")
    kind, of = rows.c
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    for row in session.execute(select(kind, of, func.count()).group_by(kind, of)):
        found[row[1]][row[0]] = row[2]
    return found
