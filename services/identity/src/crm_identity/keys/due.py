"""Signing keys by time."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_identity.keys import commands


def _advance(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.advance(session, clock.now())
    return False


ADVANCE_KEYS = DueTask("advance-signing-keys", 10, _advance)
