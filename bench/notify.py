"""An announcement to thousands beside COPY of the rows it writes, and e-mails beside a loop of aiosmtplib that writes and sends as many.

`python -m bench.notify [receivers] [mails]`, default 100,000 and 10,000. Goals (design §8): 0.3 × each. An announcement is
measured from its first step until it is told, once in the app alone and once with a row of the ledger for each receiver,
which a digest makes without anything being sent. E-mails go from the first to the last `sent`, the loop over one connection to
the same server, which throws them away.
"""

import asyncio
import io
import multiprocessing
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import aiosmtplib
import psycopg
from aiosmtpd.controller import Controller
from psycopg.types.json import Jsonb

from bench.running import whole_system
from chassis.identifiers import new_id
from highsea_local.demo.gateway import until
from highsea_local.ports import free_port
from tests.support.whole import Whole

RECEIVERS, MAILS = 100_000, 10_000
GOAL = 0.3
LOOK_SECONDS = 0.02
LONGEST_SECONDS = 3600

# Members like one of the demo organisation, whom notify alone knows.
_MEMBERS = """
    INSERT INTO directory_members
    SELECT (jsonb_populate_record(known, jsonb_build_object(
        'id', gen_random_uuid(), 'login', 'bench-' || n, 'email', 'bench-' || n || '@bench.test'))).*
    FROM generate_series(1, %s) AS n, directory_members AS known
    WHERE known.id = (SELECT id FROM directory_members WHERE active AND email <> '' LIMIT 1)
"""
_GROUP = """
    INSERT INTO directory_groups (id, version, name, member_ids, deleted)
    SELECT %s, 1, 'bench', array_agg(id), false FROM
        (SELECT id FROM directory_members WHERE login LIKE 'bench-%%' LIMIT %s) AS chosen
"""
_PREFER = """
    INSERT INTO preference_defaults (id, version, matrix, locked, digest_at) VALUES (1, 1, %(matrix)s, '{}', '09:00')
    ON CONFLICT (id) DO UPDATE SET matrix = %(matrix)s, version = preference_defaults.version + 1
"""
# The rows of an announcement once more, under ids in the same order.
_OTHER = "overlay({}::text PLACING 'f' FROM 1 FOR 1)::uuid"
_COPIES = (
    f"""CREATE TEMP TABLE copied_notifications ON COMMIT DROP AS SELECT * FROM notifications
    WHERE source_event_id = %(id)s;
    CREATE TEMP TABLE copied_deliveries ON COMMIT DROP AS SELECT deliveries.* FROM deliveries
    JOIN copied_notifications ON copied_notifications.id = notification_id;
    UPDATE copied_notifications SET id = {_OTHER.format("id")}, source_event_id = {_OTHER.format("source_event_id")};
    UPDATE copied_deliveries SET id = {_OTHER.format("id")}, notification_id = {_OTHER.format("notification_id")}"""
).split(";")
_TABLES = ("notifications", "deliveries")


def main() -> None:
    """Measure on a fresh system and print one line each."""
    numbers = list(map(int, sys.argv[1:]))
    receivers, mails = [*numbers, *(RECEIVERS, MAILS)[len(numbers) :]]
    with _sink() as url, whole_system({"notify": {"SMTP_URL": url}}) as whole:
        group_id = str(new_id())
        _change(whole, _MEMBERS, [receivers])
        _change(whole, _GROUP, [group_id, mails])
        _settle(whole)
        lines = [
            (f"announcement to {receivers}", *_announced(whole, {})),
            ("the same, by e-mail too, daily", *_announced(whole, {"email": "daily"})),
            (f"{mails} e-mails", *_mailed(whole, group_id, mails, url)),
        ]
    print(f"\n{'':<32}{'seconds':>10}{'beside':>10}{'ratio':>8}   goal {GOAL}")
    for name, seconds, beside in lines:
        print(f"{name:<32}{seconds:>10.2f}{beside:>10.2f}{beside / seconds:>8.2f}")


def _announced(whole: Whole, ways: Mapping[str, str]) -> tuple[float, float]:
    """Seconds of an announcement to everybody, and of COPY of the same rows."""
    _prefer(whole, ways)
    id_, told_at = _announce(whole, {"everybody": True})
    first = whole.rows("notify", "SELECT min(created_at) AS at FROM notifications WHERE source_event_id = %s", [id_])
    seconds = (told_at - first[0]["at"]).total_seconds()
    beside = _copy_of(whole, id_)
    _settle(whole)
    return seconds, beside


def _mailed(whole: Whole, group_id: str, mails: int, url: str) -> tuple[float, float]:
    """Seconds of e-mails to the members of a group, and of a loop that sends as many."""
    _prefer(whole, {"email": "now"})
    id_, _ = _announce(whole, {"group_ids": [group_id]})
    sent = (
        "SELECT count(*) AS mails, max(sent_at) - min(sent_at) AS time FROM deliveries JOIN notifications"
        " ON notifications.id = notification_id WHERE source_event_id = %s AND status = 'sent'"
    )
    found = until(lambda: (row := whole.rows("notify", sent, [id_])[0])["mails"] == mails and row, LONGEST_SECONDS)
    return found["time"].total_seconds(), asyncio.run(_loop(url, mails))


async def _loop(url: str, mails: int) -> float:
    """Seconds of what a script would do: write a mail to each and send it."""
    host, _, port = url.removeprefix("smtp://").rpartition(":")
    started = time.perf_counter()
    async with aiosmtplib.SMTP(hostname=host, port=int(port)) as client:
        for number in range(mails):
            await client.send_message(_letter(number))
    return time.perf_counter() - started


def _letter(number: int) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = "公告", "crm@bench.test", f"bench-{number}@bench.test"
    letter["Date"], letter["Message-ID"] = format_datetime(datetime.now(UTC)), f"<{new_id()}@bench.test>"
    letter.set_content("十月一日至七日放假。\n" * 20)
    letter.add_alternative("<p>十月一日至七日放假。</p>\n" * 20, subtype="html")
    return letter


def _announce(whole: Whole, audience: Mapping[str, Any]) -> tuple[str, datetime]:
    """The id of an announcement, and when it was told to all, looking so that it costs little."""
    body = {"title": "国庆放假", "text": "十月一日至七日放假。" * 20, "audience": audience}
    id_ = whole.person("administrator").post("/announcements", body)["id"]
    with psycopg.connect(whole.system.database_url("notify"), autocommit=True) as connection:
        telling = "SELECT 1 FROM announcements WHERE id = %s AND status = 'telling'"
        while connection.execute(telling, [id_]).fetchone():
            time.sleep(LOOK_SECONDS)
    return id_, datetime.now(UTC)


def _copy_of(whole: Whole, id_: str) -> float:
    """Seconds of the shortest way to write what an announcement wrote."""
    with psycopg.connect(whole.system.database_url("notify")) as connection:
        for statement in _COPIES:
            connection.execute(statement, {"id": id_})  # type: ignore[arg-type]
        made = [_dump(connection, f"copied_{table}") for table in _TABLES]
        connection.commit()
        started = time.perf_counter()
        for table, rows in zip(_TABLES, made, strict=True):
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:  # type: ignore[arg-type]
                copy.write(rows)
        connection.commit()
        return time.perf_counter() - started


def _dump(connection: psycopg.Connection[Any], table: str) -> bytes:
    rows = io.BytesIO()
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT") as copy:  # type: ignore[arg-type]
        for part in copy:
            rows.write(part)
    return rows.getvalue()


def _prefer(whole: Whole, ways: Mapping[str, str]) -> None:
    _change(whole, _PREFER, {"matrix": Jsonb({"announcement": ways})})


def _settle(whole: Whole) -> None:
    with psycopg.connect(whole.system.database_url("notify"), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _change(whole: Whole, statement: str, parameters: Any) -> None:
    with psycopg.connect(whole.system.database_url("notify")) as connection:
        connection.execute(statement, parameters)  # type: ignore[arg-type]


class _Nowhere:
    """Takes every mail and keeps none."""

    async def handle_DATA(self, *_: Any) -> str:
        return "250 taken"


def _serve(port: int) -> None:
    Controller(_Nowhere(), hostname="127.0.0.1", port=port).start()
    while True:
        time.sleep(LONGEST_SECONDS)


@contextmanager
def _sink() -> Iterator[str]:
    """A mail server in a process of its own."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=[port], daemon=True)
    process.start()
    try:
        yield f"smtp://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
