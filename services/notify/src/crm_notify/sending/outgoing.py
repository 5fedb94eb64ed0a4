"""What of the messages that a worker took goes to which address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from uuid import UUID

from chassis import clock
from chassis.days import day_of
from chassis.runtime import Runtime
from crm_notify.deliveries.leasing import Message
from crm_notify.deliveries.rules import Channel, Failure, Outcome
from crm_notify.mail.rules import MailChannel
from crm_notify.mailings import letters as mailings
from crm_notify.sending import letters
from crm_notify.sending.queries import receivers
from crm_notify.suppressions.queries import reasons_of
from crm_notify.suppressions.rules import why_not
from directory.scope import zone_of

_NO_ADDRESS = Failure("mail_no_address", Outcome.FAILED)
_CANCELLED = Failure("cancelled", Outcome.SUPPRESSED)


@dataclass(frozen=True)
class Letter:
    """A message to an address. `write` makes its mail, which may be large: only when its turn has come. It raises ValueError
    for an address that cannot be one, and what its attachments' store raises.
    """

    message: Message
    address: str
    write: Callable[[], EmailMessage]


@dataclass(frozen=True)
class Ended:
    """How the handing over of a message ended; None: it was taken."""

    message: Message
    address: str
    failure: Failure | None


def outgoing(runtime: Runtime, channel: MailChannel, messages: Sequence[Message]) -> tuple[list[Letter], list[Ended]]:
    """The letters, in the order of the messages, and what is not to be sent, with why."""
    made = {**_to_members(runtime, channel, messages), **_of_mailings(runtime, channel, messages)}
    with runtime.database.reading() as session:
        reasons = reasons_of(session, Channel.EMAIL, {letter.address for letter in made.values()})
    found: list[Letter] = []
    ended: list[Ended] = []
    for message in messages:
        letter, of_mailing = made.get(message[0].id), message[0].recipient_id is not None
        if letter is None:
            ended.append(Ended(message, "", _CANCELLED if of_mailing else _NO_ADDRESS))
        elif code := why_not(reasons.get(letter.address, ()), mailing=of_mailing):
            ended.append(Ended(message, "", Failure(code, Outcome.SUPPRESSED)))
        else:
            found.append(letter)
    return found, ended


def _to_members(runtime: Runtime, channel: MailChannel, messages: Sequence[Message]) -> Mapping[UUID, Letter]:
    wanted = [message for message in messages if message[0].recipient_id is None]
    with runtime.database.reading() as session:
        found, day = receivers(session, wanted), day_of(clock.now(), zone_of(session))
    return {
        message[0].id: Letter(message, one.address, partial(letters.compose, channel, message[0].message_id, one, day))
        for message in wanted
        if (one := found.get(message[0].id)) and one.address
    }


def _of_mailings(runtime: Runtime, channel: MailChannel, messages: Sequence[Message]) -> Mapping[UUID, Letter]:
    by_recipient = {message[0].recipient_id: message for message in messages if message[0].recipient_id}
    if not by_recipient:
        return {}
    found = mailings.drafts(runtime, list(by_recipient))
    return {
        by_recipient[id_][0].id: Letter(
            by_recipient[id_],
            draft.address,
            partial(mailings.compose, channel, by_recipient[id_][0].message_id, draft),
        )
        for id_, draft in found.items()
    }
