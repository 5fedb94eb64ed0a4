"""What notify reads of pool's recycling: durable `notify-recycling`."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.pool.v1 import pool_events_pb2 as pb
from crm_notify.notifications.rules import Notice
from crm_notify.recycling import rules
from crm_notify.telling.events import told


def _notices(_session: Session, event: Event) -> Iterable[Notice]:
    """For owners, and for whoever can decide or confirm."""
    match event.message:
        case pb.ExpiryDigest():
            return [rules.notice_of_expiry(event.id, event.message)]
        case pb.ExtensionRequested():
            return rules.notices_of_request(event.id, event.message)
        case pb.ExtensionDecided():
            return [rules.notice_of_decision(event.id, event.message)]
        case pb.RecyclingHeld():
            return rules.notices_of_held_run(event.id, event.message)
        case pb.RecycleRuleAnnounced():
            return rules.notices_of_rule(event.id, event.message)
    return []


RECYCLING = told(
    "notify-recycling",
    "CRM_POOL",
    (pb.ExpiryDigest, pb.ExtensionRequested, pb.ExtensionDecided, pb.RecyclingHeld, pb.RecycleRuleAnnounced),
    _notices,
)
