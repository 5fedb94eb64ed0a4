"""Absences by time."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_identity.absences.commands import advance_absences

_AT_ONCE = 500


def _advance(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return advance_absences(session, clock.now(), _AT_ONCE) == _AT_ONCE


# Everybody reads an absence's end in it: late is only what is told of the one after.
ADVANCE_ABSENCES = DueTask("advance-absences", 30, _advance)
