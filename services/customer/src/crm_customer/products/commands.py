"""What administrators do to products. Each function runs in the transaction its edge has opened."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, Stale
from chassis.identifiers import new_id
from crm_customer.products.model import Product
from crm_customer.products.queries import product

SUBJECT = "product"


def create_product(session: Session, actor_id: UUID, values: Mapping[str, Any], now: datetime) -> Product:
    """A new product. Raises Conflict product_code_taken."""
    made = Product(**_clean(values), id=new_id(), version=1, created_at=now, updated_at=now)
    _require_free_code(session, made)
    session.add(made)
    session.flush()
    _audit(session, "created", made, actor_id, None, made.values())
    return made


def change_product(
    session: Session, actor_id: UUID, product_id: UUID, expected: int, values: Mapping[str, Any], now: datetime
) -> Product:
    """Change a product; orders stay as they are. Raises NotFound, Stale, Conflict product_code_taken."""
    wanted = _clean(values)
    found = _found(session, product_id, expected, wanted)
    before = {name: value for name, value in found.values().items() if wanted.get(name, value) != value}
    if not before:
        return found
    found.change(wanted, now)
    with session.no_autoflush:
        _require_free_code(session, found)
    session.flush()
    _audit(session, "changed", found, actor_id, before, {name: wanted[name] for name in before})
    return found


def delete_product(session: Session, actor_id: UUID, product_id: UUID, expected: int, now: datetime) -> None:
    """Delete a product: lines of orders keep its name and price. Raises NotFound, Stale."""
    found = _found(session, product_id, expected, {})
    found.deleted_at = now
    found.change({}, now)
    _audit(session, "deleted", found, actor_id, found.values(), None)


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value or None if name in ("code", "unit") else value for name, value in values.items()}


def _found(session: Session, product_id: UUID, expected: int, wanted: Mapping[str, Any]) -> Product:
    found = product(session, product_id, lock=True)
    if found.version != expected:
        conflicts = [
            {"field": name, "current": getattr(found, name), "yours": value}
            for name, value in wanted.items()
            if getattr(found, name) != value
        ]
        raise Stale("stale_version", extra={"version": found.version, "conflicts": to_jsonable_python(conflicts)})
    return found


def _require_free_code(session: Session, of: Product) -> None:
    if of.code is None:
        return
    lock(session, "product-codes")
    others = select(Product.id).where(Product.code == of.code, Product.id != of.id, Product.deleted_at.is_(None))
    if session.scalar(others) is not None:
        raise Conflict("product_code_taken", value=of.code)


def _audit(
    session: Session,
    act: str,
    of: Product,
    actor_id: UUID,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    sides = (to_jsonable_python(values) for values in (before, after))
    record_audit(session, AuditEntry(f"{SUBJECT}.{act}", SUBJECT, of.id, actor_id, *sides))
