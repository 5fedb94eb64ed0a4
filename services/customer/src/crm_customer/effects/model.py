"""What changes of place did to other records, for their undo."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class AssignmentEffect(Base):
    """What one version of an assignment changed on a record around the customer, so that its undo restores just that.

    `record`: contact, opportunity, order, collaborator, star, lock. `before` and `after`: what was there and what then was; None: nothing.
    """

    __tablename__ = "assignment_effects"

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    record: Mapped[str] = mapped_column(Text, primary_key=True)
    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
