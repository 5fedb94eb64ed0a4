"""Filling in what the release before could not: initials and cores of customers, names of contacts."""

from sqlalchemy import text

from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.search.projection import Searchable, keep_contacts_in_search, keep_in_search

_AT_ONCE = 1000
_UNFILLED = text("""
    SELECT customer_id, customers.name, address, nickname
    FROM customer_search JOIN customers ON customers.id = customer_id
    WHERE initials IS NULL OR core IS NULL
    LIMIT :at_once FOR UPDATE OF customer_search SKIP LOCKED
""")
_UNFILLED_CONTACTS = text("""
    SELECT contact_id, contacts.name FROM contact_search JOIN contacts ON contacts.id = contact_id
    WHERE contact_search.name IS NULL
    ORDER BY contact_id LIMIT :at_once FOR UPDATE OF contact_search SKIP LOCKED
""")


def fill_search(runtime: Runtime) -> bool:
    """Make 1,000 customers and 1,000 contacts findable by all that is searched. True: more is left."""
    with runtime.database.transaction() as session:
        # Addresses and nicknames that are normalised stay as they are.
        customers = [Searchable(*row) for row in session.execute(_UNFILLED, {"at_once": _AT_ONCE})]
        keep_in_search(session, customers)
    with runtime.database.transaction() as session:
        names = {row.contact_id: row.name for row in session.execute(_UNFILLED_CONTACTS, {"at_once": _AT_ONCE})}
        keep_contacts_in_search(session, names)
    return _AT_ONCE in {len(customers), len(names)}


FILL_SEARCH = DueTask("fill-search", 60, fill_search)
