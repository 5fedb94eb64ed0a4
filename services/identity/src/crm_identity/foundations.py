"""What every organisation has from its first moment: settings, a root department, built-in roles, a signing key."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis import clock
from chassis.due import DueTask
from chassis.identifiers import new_id
from chassis.runtime import Runtime
from crm_identity.keys.commands import ensure_first_key
from crm_identity.organisation import commands, queries
from crm_identity.organisation.model import ORGANISATION_ID, Department, Organisation, Role
from crm_identity.settings import settings_of
from directory.permissions import BUILT_IN_ROLES
from directory.scope import DEFAULT_ZONE, DataScope

ROOT_NAME = "公司总部"


def ensure_foundations(session: Session, sealing_key: bytes, at: datetime) -> None:
    """Create what is missing, change nothing that is there. Safe at any time, in any number of processes."""
    commands.lock_organisation(session)
    if session.get(Organisation, ORGANISATION_ID) is None:
        values = {"name": ROOT_NAME, "zone": DEFAULT_ZONE}
        commands.add(session, "created", None, Organisation(id=ORGANISATION_ID, **values), values)
    if queries.root(session) is None:
        commands.add(session, "created", None, Department(id=new_id(), name=ROOT_NAME), {"name": ROOT_NAME})
    present = set(session.scalars(select(Role.key)))
    for role in BUILT_IN_ROLES:
        if role.key not in present:
            scope = DataScope(role.data_scope).name.lower()
            grants: dict[str, Any] = {"name": role.words.zh, "permissions": role.permissions, "data_scope": scope}
            commands.create_role(session, None, grants, key=role.key)
    ensure_first_key(session, sealing_key, at)


def _ensure(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        ensure_foundations(session, settings_of(runtime).sealing_key, clock.now())
    return False


# Runs as soon as a worker starts; later runs find everything there.
ENSURE_FOUNDATIONS = DueTask("ensure-foundations", 3600, _ensure)
