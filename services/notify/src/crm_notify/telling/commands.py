"""Telling members what happened, over the channels they want."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from chassis import clock
from crm_notify.deliveries.commands import queue
from crm_notify.deliveries.rules import Channel
from crm_notify.notifications.commands import notify
from crm_notify.notifications.queries import stand_ins
from crm_notify.notifications.rules import Notice
from crm_notify.preferences.queries import ORDINARY, Receiver, defaults_of, receivers, unavailable
from crm_notify.preferences.rules import Decision, decide
from crm_notify.telling.rules import merged
from directory.scope import zone_of


def tell(session: Session, notices: Sequence[Notice], mail_domain: str | None) -> None:
    """Store notices and what is to leave the app of each, with a number of statements that does not grow with theirs.

    `mail_domain` is that of the sender of e-mails, None while e-mail is off. For members who have left their managers
    hear, or nobody, as the kind has it. An event told before is not told again.
    """
    heard = merged(notices, stand_ins(session, {notice.member_id for notice in notices}))
    if not heard:
        return
    now = clock.now()
    decided = _decisions(session, heard, mail_domain, now)
    shown = [(notice, decision.in_app) for notice, decision in zip(heard, decided, strict=True)]
    new = notify(session, shown, now)
    ways = [(id_, heard[place].member_id, way) for id_, place in new.items() for way in decided[place].ways]
    queue(session, ways, mail_domain)


def _decisions(
    session: Session, notices: Sequence[Notice], mail_domain: str | None, now: datetime
) -> Sequence[Decision]:
    defaults, zone = defaults_of(session), ZoneInfo(zone_of(session))
    special = receivers(session, {notice.member_id for notice in notices})
    lacking = unavailable(session, mail=mail_domain is not None)
    without_address = {Channel.EMAIL: "mail_no_address"} | lacking
    ordinary: dict[tuple[str, object], Decision] = {}

    def decision(notice: Notice, receiver: Receiver) -> Decision:
        missing = lacking if receiver.has_address else without_address
        return decide(notice.kind, notice.wish, defaults, receiver.own, lacking=missing, now=now, zone=zone)

    def found(notice: Notice) -> Decision:
        receiver = special.get(notice.member_id)
        if receiver is not None:
            return decision(notice, receiver)
        # Those who chose nothing are told alike: of an announcement to thousands one decision is made.
        key = (notice.kind, notice.wish)
        if key not in ordinary:
            ordinary[key] = decision(notice, ORDINARY)
        return ordinary[key]

    return [found(notice) for notice in notices]
