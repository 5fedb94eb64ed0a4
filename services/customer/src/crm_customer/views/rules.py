"""Pages of lists, and the columns that each can show (A-17, A-18, B-02, I-11, I-12). Pure functions."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

# View and Edit: always the last column.
OPERATIONS = "operations"


class ListPage(StrEnum):
    """Pages whose columns are chosen; filters are saved on the first two."""

    CUSTOMERS = "customers"
    CONTACTS = "contacts"
    POOL = "pool"


class FilterPage(StrEnum):
    """Pages on which filters are saved."""

    CUSTOMERS = "customers"
    CONTACTS = "contacts"


_CUSTOMERS = ("name", "industry", "rating", "address", "owner_id", "created_by", "created_at", "expires_on")
# As members see them who have chosen nothing.
DEFAULT: Mapping[ListPage, Sequence[str]] = {
    ListPage.CUSTOMERS: _CUSTOMERS,
    ListPage.POOL: _CUSTOMERS,
    ListPage.CONTACTS: (
        "name",
        "salutation",
        "customer_id",
        "phone",
        "qq",
        "email",
        "owner_id",
        "created_by",
        "created_at",
    ),
}


def shown_columns(page: ListPage, chosen: Sequence[str] | None, available: Collection[str]) -> list[str]:
    """What a page shows: the columns chosen that there still are, else the usual ones; the operations last."""
    kept = [key for key in chosen or () if key in available]
    return [*(kept or DEFAULT[page]), OPERATIONS]
