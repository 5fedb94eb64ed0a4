"""The tables' common base."""

from sqlalchemy.orm import DeclarativeBase

from chassis.database import new_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()
