"""Whether a saved filter can be asked: when it is saved, and again whenever it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from chassis.errors import FieldError, Invalid, invalid
from chassis.http.parsing import validate
from crm_customer.contact_list.views import ContactSearch
from crm_customer.listing.filters import Here, catalogue_for, filter_of
from crm_customer.listing.views import SortedFilter
from crm_customer.views.rules import FilterPage

Content = Mapping[str, Any]
_MODELS: Mapping[FilterPage, type[BaseModel]] = {
    FilterPage.CUSTOMERS: SortedFilter,
    FilterPage.CONTACTS: ContactSearch,
}


def check(session: Session, here: Here, page: FilterPage, content: Content) -> dict[str, Any]:
    """`content` as it is kept. Raises Invalid with everything that is wrong."""
    (errors,) = errors_of(session, here, page, [content])
    if errors:
        there = [replace(error, pointer=f"/filter{error.pointer}") for error in errors]
        raise invalid(*there)
    return validate(_MODELS[page], content).model_dump(mode="json", exclude_defaults=True)


def errors_of(
    session: Session, here: Here, page: FilterPage, contents: Sequence[Content]
) -> list[Sequence[FieldError]]:
    """What is wrong with each filter at this moment, for this member; looked up once for all of them."""
    read = [_read(page, content) for content in contents]
    filters = [one for one in read if isinstance(one, SortedFilter)]
    catalogue = catalogue_for(session, here, *filters)
    found: list[Sequence[FieldError]] = []
    for one in read:
        try:
            if isinstance(one, Invalid):
                raise one
            if isinstance(one, SortedFilter):
                filter_of(here, catalogue, one)
            found.append(())
        except Invalid as invalid:
            found.append(invalid.errors)
    return found


def _read(page: FilterPage, content: Content) -> BaseModel | Invalid:
    try:
        return validate(_MODELS[page], dict(content))
    except Invalid as invalid:
        return invalid
