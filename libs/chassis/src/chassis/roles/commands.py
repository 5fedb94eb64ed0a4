"""One-shot commands: migrate, rebuild, dead-letters, raise-epoch."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy.exc import OperationalError

from chassis.database import Database
from chassis.database.epochs import others_connected, raise_epoch
from chassis.database.migration import migrate
from chassis.errors import Unavailable
from chassis.events.dead_letters import DeadLetter, list_dead_letters, replay
from chassis.roles.work import Connection
from chassis.runtime import Runtime
from chassis.service import Service

_DATABASE_WAIT_SECONDS = 60


def migrate_command(service: Service, runtime: Runtime, _rest: Sequence[str]) -> int:
    """Bring the schema to what this release needs; waits for the database, safe twice and side by side.

    Returns the exit status of the first step after it that failed.
    """
    until = time.monotonic() + _DATABASE_WAIT_SECONDS
    while True:
        try:
            migrate(runtime.database.engine, service.scripts())
            break
        except OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
    return next((status for step in service.after_migrate if (status := step(runtime, ()))), 0)


def rebuild(service: Service, runtime: Runtime, rest: Sequence[str]) -> int:
    """`rebuild [<projection>] [--check]`: fill one or all from their owners, or count the rows that differ."""
    parser = argparse.ArgumentParser(prog=f"python -m crm_{service.name} rebuild")
    names = [projection.name for projection in service.projections]
    parser.add_argument("projection", nargs="?", choices=names, help="default: all, in this order")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when rows differ")
    chosen = parser.parse_args(rest)
    drift = 0
    for projection in service.projections:
        if chosen.projection not in (None, projection.name):
            continue
        if chosen.check:
            differing = projection.check(runtime)
            drift += differing
            print(f"{projection.name}: {differing} rows differ")
        else:
            print(f"{projection.name}: {projection.rebuild(runtime)} rows")
    return 1 if drift else 0


def raise_epoch_command(service: Service, runtime: Runtime, rest: Sequence[str]) -> int:
    """`raise-epoch <database>`: make what a restored database says win over all that was said before (design §5).

    Refused while the service is connected to it, since a process may be about to write a version it read before. Doing
    it twice harms nothing.
    """
    parser = argparse.ArgumentParser(prog=f"python -m crm_{service.name} raise-epoch")
    parser.add_argument("database", help="name of the restored database, on the server of DATABASE_URL")
    name = parser.parse_args(rest).database
    database = Database(urlsplit(runtime.settings.database_url)._replace(path=f"/{name}").geturl(), 1)
    try:
        with database.transaction() as session:
            others = others_connected(session)
            raised = {} if others else raise_epoch(session, service.versions)
    except Unavailable as error:
        print(error.__cause__, file=sys.stderr)
        return 1
    finally:
        database.close()
    if others:
        print(f"{name}: {others} connections of {service.name}'s processes; end these first", file=sys.stderr)
        return 1
    for column, (rows, epoch) in raised.items():
        print(f"{column}: {rows} rows, now up to epoch {epoch}")
    return 0


def dead_letters(service: Service, runtime: Runtime, rest: Sequence[str]) -> int:
    """`dead-letters list` or `dead-letters replay [--sequence N]`."""
    parser = argparse.ArgumentParser(prog=f"python -m crm_{service.name} dead-letters")
    parser.add_argument("action", choices=["list", "replay"])
    parser.add_argument("--sequence", type=int, help="only this one")
    chosen = parser.parse_args(rest)
    return asyncio.run(_dead_letters(service, runtime, chosen.action, chosen.sequence))


async def _dead_letters(service: Service, runtime: Runtime, action: str, sequence: int | None) -> int:
    connection = Connection(runtime.settings.nats_url)
    await connection.open()
    js, failed = connection.jetstream(), 0
    try:
        for subscription in service.subscriptions:
            for letter in await list_dead_letters(js, subscription.durable):
                if sequence not in (None, letter.sequence):
                    continue
                print(_line(letter))
                if action == "replay":
                    try:
                        await replay(js, runtime.database, subscription.bound(runtime), letter)
                        print("  replayed")
                    except Exception as error:
                        failed += 1
                        print(f"  still fails: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        await connection.close()
    return 1 if failed else 0


def _line(letter: DeadLetter) -> str:
    when = letter.headers.get("ce-time", "")
    return (
        f"{letter.sequence} {letter.durable} {letter.subject} {when} {letter.headers.get('ce-id', '')} {letter.reason}"
    )
