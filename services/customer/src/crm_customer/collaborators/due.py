"""Ending collaborations whose time is over."""

from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.collaborators.commands import end_collaborations


def end(runtime: Runtime) -> bool:
    """End what is over, and what belongs to members who have left. True: more is left."""
    with runtime.database.transaction() as session:
        return end_collaborations(session)


END_COLLABORATIONS = DueTask("end-collaborations", 60, end)
