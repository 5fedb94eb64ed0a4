"""Reading products: everybody sees them all."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.customers.sight import Condition, one_of
from crm_customer.products.model import Product
from crm_customer.products.views import ProductQuery

_ALIVE = Product.deleted_at.is_(None)


def products_matching(session: Session, query: ProductQuery) -> tuple[Sequence[Product], int]:
    """One page of products by name, and how many there are."""
    wanted: list[Condition] = [_ALIVE]
    if query.search:
        places = (Product.name, Product.code)
        wanted.append(or_(*(place.icontains(query.search, autoescape=True) for place in places)))
    if query.active is not None:
        wanted.append(Product.active.is_(query.active))
    found = select(Product).where(*wanted).order_by(Product.name, Product.id)
    page = found.offset((query.page - 1) * query.page_size).limit(query.page_size)
    total = session.scalar(select(func.count()).select_from(Product).where(*wanted)) or 0
    return session.scalars(page).all(), total


def product(session: Session, product_id: UUID, *, lock: bool = False) -> Product:
    """The product; `lock` it for a change. Raises NotFound."""
    found = select(Product).where(Product.id == product_id, _ALIVE).execution_options(populate_existing=True)
    one = session.scalar(found.with_for_update(key_share=True) if lock else found)
    if one is None:
        raise NotFound("not_found")
    return one


def products_named(session: Session, product_ids: Collection[UUID]) -> dict[UUID, Product]:
    """Those of the products that exist; deleted ones do not."""
    found = select(Product).where(one_of(Product.id, list(product_ids)), _ALIVE)
    return {one.id: one for one in session.scalars(found)}
