"""What is compared of customers that are there, set-wise."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import one_of
from crm_customer.matching.rules import Company, Features, features
from crm_customer.profiles.model import CustomerProfile


def features_of(session: Session, customer_ids: Sequence[UUID]) -> Mapping[UUID, Features]:
    """Features of those of the customers that are not deleted, in two statements."""
    profile = CustomerProfile
    columns = (profile.aliases, profile.credit_code, profile.phone_office, profile.phone_alternate, profile.email)
    found = session.execute(
        select(Customer.id, Customer.name, Customer.city, *columns)
        .outerjoin(profile, profile.customer_id == Customer.id)
        .where(one_of(Customer.id, customer_ids), Customer.deleted_at.is_(None))
    ).all()
    phones, emails = _of_contacts(session, [row.id for row in found])
    return {
        row.id: features(
            Company(
                name=row.name,
                aliases=tuple(row.aliases or ()),
                phones=tuple(filter(None, (*phones[row.id], row.phone_office, row.phone_alternate))),
                emails=tuple(filter(None, (*emails[row.id], row.email))),
                credit_code=row.credit_code or "",
                city=row.city or "",
            )
        )
        for row in found
    }


def _of_contacts(session: Session, customer_ids: Sequence[UUID]) -> tuple[dict[UUID, list[str]], dict[UUID, list[str]]]:
    phones, emails = defaultdict[UUID, list[str]](list), defaultdict[UUID, list[str]](list)
    people = session.execute(
        select(CustomerContact.customer_id, Contact.mobile, Contact.phone, Contact.email)
        .join(Contact, Contact.id == CustomerContact.contact_id)
        .where(one_of(CustomerContact.customer_id, customer_ids), Contact.deleted_at.is_(None))
    )
    for customer_id, mobile, phone, email in people:
        phones[customer_id] += filter(None, (mobile, phone))
        emails[customer_id] += [email] if email else []
    return phones, emails
