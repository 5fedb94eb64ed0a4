"""Which deliveries a person may send again (decision 0035)."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from crm_notify.deliveries.rules import RESENDABLE, Status
from crm_notify.suppressions.rules import Reason

NOT_FOUND, FORBIDDEN = "not_found", "forbidden"
NOT_RESENDABLE, STILL_BOUNCED = "delivery_not_resendable", "address_still_bounced"
STOPPED = "mailing_stopped"


@dataclass(frozen=True)
class Asker:
    """Who asks, and whether they may send anything again, or see everything."""

    id: UUID
    may_configure: bool
    may_read_all: bool


@dataclass(frozen=True)
class Candidate:
    """A delivery to send again: to whom it goes, why its address is suppressed; who sent the mailing it is of, and whether
    that was `stopped`.
    """

    status: Status
    member_id: UUID | None
    sender_id: UUID | None
    stopped: bool
    suppressed: Collection[str]


def refusal(candidate: Candidate | None, asker: Asker) -> str | None:
    """Why the asker may not have it sent again; None: they may. What they cannot see does not exist for them."""
    if candidate is None:
        return NOT_FOUND
    if not (asker.may_configure or candidate.sender_id == asker.id):
        return FORBIDDEN if asker.may_read_all or candidate.member_id == asker.id else NOT_FOUND
    if candidate.status not in RESENDABLE:
        return NOT_RESENDABLE
    if candidate.stopped:
        return STOPPED
    if candidate.status is Status.BOUNCED and Reason.BOUNCED in candidate.suppressed:
        return STILL_BOUNCED
    return None
