"""Models and migrations agree."""

from chassis.database import tables
from chassis.database.migration import schema_differences
from crm_pool.service import SERVICE
from tests.support.services import Opener


def test_models_and_migrations_agree(services: Opener) -> None:
    with services.open(SERVICE) as opened, opened.database.engine.connect() as connection:
        assert schema_differences(connection, [tables.metadata, *SERVICE.metadatas]) == []
