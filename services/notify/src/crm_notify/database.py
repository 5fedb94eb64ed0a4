"""The declarative base of notify's tables."""

from sqlalchemy.orm import DeclarativeBase

from chassis.database import new_metadata


class Base(DeclarativeBase):
    """Base of every model of this service."""

    metadata = new_metadata()
