"""The declarative base of this service's tables."""

from sqlalchemy.orm import DeclarativeBase

from chassis.database import new_metadata


class Base(DeclarativeBase):
    """Base of the mapped classes."""

    metadata = new_metadata()
