"""What pools hide of the customers in them before the claim (decision 0025). Pure."""

from collections.abc import Iterable

# Where nobody has said otherwise: the numbers and addresses of people.
HIDDEN_BY_DEFAULT = (
    "contact.mobile",
    "contact.phone",
    "contact.email",
    "contact.qq",
    "profile.email",
    "profile.non_primary_emails",
    "profile.phone_office",
    "profile.phone_alternate",
    "profile.fax",
)
# By its name a customer is claimed; the others say where it lies, and since when.
_NEVER = frozenset(
    {"name", "owner_id", "pool_id", "created_by", "created_at", "updated_at", "expires_on", "wecom_friend", "tags"}
)
_BIRTHDAY = frozenset({"contact.birthday", "contact.birthday_is_lunar"})
_ADDRESS = frozenset({"province", "city", "address_detail"})


def hidden_by(chosen: Iterable[str]) -> frozenset[str]:
    """Everything that is hidden where the fields `chosen` are.

    The address (客户联系地址) is made of its parts, so it is hidden with any of them, and they with it; a birthday is with
    the calendar that it is kept by.
    """
    hidden = frozenset(chosen) - _NEVER
    if not hidden.isdisjoint(_BIRTHDAY):
        hidden |= _BIRTHDAY
    if "address" in hidden:
        return hidden | _ADDRESS
    return hidden if hidden.isdisjoint(_ADDRESS) else hidden | {"address"}
