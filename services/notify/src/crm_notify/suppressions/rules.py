"""Which addresses nothing is sent to, and what of it."""

from collections.abc import Collection
from enum import StrEnum


class Reason(StrEnum):
    """Why nothing is sent: the address does not exist, its owner wants no mailings, or an administrator said so."""

    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    MANUAL = "manual"


_CODES = {
    Reason.BOUNCED: "address_bounced",
    Reason.UNSUBSCRIBED: "address_unsubscribed",
    Reason.MANUAL: "address_suppressed",
}


def normalised(address: str) -> str:
    """One spelling of an e-mail address or number: lower case, the domain as DNS has it (IDNA)."""
    name, at, domain = address.strip().lower().rpartition("@")
    try:
        return f"{name}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return f"{name}{at}{domain}"


def why_not(reasons: Collection[str], *, mailing: bool) -> str | None:
    """The code of what stops a message to an address suppressed for `reasons`; None: it may go. Notifications are only
    stopped by an address that does not exist.
    """
    for reason, code in _CODES.items():
        if reason in reasons and (mailing or reason is Reason.BOUNCED):
            return code
    return None
