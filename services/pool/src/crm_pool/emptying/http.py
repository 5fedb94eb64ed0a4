"""REST of emptying a pool."""

from uuid import UUID

import flask

from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_pool.assignments.http import accepted, order_of, started
from crm_pool.assignments.views import OutcomeView
from crm_pool.emptying import commands
from crm_pool.emptying.views import PoolToFill

api = Api("emptying")


@api.route(
    "POST",
    "/pools/<uuid:pool_id>:move-customers",
    access=Access.MEMBER,
    summary="Move all customers of a pool to another pool",
    body=PoolToFill,
    reply=OutcomeView,
    status=202,
    idempotent=True,
)
def move_customers_of_pool(call: Call[PoolToFill, None], pool_id: UUID) -> flask.Response:
    """For who may assign, and for the pool's administrators. A worker does it, page by page."""
    target_id = call.body.pool_id
    return accepted(
        call.command(
            lambda session: started(call, commands.empty_pool(session, order_of(call, session), pool_id, target_id), {})
        )
    )
