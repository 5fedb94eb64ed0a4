"""Forgetting the calls of numbers that are no customer's."""

from datetime import timedelta
from typing import cast

from chassis.clock import now
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.calls.commands import forget_unknown_calls
from crm_customer.settings import Settings


def forget(runtime: Runtime) -> bool:
    """Delete those older than `unknown_caller_days`. True: more is left."""
    days = cast(Settings, runtime.settings).unknown_caller_days
    with runtime.database.transaction() as session:
        return forget_unknown_calls(session, now() - timedelta(days=days))


FORGET_CALLS = DueTask("forget-unknown-calls", 3600, forget)
