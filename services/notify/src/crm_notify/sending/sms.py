"""Sending by SMS what the ledger holds for customers: a task of every worker, each second (J-15, J-16, J-17)."""

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

import httpx
from prometheus_client import Counter
from sqlalchemy.orm import Session

from chassis.due import DueTask
from chassis.logs import get_logger
from chassis.runtime import Runtime
from crm_notify.deliveries.leasing import Message, begin, give_back, settle, take
from crm_notify.deliveries.rules import Channel, Failure, Outcome
from crm_notify.mailings.letters import Draft, drafts
from crm_notify.settings import Settings
from crm_notify.sms.clients import connected, send
from crm_notify.sms.rules import SmsProvider, unsendable
from crm_notify.suppressions.commands import suppress
from crm_notify.suppressions.queries import reasons_of
from crm_notify.suppressions.rules import Reason, why_not

BATCH = 50
_CANCELLED = Failure("cancelled", Outcome.SUPPRESSED)
_REASONS = {"address_unsubscribed": Reason.UNSUBSCRIBED, "sms_number_refused": Reason.BOUNCED}
# After these the rest would fare no better now.
_ALL_ALIKE = (Outcome.RETRY, Outcome.THROTTLED)
_outcomes = Counter("crm_sms_attempts_total", "SMS tried (work; sum)", ["outcome"])
_outcomes.labels("sent")
log = get_logger(__name__)


def send_sms(runtime: Runtime) -> bool:
    """Send up to 50 due SMS. Returns True when more may be waiting."""
    provider = cast("Settings", runtime.settings).sms_provider()
    if provider is None:
        return False
    with runtime.database.transaction() as session:
        taken = take(session, Channel.SMS, BATCH)
    if not taken:
        return False
    found = drafts(runtime, [message[0].recipient_id for message in taken if message[0].recipient_id])
    sendable = _sendable(runtime, taken, found)
    with connected(provider) as client:
        _send_all(runtime, client, provider, sendable)
    return len(taken) == BATCH


def _sendable(runtime: Runtime, taken: Sequence[Message], found: Mapping[UUID, Draft]) -> list[tuple[Message, Draft]]:
    """What can be sent; the others are settled here and now."""
    with runtime.database.reading() as session:
        reasons = reasons_of(session, Channel.SMS, {draft.address for draft in found.values()})
    sendable = []
    for message in taken:
        draft = found.get(message[0].recipient_id) if message[0].recipient_id else None
        failure = _CANCELLED if draft is None else unsendable(draft.address, draft.wording.text)
        if draft and (code := why_not(reasons.get(draft.address, ()), mailing=True)):
            failure = Failure(code, Outcome.SUPPRESSED)
        if draft and failure is None:
            sendable.append((message, draft))
        else:
            _settle(runtime, message, failure)
    return sendable


def _send_all(
    runtime: Runtime, client: httpx.Client, provider: SmsProvider, sendable: Sequence[tuple[Message, Draft]]
) -> None:
    for place, (message, draft) in enumerate(sendable):
        if runtime.draining.is_set():
            with runtime.database.transaction() as session:
                give_back(session, [one for rest, _ in sendable[place:] for one in rest])
            return
        with runtime.database.transaction() as session:
            begun = begin(session, message)
        if not begun:
            continue
        failure = send(client, provider, draft.address, draft.wording.text)
        _settle(runtime, begun, failure, draft.address)
        if failure and failure.outcome in _ALL_ALIKE:
            for rest, _ in sendable[place + 1 :]:
                _settle(runtime, rest, failure)
            return


def _settle(runtime: Runtime, message: Message, failure: Failure | None, address: str = "") -> None:
    """Record how it ended; a number that the provider knows to be of no use is suppressed."""
    with runtime.database.transaction() as session:
        settle(session, message, failure)
        _remember(session, failure, address)
    _outcomes.labels(failure.code if failure else "sent").inc()
    if failure is not None:
        log.warning("sms_not_taken", deliveries=[str(one.id) for one in message], code=failure.code)


def _remember(session: Session, failure: Failure | None, address: str) -> None:
    if address and failure and failure.code in _REASONS:
        suppress(session, Channel.SMS, address, _REASONS[failure.code])


SEND_SMS = DueTask("send-sms", 1, send_sms)
