"""The states of a delivery, and when it is tried again (decision 0035)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

# Waits after each temporary failure; after the last, in two days and some hours, the delivery is given up.
_BACKOFF = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 480, 960, 1440)]


class Channel(StrEnum):
    """How a member or a customer can be told."""

    IN_APP = "in_app"
    EMAIL = "email"
    ROBOT = "robot"
    SMS = "sms"


class Status(StrEnum):
    """`queued`: due at `next_attempt_at`, which a worker that took it moves to the end of its lease; `sending`: from the
    moment before it is handed over; `uncertain`: handed over, and nobody knows whether it was taken; `bounced`: its
    address does not exist; `suppressed`: it was never to be sent; `failed`: refused for good; `dead`: tried too often.
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    DEAD = "dead"


# What a person may send again, under the same Message-ID.
RESENDABLE = frozenset({Status.UNCERTAIN, Status.BOUNCED, Status.FAILED, Status.DEAD})


class Outcome(StrEnum):
    """What becomes of a delivery that was not taken. `retry`: tried again after a while, a few times; `throttled`: the
    other side wants to be left alone, so it is tried again and not counted; the others are the status it ends with.
    """

    RETRY = "retry"
    THROTTLED = "throttled"
    UNCERTAIN = "uncertain"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    FAILED = "failed"


@dataclass(frozen=True)
class Way:
    """One channel of one notification: sent from `at` on, with all else of the digest of `slot`; with a `code` never, which
    says why.
    """

    channel: Channel
    at: datetime
    slot: datetime | None = None
    code: str | None = None


@dataclass(frozen=True)
class Failure:
    """Why a delivery was not taken. `disconnected`: the connection is of no more use."""

    code: str
    outcome: Outcome = Outcome.RETRY
    disconnected: bool = False


# Handed over, and nobody knows whether it was taken.
UNKNOWN = Failure("outcome_unknown", Outcome.UNCERTAIN, disconnected=True)


def message_id(delivery_id: UUID, domain: str) -> str:
    """The Message-ID of a delivery: the same at each attempt, so that receivers can tell a repetition."""
    return f"<{delivery_id}@{domain}>"


def digest_id(member_id: UUID, channel: Channel, slot: datetime) -> UUID:
    """What rows that go out as one message share."""
    return uuid5(member_id, f"{channel} {slot.isoformat()}")


def wait_after(attempts: int) -> timedelta | None:
    """How long to wait after the failure of the `attempts`-th try; None: give up."""
    return _BACKOFF[attempts - 1] if attempts <= len(_BACKOFF) else None
