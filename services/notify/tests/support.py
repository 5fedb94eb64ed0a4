"""What notify's tests use: a mail server that can refuse and go away, a real push process, facts of other services."""

import email
import email.policy
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from aiosmtpd.controller import Controller
from google.protobuf.message import Message
from sqlalchemy import text

from chassis.events.consumer import Event, Subscription, apply_events
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.imports.v1 import imports_events_pb2 as imports
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.push.http import PATH
from highsea_local.ports import free_port
from tests.support.organisation import Member
from tests.support.services import OpenService

LIMIT_SECONDS = 30


def eventually(found: Callable[[], Any]) -> Any:
    """The first truthy answer, within a generous limit."""
    until = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < until:
        if answer := found():
            return answer
        time.sleep(0.02)
    raise AssertionError("it never happened")


def event(message: Message, event_id: UUID | None = None) -> Event:
    """A fact as a consumer receives it."""
    return Event(event_id or new_id(), message, "2026-11-22T00:00:00+00:00", "")


def receive(opened: OpenService, subscription: Subscription, *facts: Message | Event) -> None:
    """Let a durable of the service apply facts in one set."""
    events = [fact if isinstance(fact, Event) else event(fact) for fact in facts]
    apply_events(opened.database, subscription.bound(opened.runtime), events)


def place(where: UUID | Member | None) -> Place:
    """With a member, in a pool, or (None) nowhere."""
    if isinstance(where, Member):
        return Place(owner_id=str(where.id))
    return Place(pool_id=str(where)) if where else Place()


def change(new: Member | UUID, former: Member | UUID | None = None, name: str = "远大科技") -> pool.AssignmentChange:
    """One customer's move."""
    state = pool.AssignmentState(customer_id=str(new_id()), version=2, place=place(new))
    return pool.AssignmentChange(state=state, previous=place(former) if former else None, customer_name=name)


def changed(
    *changes: pool.AssignmentChange, cause: int = pool.CAUSE_ASSIGN, actor: Member | None = None, **more: Any
) -> pool.AssignmentsChanged:
    """Moves made one by one; in-app notice unless told otherwise."""
    more.setdefault("notice", pool.Notice(in_app=True))
    return pool.AssignmentsChanged(changes=changes, cause=cause, actor_id=str(actor.id) if actor else "", **more)


def batch_finished(
    receivers: dict[Member, int], *, cause: int = pool.CAUSE_ASSIGN, actor: Member | None = None, **more: Any
) -> pool.AssignmentBatchFinished:
    """The end of a batch; in-app notice unless told otherwise."""
    more.setdefault("notice", pool.Notice(in_app=True))
    return pool.AssignmentBatchFinished(
        batch_id=str(new_id()),
        cause=cause,
        actor_id=str(actor.id) if actor else "",
        receivers=[pool.ReceiverCount(member_id=str(member.id), customers=n) for member, n in receivers.items()],
        **more,
    )


def import_finished(actor: Member, **more: Any) -> imports.ImportFinished:
    """The end of an import."""
    counts = {"total": 10, "created": 4, "updated": 3, "skipped": 2, "failed": 1}
    job = {"id": str(new_id()), "actor_id": str(actor.id), "file_name": "客户.xlsx", "status": "finished"}
    return imports.ImportFinished(job=imports.ImportJob(**{**counts, **job, **more}))


def export_finished(actor: Member, **more: Any) -> imports.ExportFinished:
    """The end of an export."""
    job = {"id": str(new_id()), "actor_id": str(actor.id), "file_name": "客户.xlsx", "status": "finished", "rows": 7}
    fact = imports.ExportFinished(job=imports.ExportJob(**{**job, **more}))
    fact.job.expires_at.FromJsonString("2026-12-03T16:30:00Z")
    return fact


def get(opened: OpenService, member: Member, path: str, **headers: str) -> Any:
    """The reply to a GET below /api/v1."""
    return opened.client.get(f"/api/v1{path}", headers=opened.headers(member, **headers))


def post(opened: OpenService, member: Member, path: str, **headers: str) -> Any:
    """The reply to a POST below /api/v1."""
    return opened.client.post(f"/api/v1{path}", headers=opened.headers(member, **headers))


def listed(opened: OpenService, member: Member, query: str = "", **headers: str) -> list[dict[str, Any]]:
    """The member's notifications, newest first."""
    return list(get(opened, member, f"/notifications{query}", **headers).json["items"])


def environment(opened: OpenService, **more: str) -> dict[str, str]:
    """The environment of a process of an opened service."""
    settings = opened.runtime.settings.model_dump()
    values = {key.upper(): str(int(value) if isinstance(value, bool) else value) for key, value in settings.items()}
    return {**os.environ, **values, **more}


EMAIL = pool.Notice(email=True)


def assign_by_mail(notify: OpenService, *owners: Member, name: str = "远大科技", notice: pool.Notice = EMAIL) -> None:
    """One act of the supervisor of which each owner is told by e-mail."""
    moves = [change(owner, name=name) for owner in owners]
    receive(notify, ASSIGNMENTS, changed(*moves, actor=notify.organisation.supervisor, notice=notice))


def ledger(notify: OpenService, language: str = "en") -> list[dict[str, Any]]:
    """Every delivery, newest first."""
    reply = get(notify, notify.organisation.admin, "/deliveries?page_size=200", Accept_Language=language)
    return list(reply.json["items"])


def statuses(notify: OpenService) -> list[str]:
    """The status of every delivery, newest first."""
    return [row["status"] for row in ledger(notify)]


def make_due(notify: OpenService) -> None:
    """As if the wait for the next attempt, or a lease, were over."""
    with notify.database.transaction() as session:
        session.execute(text("UPDATE deliveries SET next_attempt_at = now() - interval '1 second'"))


@dataclass
class MailServer:
    """A real SMTP server on one port. `answer` decides the reply to a mail by its receiver, `answer_rcpt` to RCPT; None
    takes it. It drops the connection when RCPT names `drop_at_rcpt`, and after the dot of a mail to `drop_after_dot`.
    """

    port: int = field(default_factory=free_port)
    mails: list[EmailMessage] = field(default_factory=list)
    answer: Callable[[str], str | None] = lambda _receiver: None
    answer_rcpt: Callable[[str], str | None] = lambda _receiver: None
    drop_at_rcpt: str = ""
    drop_after_dot: str = ""
    connections: int = 0
    scheme: str = "smtp"
    tls: ssl.SSLContext | None = None
    _controller: Controller | None = None

    @property
    def url(self) -> str:
        """Its SMTP_URL."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Answer from now on."""
        tls = {"ssl_context" if self.scheme == "smtps" else "tls_context": self.tls} if self.tls else {}
        starttls = self.scheme == "smtp+starttls"
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, require_starttls=starttls, **tls)
        self._controller.start()

    def stop(self) -> None:
        """Go away."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_EHLO(self, server: Any, session: Any, _envelope: Any, hostname: str, replies: list[str]) -> Any:
        """Count connections."""
        self.connections += 1
        session.host_name = hostname
        return replies

    async def handle_RCPT(self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        """Take the receiver, refuse them, or go away."""
        if address == self.drop_at_rcpt:
            server.transport.abort()
        refusal = self.answer_rcpt(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        """Take the mail or refuse it."""
        refusal = self.answer(envelope.rcpt_tos[0])
        if refusal is not None:
            return refusal
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(parsed)  # type: ignore[arg-type]
        if envelope.rcpt_tos[0] == self.drop_after_dot:
            server.transport.abort()
        return "250 taken"

    def of(self, member: Member) -> list[EmailMessage]:
        """The mails that reached a member."""
        return [mail for mail in self.mails if member.email in str(mail["To"])]


class PushProcess:
    """`python -m crm_notify push` over the database of an opened service."""

    def __init__(self, opened: OpenService, log: Path) -> None:
        self.opened = opened
        self._log = log
        self._http, self._metrics = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        binds = {"HTTP_BIND": f"127.0.0.1:{self._http}", "METRICS_BIND": f"127.0.0.1:{self._metrics}"}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "crm_notify", "push"],
                env=environment(self.opened, **binds),
                stdout=log,
                stderr=log,
            )
        eventually(lambda: self.health("/readyz").get("degraded") == [])

    def stop(self) -> None:
        """SIGTERM and wait for the end."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(LIMIT_SECONDS)
            self.process = None

    def health(self, path: str) -> dict[str, Any]:
        """The JSON of a health address, empty while it does not answer."""
        try:
            return dict(httpx.get(f"http://127.0.0.1:{self._metrics}{path}").json())
        except httpx.TransportError:
            return {}

    def metric(self, line: str) -> bool:
        """Whether /metrics says exactly this."""
        return f"\n{line}\n" in httpx.get(f"http://127.0.0.1:{self._metrics}/metrics").text

    def get(self, token: str | None, path: str = PATH) -> httpx.Response:
        """A request that is expected to be refused."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(f"http://127.0.0.1:{self._http}{path}", headers={**headers, "Accept-Language": "en"})

    @contextmanager
    def stream(self, member: Member, **claims: Any) -> Iterator["Events"]:
        """An open stream of `member`."""
        token = self.opened.keys.access_token(member.id, member.epoch, **claims)
        url, headers = f"http://127.0.0.1:{self._http}{PATH}", {"Authorization": f"Bearer {token}"}
        with httpx.stream("GET", url, headers=headers, timeout=LIMIT_SECONDS) as reply:
            assert reply.status_code == httpx.codes.OK
            yield Events(reply)


@contextmanager
def pushing(opened: OpenService, log: Path) -> Iterator[PushProcess]:
    """A push process beside an opened service."""
    process = PushProcess(opened, log)
    process.start()
    try:
        yield process
    finally:
        process.stop()


class Events:
    """The lines of a stream as they come."""

    def __init__(self, reply: httpx.Response) -> None:
        self.reply = reply
        self._lines = reply.iter_lines()

    def next_line(self, start: str) -> str:
        """The next line that begins so. Raises StopIteration at the end."""
        return next(line for line in self._lines if line.startswith(start))

    def next_hint(self) -> str:
        """The data of the next hint."""
        return self.next_line("data: ").removeprefix("data: ")

    def rest(self) -> Sequence[str]:
        """All lines until the server ends the stream."""
        return [line for line in self._lines if line]
