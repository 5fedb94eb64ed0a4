"""Schema migrations: each library and service ships its own Alembic branch; `migrate` brings all to their heads."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

CHASSIS_MIGRATIONS = "chassis.database.migrations"


def script_directory(packages: Sequence[str]) -> ScriptDirectory:
    """The revisions found in the folders of `packages` (dotted names), chassis first."""
    folders = [str(Path(str(files(package)))) for package in (CHASSIS_MIGRATIONS, *packages)]
    config = Config()
    config.set_main_option("script_location", folders[0])
    config.set_main_option("version_locations", "\n".join(folders))
    config.set_main_option("path_separator", "newline")
    return ScriptDirectory.from_config(config)


def migrate(engine: Engine, scripts: ScriptDirectory) -> None:
    """Bring the schema to every head. Safe to run twice and by several processes at once."""
    config = Config()
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(hashtextextended('migrate', 0))"))
        connection.execute(text("SET lock_timeout = '5s'"))
        connection.execute(text("SET statement_timeout = '15min'"))
        connection.commit()
        upgrade = scripts._upgrade_revs  # noqa: SLF001 - what `alembic upgrade` itself calls
        environment = EnvironmentContext(config, scripts, fn=lambda revision, _context: upgrade("heads", revision))
        environment.configure(connection=connection, transaction_per_migration=True)
        environment.run_migrations()
        connection.commit()
        connection.execute(text("SELECT pg_advisory_unlock(hashtextextended('migrate', 0))"))
        connection.commit()


def missing_revisions(connection: Connection, scripts: ScriptDirectory) -> set[str]:
    """Heads this release needs that the database does not have yet. Newer databases are fine."""
    present = set(MigrationContext.configure(connection).get_current_heads())
    return {head for head in scripts.get_heads() if head not in present and not _contains(scripts, present, head)}


def _contains(scripts: ScriptDirectory, present: set[str], head: str) -> bool:
    known = [revision for revision in present if _knows(scripts, revision)]
    return any(head in {item.revision for item in scripts.iterate_revisions(revision, "base")} for revision in known)


def _knows(scripts: ScriptDirectory, revision: str) -> bool:
    return any(item.revision == revision for item in scripts.walk_revisions())


def schema_differences(connection: Connection, metadatas: Sequence[MetaData]) -> list[object]:
    """What autogenerate would change: tests demand none, so that models and migrations never drift."""
    from alembic.autogenerate import compare_metadata

    context = MigrationContext.configure(
        connection, opts={"target_metadata": list(metadatas), "compare_type": True, "compare_server_default": False}
    )
    return list(compare_metadata(context, list(metadatas)))  # type: ignore[arg-type]
