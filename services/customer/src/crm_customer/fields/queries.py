"""Reading custom fields as a member sees them (decision 0019)."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_customer.fields.model import CustomField
from directory.permissions import Permission
from directory.scope import Scope


def custom_fields(session: Session, scope: Scope) -> Sequence[CustomField]:
    """The fields that are not deleted and that one of the member's roles sees, in the order in which they are shown."""
    found = session.scalars(
        select(CustomField).where(CustomField.deleted_at.is_(None)).order_by(CustomField.position, CustomField.key)
    )
    return [field for field in found if sees(scope, field)]


def sees(scope: Scope, field: CustomField) -> bool:
    """Whether the member sees the field: named to one of their roles or to none, or theirs to set up."""
    return (
        not field.role_ids
        or scope.may(Permission.CUSTOMER_CONFIGURE)
        or not set(scope.role_ids).isdisjoint(field.role_ids)
    )
