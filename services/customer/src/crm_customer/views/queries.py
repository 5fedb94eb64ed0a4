"""Reading one's own filters and columns. Nobody reads those of others."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.fields.catalogue import CATALOGUE
from crm_customer.fields.queries import custom_fields
from crm_customer.views.model import ColumnLayout, SavedFilter
from crm_customer.views.rules import FilterPage, ListPage
from directory.scope import Scope


def filters_of(session: Session, member_id: UUID, page: FilterPage) -> Sequence[SavedFilter]:
    """The member's filters on a page, in their order."""
    mine = (SavedFilter.member_id == member_id, SavedFilter.page == page)
    return session.scalars(select(SavedFilter).where(*mine).order_by(SavedFilter.position, SavedFilter.id)).all()


def own_filter(session: Session, member_id: UUID, filter_id: UUID) -> SavedFilter:
    """One of the member's filters. Raises NotFound."""
    mine = (SavedFilter.id == filter_id, SavedFilter.member_id == member_id)
    found = session.scalar(select(SavedFilter).where(*mine))
    if found is None:
        raise NotFound("not_found")
    return found


def layout_of(session: Session, member_id: UUID, page: ListPage) -> ColumnLayout | None:
    """What the member has chosen."""
    return session.get(ColumnLayout, (member_id, page))


def available_columns(session: Session, scope: Scope, page: ListPage) -> list[str]:
    """Keys of the columns that the page can show to the member."""
    record = "contacts" if page is ListPage.CONTACTS else "customers"
    found = [field.key for field in CATALOGUE[record] if field.column]
    if record == "customers":
        found += [f"custom.{field.key}" for field in custom_fields(session, scope)]
    return found
