"""Migrations in several containers at once, and again."""

import pytest
from sqlalchemy import text

import chassis.database.tables
from chassis.database import Database
from chassis.database.migration import schema_differences
from chassis.service import Service
from crm_customer.service import SERVICE as CUSTOMER
from crm_identity.service import SERVICE as IDENTITY
from tests.support.containers.system import ContainerSystem, together

pytestmark = pytest.mark.system
AT_ONCE = 3


@pytest.mark.parametrize("service", [CUSTOMER, IDENTITY], ids=lambda service: service.name)
def test_migrations_at_once_and_again_make_one_schema(containers: ContainerSystem, service: Service) -> None:
    database = f"{service.name}_migrated"
    url = containers.empty_database(database, service.name)
    migrate = lambda: containers.migrate(service.name, DATABASE_URL=url)

    assert together(*[migrate] * AT_ONCE) == [0] * AT_ONCE
    revisions = _revisions(containers.database_url(database, service.name), service)
    assert revisions == sorted(service.scripts().get_heads())

    assert migrate() == 0
    assert _revisions(containers.database_url(database, service.name), service) == revisions


def _revisions(url: str, service: Service) -> list[str]:
    """The rows of Alembic's table, in a database whose tables are those of the models."""
    database = Database(url, 1)
    try:
        with database.engine.connect() as connection:
            metadatas = [chassis.database.tables.metadata, *service.metadatas]
            assert schema_differences(connection, metadatas) == []
            return sorted(connection.scalars(text("SELECT version_num FROM alembic_version")))
    finally:
        database.close()
