"""Reading extended columns."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, literal, select
from sqlalchemy.orm import Session

from crm_customer.profiles.model import CustomerProfile


def profiles_of(session: Session, customer_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """All columns of those customers that have any filled."""
    wanted = CustomerProfile.customer_id == any_(literal(list(customer_ids), ARRAY(Uuid)))
    found = session.scalars(select(CustomerProfile).where(wanted).execution_options(populate_existing=True))
    return {profile.customer_id: profile.values() for profile in found}
