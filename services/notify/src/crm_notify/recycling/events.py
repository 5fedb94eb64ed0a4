"""What notify reads of pool's recycling: durable `notify-recycling`."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Apply, Event, Subscription
from chassis.runtime import Runtime
from crm.pool.v1 import pool_events_pb2 as pb
from crm_notify.mail.rules import MailChannel
from crm_notify.notifications.rules import Notice
from crm_notify.recycling import rules
from crm_notify.settings import Settings
from crm_notify.telling.commands import tell, tell_active


def apply_recycling(session: Session, events: Sequence[Event], *, channel: MailChannel | None) -> None:
    """Tell owners, and whoever can decide or confirm. For an owner who has left the manager hears; of several who can
    decide, those who are still there.
    """
    tell(session, [notice for event in events for notice in _for_owners(event)], channel)
    tell_active(session, [notice for event in events for notice in _for_deciders(event)], channel)


def _for_owners(event: Event) -> Iterable[Notice]:
    if isinstance(event.message, pb.ExpiryDigest):
        return [rules.notice_of_expiry(event.id, event.message)]
    if isinstance(event.message, pb.ExtensionDecided):
        return [rules.notice_of_decision(event.id, event.message)]
    if isinstance(event.message, pb.RecycleRuleAnnounced):
        return rules.notices_of_rule(event.id, event.message)
    return []


def _for_deciders(event: Event) -> Iterable[Notice]:
    if isinstance(event.message, pb.ExtensionRequested):
        return rules.notices_of_request(event.id, event.message)
    if isinstance(event.message, pb.RecyclingHeld):
        return rules.notices_of_held_run(event.id, event.message)
    return []


def _bound(runtime: Runtime) -> Apply:
    return partial(apply_recycling, channel=cast("Settings", runtime.settings).mail_channel())


RECYCLING = Subscription(
    "notify-recycling",
    "CRM_POOL",
    (pb.ExpiryDigest, pb.ExtensionRequested, pb.ExtensionDecided, pb.RecyclingHeld, pb.RecycleRuleAnnounced),
    partial(apply_recycling, channel=None),
    bind=_bound,
)
