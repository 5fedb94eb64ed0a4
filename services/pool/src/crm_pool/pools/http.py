"""REST of pools."""

from uuid import UUID

from chassis.errors import NotFound
from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_pool.pools import commands, queries
from crm_pool.pools.views import NewPool, PoolChange, PoolView, SettingsChange, SettingsView
from directory.permissions import Permission
from directory.scope import resolve_scope

api = Api("pools")


@api.route(
    "GET",
    "/pools",
    access=Permission.CUSTOMER_READ,
    summary="Pools that the caller sees",
    query=PageQuery,
    reply=Page[PoolView],
)
def list_pools(call: Call[None, PageQuery]) -> Page[PoolView]:
    """The default pools first, then by name; nobody sees a to-be-assigned pool without the right (C-10)."""
    with call.runtime.database.transaction() as session:
        commands.ensure_default_pools(session)
        pools = [*queries.visible_pools(session, resolve_scope(session, call.actor.id)).values()]
    start = (call.query.page - 1) * call.query.page_size
    items = [PoolView.model_validate(pool) for pool in pools[start : start + call.query.page_size]]
    return Page[PoolView](items=items, page=call.query.page, page_size=call.query.page_size, total=len(pools))


@api.route(
    "POST",
    "/pools",
    access=Permission.POOL_MANAGE,
    summary="Create a pool",
    body=NewPool,
    reply=PoolView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_pool(call: Call[NewPool, None]) -> PoolView:
    values = call.body.model_dump()
    return call.command(lambda session: PoolView.model_validate(commands.create_pool(session, call.actor.id, values)))


@api.route(
    "GET",
    "/pools/<uuid:pool_id>",
    access=Permission.CUSTOMER_READ,
    summary="Read a pool",
    reply=PoolView,
    versioned=True,
)
def read_pool(call: Call[None, None], pool_id: UUID) -> PoolView:
    with call.runtime.database.reading() as session:
        pool = queries.visible_pools(session, resolve_scope(session, call.actor.id)).get(pool_id)
        if pool is None:
            raise NotFound("not_found")
        return PoolView.model_validate(pool)


@api.route(
    "PATCH",
    "/pools/<uuid:pool_id>",
    access=Permission.POOL_MANAGE,
    summary="Change a pool",
    body=PoolChange,
    reply=PoolView,
    versioned=True,
)
def change_pool(call: Call[PoolChange, None], pool_id: UUID) -> PoolView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return PoolView.model_validate(commands.change_pool(session, call.actor.id, pool_id, expected, values))


@api.route("DELETE", "/pools/<uuid:pool_id>", access=Permission.POOL_MANAGE, summary="Delete an empty pool", status=204)
def delete_pool(call: Call[None, None], pool_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_pool(session, call.actor.id, pool_id, expected)


@api.route(
    "GET",
    "/pools/settings",
    access=Permission.POOL_MANAGE,
    summary="What holds for the whole organisation",
    reply=SettingsView,
    versioned=True,
)
def read_settings(call: Call[None, None]) -> SettingsView:
    with call.runtime.database.reading() as session:
        return SettingsView.model_validate(commands.settings_of(session))


@api.route(
    "PATCH",
    "/pools/settings",
    access=Permission.POOL_MANAGE,
    summary="Change what holds for the whole organisation",
    body=SettingsChange,
    reply=SettingsView,
    versioned=True,
)
def change_settings(call: Call[SettingsChange, None]) -> SettingsView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return SettingsView.model_validate(commands.change_settings(session, call.actor.id, expected, values))
