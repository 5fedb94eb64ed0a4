"""The pool service: everything it plugs into the chassis."""

import grpc

from batch.http import batch_api
from batch.tables import metadata as batch_metadata
from batch.work import batch_tasks
from chassis.events.streams import event_stream
from chassis.http.auditing import audit_api
from chassis.runtime import Runtime
from chassis.service import Service
from crm.pool.v1.pool_service_pb2_grpc import PoolServiceServicer, add_PoolServiceServicer_to_server
from crm_pool.assignments.due import SELECTIONS
from crm_pool.assignments.http import api as assignments_api
from crm_pool.assignments.model import AssignmentRow
from crm_pool.assignments.rpc import AssignmentMethods
from crm_pool.caps.http import api as caps_api
from crm_pool.caps.model import HoldingCap
from crm_pool.cascades.due import CASCADE
from crm_pool.database import Base
from crm_pool.emptying.http import api as emptying_api
from crm_pool.expiry.model import Extension, RecycleRule
from crm_pool.explanations.http import api as explanations_api
from crm_pool.extensions.http import api as extensions_api
from crm_pool.figures.due import MEASURE_POOLS
from crm_pool.figures.http import api as figures_api
from crm_pool.handover_cards.http import api as handover_cards_api
from crm_pool.history.http import api as history_api
from crm_pool.leaving.due import HAND_OVER, LIST_LEAVERS, SHARING
from crm_pool.leaving.events import LEAVERS
from crm_pool.leaving.http import api as leaving_api
from crm_pool.placement.due import FORGET_PLANS
from crm_pool.placement.events import CUSTOMER_PROJECTION, CUSTOMERS
from crm_pool.placement.rpc import PlacementMethods
from crm_pool.pools.due import ENSURE_DEFAULT_POOLS
from crm_pool.pools.events import DEPARTMENTS, ROLES
from crm_pool.pools.http import api as pools_api
from crm_pool.pools.model import Pool, PoolSettings
from crm_pool.pools.rpc import PoolMethods
from crm_pool.reasons.http import api as reasons_api
from crm_pool.reasons.model import ReleaseReason
from crm_pool.recycle_rules.due import APPLY_RULES, FORGET_SHADOWS
from crm_pool.recycle_rules.http import api as rules_api
from crm_pool.recycling.due import MEASURE_RECYCLING, RECYCLE
from crm_pool.recycling.http import api as runs_api
from crm_pool.rehearsals.due import FORGET_REHEARSALS, REHEARSE
from crm_pool.rehearsals.http import api as rehearsals_api
from crm_pool.releases.due import UNDO
from crm_pool.releases.http import api as releases_api
from crm_pool.reminders.due import FORGET_DIGESTS, REMIND
from crm_pool.settings import Settings
from crm_pool.shadows.due import WATCH_SHADOWS
from crm_pool.signals.http import api as signals_api
from directory.actors import DirectoryActors
from directory.events import directory_projection, directory_subscription
from directory.permissions import Permission
from directory.tables import metadata as directory_metadata


class _PoolServicer(PlacementMethods, AssignmentMethods, PoolMethods, PoolServiceServicer):
    """Who owns whom, for services: each feature answers its own methods."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime


def _register(server: grpc.Server, runtime: Runtime) -> None:
    add_PoolServiceServicer_to_server(_PoolServicer(runtime), server)


SERVICE = Service(
    name="pool",
    settings=Settings,
    actors=DirectoryActors(),
    apis=[
        pools_api,
        caps_api,
        emptying_api,
        reasons_api,
        assignments_api,
        explanations_api,
        leaving_api,
        releases_api,
        runs_api,
        history_api,
        figures_api,
        signals_api,
        extensions_api,
        handover_cards_api,
        rules_api,
        rehearsals_api,
        batch_api("/assignments", see_all=Permission.POOL_MANAGE),
        audit_api("pool"),
    ],
    migrations=["directory.migrations", "batch.migrations", "crm_pool.migrations"],
    metadatas=[Base.metadata, directory_metadata, batch_metadata],
    messages=["batch", "crm_pool"],
    versions=[
        AssignmentRow.version,
        Pool.version,
        PoolSettings.version,
        RecycleRule.version,
        Extension.version,
        HoldingCap.version,
        ReleaseReason.version,
    ],
    streams=[event_stream("pool")],
    subscriptions=[directory_subscription("pool"), CUSTOMERS, LEAVERS, DEPARTMENTS, ROLES],
    projections=[directory_projection(), CUSTOMER_PROJECTION],
    due=[
        ENSURE_DEFAULT_POOLS,
        FORGET_PLANS,
        LIST_LEAVERS,
        HAND_OVER,
        APPLY_RULES,
        MEASURE_POOLS,
        RECYCLE,
        CASCADE,
        MEASURE_RECYCLING,
        WATCH_SHADOWS,
        REMIND,
        FORGET_DIGESTS,
        FORGET_SHADOWS,
        REHEARSE,
        FORGET_REHEARSALS,
        *batch_tasks([*SELECTIONS, UNDO, SHARING]),
    ],
    register_rpc=[_register],
)
