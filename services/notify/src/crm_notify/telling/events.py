"""Facts of other services that members are told of."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import cast

from google.protobuf.message import Message
from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from chassis.runtime import Runtime
from crm_notify.notifications.rules import Notice
from crm_notify.settings import Settings
from crm_notify.telling.commands import tell

# The notices of one fact; they read what they need of the directory.
Notices = Callable[[Session, Event], Iterable[Notice]]


def mail_domain(runtime: Runtime) -> str | None:
    """The domain of the sender of e-mails, None while e-mail is off."""
    channel = cast("Settings", runtime.settings).mail_channel()
    return channel.domain if channel else None


def told(
    durable: str,
    stream: str,
    messages: tuple[type[Message], ...],
    notices: Notices,
    *,
    concerns: Callable[[Message], bool] = lambda _: True,
    beside: Callable[[Session, Sequence[Event]], None] = lambda _session, _events: None,
) -> Subscription:
    """The durable that tells members what `notices` makes of each fact, as of the moment when it happened.

    `beside` is what else becomes of a set of facts.
    """

    def apply(session: Session, events: Sequence[Event], *, domain: str | None) -> None:
        tell(session, [notice for event in events for notice in _of(session, event, notices)], domain)
        beside(session, events)

    def bind(runtime: Runtime) -> partial[None]:
        return partial(apply, domain=mail_domain(runtime))

    return Subscription(durable, stream, messages, partial(apply, domain=None), concerns=concerns, bind=bind)


def _of(session: Session, event: Event, notices: Notices) -> Iterable[Notice]:
    occurred_at = datetime.fromisoformat(event.occurred_at)
    return [replace(notice, occurred_at=occurred_at) for notice in notices(session, event)]
