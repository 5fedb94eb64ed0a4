"""The work role as a process: from NATS to the mailbox."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google.protobuf.message import Message
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from sqlalchemy import insert

from chassis.database.tables import projection_marks
from chassis.events.relay import wait
from chassis.events.streams import event_stream, reconcile, subject_of
from chassis.identifiers import new_id
from chassis.roles.work import Connection
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.service import SERVICE
from highsea_local.ports import free_port
from highsea_local.servers.nats import NatsServer
from services.notify.tests.support import LIMIT_SECONDS, MailServer, change, changed, environment, eventually, listed
from tests.support.services import Opener, OpenService


def test_what_pool_published_reaches_app_and_mailbox(
    services: Opener, nats_server: NatsServer, mail_server: MailServer, tmp_path: Path
) -> None:
    with services.open(SERVICE, nats_url=nats_server.url(), smtp_url=mail_server.url) as notify:
        sales = notify.organisation.sales
        fact = changed(change(sales), notice=pool.Notice(in_app=True, email=True))

        with _working(notify, tmp_path / "work.log"):
            asyncio.run(_publish(nats_server.url(), fact))
            eventually(lambda: mail_server.of(sales))

        assert (len(listed(notify, sales)), len(mail_server.of(sales))) == (1, 1)


@contextmanager
def _working(notify: OpenService, path: Path) -> Iterator[None]:
    """The work role, told to stop at the end."""
    with notify.database.transaction() as session:  # the directory is there already: no identity is asked
        session.execute(insert(projection_marks).values(projection="directory"))
    with path.open("wb") as log:
        variables = environment(notify, METRICS_BIND=f"127.0.0.1:{free_port()}")
        process = subprocess.Popen([sys.executable, "-m", "crm_notify", "work"], env=variables, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        status = process.wait(LIMIT_SECONDS)
    assert status == 0


async def _publish(url: str, fact: Message) -> None:
    """Publish as the writers do, once the reader's durables are there."""
    connection = Connection(url)
    await connection.open()
    js = connection.jetstream()
    await reconcile(js, [event_stream(name) for name in ("identity", "pool", "imports")])
    while not await _reads(js):
        await wait(asyncio.Event(), 0.05)
    headers = {"ce-id": str(new_id()), "ce-time": "2026-11-22T00:00:00+00:00"}
    await js.publish(subject_of(type(fact)), fact.SerializeToString(), headers=headers)
    await connection.close()


async def _reads(js: JetStreamContext) -> bool:
    try:
        for stream, durable in (("CRM_POOL", "notify-assignments"), ("CRM_IMPORTS", "notify-imports")):
            await js.consumer_info(stream, durable)
    except NotFoundError:
        return False
    return True
