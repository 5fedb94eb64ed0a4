"""Pools that exist from birth."""

from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.pools import commands


def _ensure_default_pools(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.ensure_default_pools(session)
    return False


ENSURE_DEFAULT_POOLS = DueTask("ensure-default-pools", 300, _ensure_default_pools)
