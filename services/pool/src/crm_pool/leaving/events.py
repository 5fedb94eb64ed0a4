"""Members who leave and come back: durable `pool-leavers`."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.events.consumer import Event, Subscription
from crm.identity.v1.identity_events_pb2 import MemberChanged, MemberDeactivated
from crm_pool.leaving import commands


def _apply(session: Session, events: Sequence[Event]) -> None:
    for event in events:
        members = cast("MemberChanged | MemberDeactivated", event.message).members
        if isinstance(event.message, MemberDeactivated):
            versions = {UUID(one.id): one.version for one in members}
            commands.see_off(session, versions, datetime.fromisoformat(event.occurred_at))
        elif here := {UUID(one.id): one.version for one in members if one.active}:
            commands.welcome_back(session, here, clock.now())


LEAVERS = Subscription("pool-leavers", "CRM_IDENTITY", (MemberDeactivated, MemberChanged), _apply)
