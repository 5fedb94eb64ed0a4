"""What happens to pools when departments are merged, or departments and roles deleted."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.identity.v1.identity_events_pb2 import DepartmentDeleted, RoleDeleted
from crm_pool.pools import commands


def _follow_departments(session: Session, events: Sequence[Event]) -> None:
    for event in events:
        gone = cast("DepartmentDeleted", event.message).departments
        merged_into = {UUID(one.id): UUID(one.merged_into) if one.merged_into else None for one in gone}
        commands.follow_departments(session, merged_into)


def _drop_roles(session: Session, events: Sequence[Event]) -> None:
    gone = {UUID(role.id) for event in events for role in cast("RoleDeleted", event.message).roles}
    commands.remove_roles(session, gone)


DEPARTMENTS = Subscription("pool-departments", "CRM_IDENTITY", (DepartmentDeleted,), _follow_departments)
ROLES = Subscription("pool-roles", "CRM_IDENTITY", (RoleDeleted,), _drop_roles)
