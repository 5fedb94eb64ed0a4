"""REST of products."""

from uuid import UUID

from chassis.clock import now
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_customer.products import commands, queries
from crm_customer.products.model import Product
from crm_customer.products.views import NewProduct, ProductChange, ProductQuery, ProductView
from directory.permissions import Permission

api = Api("products")
CONFIGURE = Permission.CUSTOMER_CONFIGURE


@api.route(
    "GET", "/products", access=Access.MEMBER, summary="List products", query=ProductQuery, reply=Page[ProductView]
)
def list_products(call: Call[None, ProductQuery]) -> Page[ProductView]:
    """What orders can name (关联商品, L-19), by name."""
    query = call.query
    with call.runtime.database.reading() as session:
        found, total = queries.products_matching(session, query)
    return Page(items=[_view(one) for one in found], page=query.page, page_size=query.page_size, total=total)


@api.route(
    "POST",
    "/products",
    access=CONFIGURE,
    summary="Create a product",
    body=NewProduct,
    reply=ProductView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_product(call: Call[NewProduct, None]) -> ProductView:
    """Its code, if it has one, is its own (L-19)."""
    values = call.body.model_dump()
    return call.command(lambda session: _view(commands.create_product(session, call.actor.id, values, now())))


@api.route(
    "GET",
    "/products/<uuid:product_id>",
    access=Access.MEMBER,
    summary="Read a product",
    reply=ProductView,
    versioned=True,
)
def read_product(call: Call[None, None], product_id: UUID) -> ProductView:
    """404 once it is deleted."""
    with call.runtime.database.reading() as session:
        return _view(queries.product(session, product_id))


@api.route(
    "PATCH",
    "/products/<uuid:product_id>",
    access=CONFIGURE,
    summary="Change a product",
    body=ProductChange,
    reply=ProductView,
    versioned=True,
)
def change_product(call: Call[ProductChange, None], product_id: UUID) -> ProductView:
    """Orders keep the name, unit and price of their time."""
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return _view(commands.change_product(session, call.actor.id, product_id, expected, values, now()))


@api.route(
    "DELETE",
    "/products/<uuid:product_id>",
    access=CONFIGURE,
    summary="Delete a product",
    status=204,
    versioned=True,
)
def delete_product(call: Call[None, None], product_id: UUID) -> None:
    """Orders keep what they say of it; its code is free again."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_product(session, call.actor.id, product_id, expected, now())


def _view(product: Product) -> ProductView:
    return ProductView.model_validate(product)
