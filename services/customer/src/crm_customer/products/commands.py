"""What administrators do to products. Each function runs in the transaction its edge has opened."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import lock
from chassis.errors import Conflict
from chassis.identifiers import new_id
from crm_customer.products.model import Product
from crm_customer.products.queries import product
from crm_customer.versions import record_act, stale

SUBJECT = "product"


def create_product(session: Session, actor_id: UUID, values: Mapping[str, Any], now: datetime) -> Product:
    """A new product. Raises Conflict product_code_taken."""
    made = Product(**_clean(values), id=new_id(), version=1, created_at=now, updated_at=now)
    _require_free_code(session, made)
    session.add(made)
    session.flush()
    record_act(session, SUBJECT, "created", made, actor_id, None, made.values())
    return made


def change_product(
    session: Session, actor_id: UUID, product_id: UUID, expected: int, values: Mapping[str, Any], now: datetime
) -> Product:
    """Change a product; orders stay as they are. Raises NotFound, Stale, Conflict product_code_taken."""
    wanted = _clean(values)
    found = _found(session, product_id, expected, wanted)
    before = found.change(wanted, now)
    if before:
        with session.no_autoflush:
            _require_free_code(session, found)
        session.flush()
        record_act(session, SUBJECT, "changed", found, actor_id, before, {name: wanted[name] for name in before})
    return found


def delete_product(session: Session, actor_id: UUID, product_id: UUID, expected: int, now: datetime) -> None:
    """Delete a product: lines of orders keep its name and price. Raises NotFound, Stale."""
    found = _found(session, product_id, expected, {})
    found.deleted_at = now
    found.touch(now)
    record_act(session, SUBJECT, "deleted", found, actor_id, found.values(), None)


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value or None if name in ("code", "unit") else value for name, value in values.items()}


def _found(session: Session, product_id: UUID, expected: int, wanted: Mapping[str, Any]) -> Product:
    found = product(session, product_id, lock=True)
    if found.version != expected:
        raise stale(found, wanted)
    return found


def _require_free_code(session: Session, of: Product) -> None:
    if of.code is None:
        return
    lock(session, "product-codes")
    others = select(Product.id).where(Product.code == of.code, Product.id != of.id, Product.deleted_at.is_(None))
    if session.scalar(others) is not None:
        raise Conflict("product_code_taken", value=of.code)
