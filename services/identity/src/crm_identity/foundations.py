"""What every organisation has from its first moment: settings, a root department, built-in roles, a signing key."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis import clock
from chassis.due import DueTask
from chassis.identifiers import new_id
from chassis.runtime import Runtime
from crm_identity.calendar.commands import ship
from crm_identity.calendar.rules import shipped
from crm_identity.keys.commands import ensure_first_key
from crm_identity.organisation import commands, queries
from crm_identity.organisation.model import ORGANISATION_ID, Department, Organisation, Role
from crm_identity.settings import settings_of
from directory.permissions import BUILT_IN_ROLES, Permission
from directory.scope import DEFAULT_ZONE, DataScope

ROOT_NAME = "公司总部"
_PERMISSIONS = tuple(sorted(permission.value for permission in Permission))


def ensure_foundations(session: Session, sealing_key: bytes, at: datetime) -> None:
    """Create what is missing, and give built-in roles and the calendar what is new in this release; change nothing else
    that is there.

    Safe at any time, in any number of processes.
    """
    commands.lock_organisation(session)
    organisation = session.get(Organisation, ORGANISATION_ID)
    if organisation is None:
        values = {"name": ROOT_NAME, "zone": DEFAULT_ZONE}
        given = {"known_permissions": list(_PERMISSIONS), "calendar": shipped()}
        organisation = Organisation(id=ORGANISATION_ID, **given, **values)
        commands.add(session, "created", None, organisation, values)
    if queries.root(session) is None:
        commands.add(session, "created", None, Department(id=new_id(), name=ROOT_NAME), {"name": ROOT_NAME})
    present = set(session.scalars(select(Role.key)))
    for role in BUILT_IN_ROLES:
        if role.key not in present:
            scope = DataScope(role.data_scope).name.lower()
            grants: dict[str, Any] = {"name": role.words.zh, "permissions": role.permissions, "data_scope": scope}
            commands.create_role(session, None, grants, key=role.key)
    _grant_what_is_new(session, organisation)
    ship(session, organisation)
    ensure_first_key(session, sealing_key, at)


def _grant_what_is_new(session: Session, organisation: Organisation) -> None:
    """Permissions that this release brings go to the built-in roles that have them by default, once (Q-05).

    What administrators take away later stays away.
    """
    new = set(_PERMISSIONS) - set(organisation.known_permissions)
    if not new:
        return
    for built_in in BUILT_IN_ROLES:
        role = session.scalars(select(Role).where(Role.key == built_in.key).with_for_update()).one()
        changes = role.take_over({"permissions": sorted({*role.permissions, *(new & built_in.permissions)})})
        if any(changes):
            commands.record(session, "changed", None, role, changes)
    organisation.known_permissions = sorted({*organisation.known_permissions, *new})


def _ensure(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        ensure_foundations(session, settings_of(runtime).sealing_key, clock.now())
    return False


# Runs as soon as a worker starts; later runs find everything there.
ENSURE_FOUNDATIONS = DueTask("ensure-foundations", 3600, _ensure)
