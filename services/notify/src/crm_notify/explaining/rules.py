"""What became of a notification on each channel, and samples of every kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from crm_notify.deliveries.rules import Status
from crm_notify.notifications.rules import Kind
from crm_notify.preferences.rules import Mode


class Outcome(StrEnum):
    """What became of it; `texts/{zh,en}.toml` hold the words of each."""

    SHOWN = "shown"
    READ = "read"
    SNOOZED = "snoozed"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"
    NOT_SHOWN = "not_shown"
    NOT_SHOWN_BECAUSE = "not_shown_because"
    OFF = "off"
    NOT_SENT = "not_sent"
    DUE = "due"
    WAITING = "waiting"
    DIGEST_WAITING = "digest_waiting"
    RETRYING = "retrying"
    SENDING = "sending"
    SENT = "sent"
    DIGEST_SENT = "digest_sent"
    UNCERTAIN = "uncertain"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    DEAD = "dead"


@dataclass(frozen=True)
class Sight:
    """The state of a notification in its inbox. `withheld`: the ledger says why it is not shown."""

    in_app: bool
    withheld: bool
    told_at: datetime
    read_at: datetime | None
    snoozed_until: datetime | None
    dismissed_at: datetime | None


@dataclass(frozen=True)
class Sending:
    """The state of a delivery. `failed_before`: it has been tried in vain."""

    status: Status
    digest: bool
    failed_before: bool
    attempts: int
    next_attempt_at: datetime
    sent_at: datetime | None


Found = tuple[Outcome, datetime | None]


def outcome_in_app(sight: Sight) -> Found:
    """What became of it in the app, and when."""
    if not sight.in_app:
        if sight.dismissed_at is not None:
            return Outcome.WITHDRAWN, sight.dismissed_at
        return Outcome.NOT_SHOWN_BECAUSE if sight.withheld else Outcome.NOT_SHOWN, None
    if sight.dismissed_at is not None:
        return Outcome.DISMISSED, sight.dismissed_at
    if sight.snoozed_until is not None:
        return Outcome.SNOOZED, sight.snoozed_until
    return (Outcome.READ, sight.read_at) if sight.read_at is not None else (Outcome.SHOWN, sight.told_at)


def outcome_of(sending: Sending, now: datetime) -> Found:
    """What became of a delivery, and when it was or will be."""
    if sending.status is Status.SENT:
        return Outcome.DIGEST_SENT if sending.digest else Outcome.SENT, sending.sent_at
    if sending.status is not Status.QUEUED:
        return Outcome(sending.status), None
    if sending.failed_before and sending.next_attempt_at > now:
        return Outcome.RETRYING, sending.next_attempt_at
    # While a worker has it, its next attempt is the end of the worker's lease.
    if sending.attempts or sending.next_attempt_at <= now:
        return Outcome.DUE, None
    return Outcome.DIGEST_WAITING if sending.digest else Outcome.WAITING, sending.next_attempt_at


def outcome_without_row(mode: Mode) -> Outcome:
    """What became of it on a channel that the ledger has no row of, where `mode` holds now."""
    return Outcome.OFF if mode is Mode.OFF else Outcome.NOT_SENT


def remarks_on_nothing(*, active: bool, heard_in_place: bool, has_manager: bool) -> Sequence[str]:
    """Why somebody may have been told nothing: names of words."""
    found = ["nothing_found", "own_act", "batch_once", "kept_180_days"]
    if active:
        return found
    if not heard_in_place:
        return [*found, "left_not_heard"]
    return [*found, "left_heard_by" if has_manager else "left_heard_by_nobody"]


def sample_parameters(kind: Kind, member_id: UUID, now: datetime, names: Mapping[str, str]) -> dict[str, Any]:
    """Parameters that fill the words of a kind, with names made up and `member_id` as whoever did it."""
    day = (now + timedelta(days=3)).date().isoformat()
    customers = [names["customer"], names["other_customer"]]
    line = {"owner_id": str(member_id), "expires_on": day, "days_left": 3, "count": 2, "customers": customers}
    due = [{"title": names["subject"], "customer": names["customer"], "days_left": 0}]
    counts = {
        "total": 10,
        "created": 4,
        "updated": 3,
        "skipped": 2,
        "failed": 1,
        "succeeded": 7,
        "undone": 8,
        "kept": 2,
        "sent": 7,
        "unsent": 1,
    }
    return {
        "sample": True,
        "actor_id": str(member_id),
        "left_member_ids": [str(member_id)] if kind is Kind.OWNER_LEFT else [],
        "count": 2,
        "customers": customers,
        "customer": names["customer"],
        "survivor": names["other_customer"],
        "import_kind": "customers",
        "file_name": names["file_name"],
        "pool": names["pool"],
        "subject": names["subject"],
        "title": names["title"],
        "note": names["note"],
        "text": names["note"],
        "excerpt": names["note"],
        "reason": names["note"],
        "cause": "update" if kind is Kind.CUSTOMER_BATCH_FINISHED else "assign",
        "reasons": ["owner_share"],
        "days": 7,
        "day": day,
        "expires_on": day,
        "effective_on": day,
        "hands_over_on": day,
        "expiring": [line],
        "more": 1,
        "due": [{"kind": "follow_up", "count": 2, "lines": due}],
        "reveals": 60,
        "minutes": 10,
        "rows": 10,
        **counts,
    }
