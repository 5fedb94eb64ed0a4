"""Handing mails over: once or uncertain, at the server's pace, to nobody who is suppressed."""

import asyncio
import ipaddress
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text, update

from chassis.errors import Unavailable
from chassis.identifiers import new_id
from crm_notify.deliveries.commands import resend
from crm_notify.deliveries.leasing import begin, take
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, Failure, Outcome
from crm_notify.mail import clients
from crm_notify.mail.rules import Pace, SmtpServer, header_address, pause, refusal
from crm_notify.sending.due import BATCH, lose_track, send_mail
from crm_notify.service import SERVICE
from crm_notify.suppressions.rules import Reason, normalised, why_not
from highsea_local.ports import free_port
from services.notify.tests.support import (
    LIMIT_SECONDS,
    MailServer,
    assign_by_mail,
    environment,
    eventually,
    get,
    ledger,
    listed,
    make_due,
    statuses,
)
from tests.support.organisation import Member
from tests.support.plans import explained, rows_read
from tests.support.services import Opener, OpenService
from tests.support.statements import failing_at


def _pauses(notify: OpenService) -> tuple[float, int]:
    """How many seconds the server is left alone from now on, and how often in a row."""
    with notify.database.reading() as session:
        query = "SELECT coalesce(extract(epoch FROM paused_until - now()), 0), pauses FROM mail_servers"
        seconds, pauses = session.execute(text(query)).one()
    return float(seconds), int(pauses)


def _pause_over(notify: OpenService) -> None:
    with notify.database.transaction() as session:
        session.execute(text("UPDATE mail_servers SET paused_until = now() - interval '1 second'"))


def _resend(notify: OpenService) -> list[UUID]:
    with notify.database.transaction() as session:
        ids = [UUID(row["id"]) for row in ledger(notify)]
        return list(resend(session, ids, notify.organisation.admin.id))


def _run_out(notify: OpenService) -> None:
    """Whatever can be done by time alone is done."""
    for _ in range(3):
        make_due(notify)
        lose_track(notify.runtime)
        send_mail(notify.runtime)


def test_a_connection_lost_before_the_dot_has_the_mail_sent_once_later(
    notify: OpenService, mail_server: MailServer
) -> None:
    sales = notify.organisation.sales
    mail_server.drop_at_rcpt = sales.email
    assign_by_mail(notify, sales)

    send_mail(notify.runtime)
    [row] = ledger(notify)
    assert (row["status"], row["attempts"], row["last_error_code"]) == ("queued", 1, "smtp_connection_lost")
    mail_server.drop_at_rcpt = ""
    _run_out(notify)

    assert statuses(notify) == ["sent"]
    assert len(mail_server.mails) == 1


def test_a_connection_lost_after_the_dot_is_uncertain_and_only_a_person_sends_it_again(
    notify: OpenService, mail_server: MailServer
) -> None:
    sales = notify.organisation.sales
    mail_server.drop_after_dot = sales.email
    assign_by_mail(notify, sales)

    send_mail(notify.runtime)
    mail_server.drop_after_dot = ""
    _run_out(notify)
    [row] = ledger(notify)
    assert (row["status"], row["last_error_code"], len(mail_server.mails)) == ("uncertain", "outcome_unknown", 1)
    assert len(listed(notify, sales)) == 1

    assert _resend(notify) == [UUID(row["id"])]
    send_mail(notify.runtime)

    assert statuses(notify) == ["sent"]
    assert [mail["Message-ID"] for mail in mail_server.mails] == [row["message_id"]] * 2
    [entry] = get(notify, notify.organisation.admin, "/notify/audit?action=delivery.").json["items"]
    assert (entry["action"], entry["before"]["status"]) == ("delivery.resent", "uncertain")
    assert _resend(notify) == []


def _interrupted(notify: OpenService, *, begun: bool) -> None:
    """A worker took the mail, perhaps began it, and is never heard of again."""
    with notify.database.transaction() as session:
        [message] = take(session, Channel.EMAIL, BATCH)
        if begun:
            assert begin(session, message)


@pytest.mark.parametrize(("begun", "mails", "status"), [(False, 1, "sent"), (True, 0, "uncertain")])
def test_a_mail_whose_worker_vanished_is_sent_unless_it_was_begun(
    notify: OpenService, mail_server: MailServer, *, begun: bool, mails: int, status: str
) -> None:
    assign_by_mail(notify, notify.organisation.sales)
    _interrupted(notify, begun=begun)

    lose_track(notify.runtime)
    send_mail(notify.runtime)
    assert mail_server.mails == []  # nobody takes it before its lease ends
    _run_out(notify)

    assert (len(mail_server.mails), statuses(notify)) == (mails, [status])


@pytest.mark.parametrize(("step", "taken"), [("answer_rcpt", 0), ("answer", 1)])
def test_a_worker_killed_while_it_hands_over_leaves_the_mail_uncertain_and_others_to_be_sent_once(
    notify: OpenService, mail_server: MailServer, tmp_path: Path, step: str, taken: int
) -> None:
    people = notify.organisation
    arrived, leave = threading.Event(), threading.Event()

    def hold(_to: str) -> None:
        arrived.set()
        leave.wait(LIMIT_SECONDS)

    setattr(mail_server, step, hold)
    assign_by_mail(notify, people.sales)
    assign_by_mail(notify, people.colleague)
    with _worker(notify, tmp_path / "log") as worker:
        assert arrived.wait(LIMIT_SECONDS)
        worker.kill()
    setattr(mail_server, step, lambda _to: None)
    leave.set()

    _run_out(notify)

    eventually(lambda: len(mail_server.of(people.sales)) == taken)
    assert len(mail_server.of(people.colleague)) == 1
    assert statuses(notify) == ["sent", "uncertain"]


def test_a_worker_that_dies_at_any_statement_loses_nothing_and_sends_nothing_twice(
    notify: OpenService, mail_server: MailServer
) -> None:
    people, deaths = notify.organisation, 0
    for place in range(100):
        assign_by_mail(notify, people.sales, people.colleague)
        try:
            with failing_at(notify.database, place) as failed:
                send_mail(notify.runtime)
        except ConnectionError:
            deaths += 1
        _run_out(notify)
        if not failed:
            break

    assert deaths > 10
    ids = [mail["Message-ID"] for mail in mail_server.mails]
    assert len(ids) == len(set(ids))
    rows = ledger(notify)
    assert {row["status"] for row in rows} == {"sent", "uncertain"}
    assert {row["message_id"] for row in rows if row["status"] == "sent"} <= set(ids)


def test_a_database_that_is_away_for_a_moment_leaves_no_mail_in_doubt(
    notify: OpenService, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_notify.sending.due._AGAIN_SECONDS", 0.01)
    away = 0

    def be_away(*_: object) -> None:
        nonlocal away
        if away:
            away -= 1
            raise Unavailable("database_unavailable")

    def go_away(_to: str) -> None:
        nonlocal away
        away = 3

    event.listen(notify.database.engine, "before_cursor_execute", be_away)
    mail_server.answer = go_away
    assign_by_mail(notify, notify.organisation.sales, notify.organisation.colleague)

    send_mail(notify.runtime)

    assert statuses(notify) == ["sent", "sent"]
    assert len(mail_server.mails) == 2


@contextmanager
def _worker(notify: OpenService, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m crm_notify work` over the database of an opened service."""
    binds = {"HTTP_BIND": f"127.0.0.1:{free_port()}", "METRICS_BIND": f"127.0.0.1:{free_port()}"}
    with log.open("wb") as out:
        command = [sys.executable, "-m", "crm_notify", "work"]
        process = subprocess.Popen(command, env=environment(notify, **binds), stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait(LIMIT_SECONDS)


def test_what_took_longer_than_its_lease_and_went_out_is_known_to_be_sent(
    notify: OpenService, mail_server: MailServer
) -> None:
    sales = notify.organisation.sales

    def lose_the_lease(_to: str) -> None:
        with notify.database.transaction() as session:
            session.execute(text("UPDATE deliveries SET status = 'uncertain'"))

    mail_server.answer = lose_the_lease
    assign_by_mail(notify, sales)

    send_mail(notify.runtime)

    assert statuses(notify) == ["sent"]


@pytest.mark.parametrize("reply", ["451 4.7.1 too many messages", "450 4.7.0 slow down", "421 4.3.2 closing"])
def test_a_server_that_wants_to_be_left_alone_is_and_no_mail_is_charged_for_it(
    notify: OpenService, mail_server: MailServer, reply: str
) -> None:
    people = notify.organisation
    mail_server.answer = lambda _to: reply
    assign_by_mail(notify, people.sales, people.colleague)

    send_mail(notify.runtime)
    make_due(notify)
    send_mail(notify.runtime)

    assert mail_server.connections == 1
    assert [(row["status"], row["attempts"]) for row in ledger(notify)] == [("queued", 0)] * 2
    assert 50 < _pauses(notify)[0] <= 60
    for seconds in (120, 240):
        _pause_over(notify)
        make_due(notify)
        send_mail(notify.runtime)
        assert seconds - 10 < _pauses(notify)[0] <= seconds

    mail_server.answer = lambda _to: None
    _pause_over(notify)
    make_due(notify)
    send_mail(notify.runtime)
    assert (_pauses(notify), set(statuses(notify))) == ((0, 0), {"sent"})


def test_a_greeting_that_asks_for_patience_costs_no_mail_an_attempt(services: Opener) -> None:
    with _Raw(lambda peer: peer.sendall(b"421 4.7.0 too many connections\r\n")) as server:
        with services.open(SERVICE, smtp_url=f"smtp://127.0.0.1:{server.port}") as opened:
            assign_by_mail(opened, opened.organisation.sales)

            send_mail(opened.runtime)

            [row] = ledger(opened)
            assert (row["status"], row["attempts"], row["last_error_code"]) == ("queued", 0, "smtp_421")
            assert _pauses(opened)[1] == 1


def test_at_sixty_a_minute_ten_go_at_once_and_all_workers_share_them(services: Opener, mail_server: MailServer) -> None:
    with services.open(SERVICE, smtp_url=mail_server.url, mail_per_minute=60) as opened:
        for _ in range(25):
            assign_by_mail(opened, opened.organisation.sales)
        # A clock that stands: what is paid for lies in the future, whatever the time of this test.
        with opened.database.transaction() as session:
            query = "INSERT INTO mail_servers (name, next_mail_at) VALUES (:name, now() + interval '1 hour')"
            session.execute(text(query), {"name": f"127.0.0.1:{mail_server.port}"})
        assert send_mail(opened.runtime) is False
        assert mail_server.mails == []

        with opened.database.transaction() as session:
            session.execute(text("UPDATE mail_servers SET next_mail_at = now()"))
            started = session.scalar(text("SELECT now()"))
        threads = [threading.Thread(target=send_mail, args=(opened.runtime,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with opened.database.reading() as session:
            paid, now = session.execute(text("SELECT next_mail_at, now() FROM mail_servers")).one()

        sent = len(mail_server.mails)
        assert paid - started >= timedelta(seconds=sent)
        assert 10 <= sent <= 10 + (now - started).total_seconds()


def test_what_could_not_be_sent_does_not_use_up_the_pace(services: Opener, mail_server: MailServer) -> None:
    with services.open(SERVICE, smtp_url=mail_server.url, mail_per_minute=6) as opened:
        sales, colleague = opened.organisation.sales, opened.organisation.colleague
        post_suppression(opened, sales.email, reason=Reason.BOUNCED)
        assign_by_mail(opened, sales)

        send_mail(opened.runtime)
        assign_by_mail(opened, colleague)
        send_mail(opened.runtime)

        assert len(mail_server.of(colleague)) == 1


def post_suppression(notify: OpenService, address: str, reason: Reason = Reason.MANUAL) -> None:
    """Suppress an address; for another reason than the route's by the table."""
    headers = notify.headers(notify.organisation.admin)
    reply = notify.client.post("/api/v1/suppressions", json={"address": address}, headers=headers)
    assert reply.status_code == 201
    with notify.database.transaction() as session:
        session.execute(text("UPDATE suppressions SET reason = :reason"), {"reason": reason})


def test_an_address_that_does_not_exist_bounces_and_gets_nothing_until_that_is_lifted(
    notify: OpenService, mail_server: MailServer, capfd: pytest.CaptureFixture[str]
) -> None:
    sales, admin = notify.organisation.sales, notify.organisation.admin
    mail_server.answer_rcpt = lambda to: f"550 5.1.1 {to} unknown"
    assign_by_mail(notify, sales)
    send_mail(notify.runtime)
    assert statuses(notify) == ["bounced"]
    assert len(listed(notify, sales)) == 1
    mail_server.answer_rcpt = lambda _to: None

    assign_by_mail(notify, sales)
    send_mail(notify.runtime)
    newest = ledger(notify)[0]
    assert (newest["status"], newest["last_error_code"]) == ("suppressed", "address_bounced")
    assert len(listed(notify, sales)) == 2
    assert mail_server.mails == []

    [found] = get(notify, admin, f"/suppressions?search={sales.email[:4].upper()}&reason=bounced").json["items"]
    assert (found["address"], found["channel"], found["created_by"]) == (sales.email, "email", None)
    lifted = notify.client.delete(f"/api/v1/suppressions/{found['id']}", headers=notify.headers(admin))
    assert lifted.status_code == 204
    _resend(notify)
    send_mail(notify.runtime)
    assert sorted(statuses(notify)) == ["sent", "suppressed"]
    assert sales.email not in "".join(capfd.readouterr())


@pytest.mark.parametrize("reason", [Reason.MANUAL, Reason.UNSUBSCRIBED])
def test_who_wants_no_mailings_still_gets_notifications(
    notify: OpenService, mail_server: MailServer, reason: Reason
) -> None:
    sales = notify.organisation.sales
    post_suppression(notify, sales.email, reason)
    assign_by_mail(notify, sales)

    send_mail(notify.runtime)

    assert len(mail_server.of(sales)) == 1


def test_suppressing_again_changes_nothing_and_the_audit_holds_no_address(notify: OpenService) -> None:
    admin = notify.organisation.admin
    headers = notify.headers(admin)
    bodies = [{"address": address, "note": "asked by phone"} for address in ("Wang@例子.CN", "wang@xn--fsqu00a.cn")]

    first, second = (notify.client.post("/api/v1/suppressions", json=body, headers=headers) for body in bodies)

    assert (first.status_code, first.json) == (201, second.json)
    assert first.json["address"] == "wang@xn--fsqu00a.cn"
    lifted = [
        notify.client.delete(f"/api/v1/suppressions/{first.json['id']}", headers=headers).status_code for _ in range(2)
    ]
    assert lifted == [204, 404]
    entries = get(notify, admin, "/notify/audit?action=suppression.").json["items"]
    assert [entry["action"] for entry in entries] == ["suppression.lifted", "suppression.added"]
    assert "wang" not in str(entries)


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("POST", "/suppressions", {"address": "nobody"}, "/address"),
        ("POST", "/suppressions", {"address": "a@b.c d"}, "/address"),
        ("POST", "/suppressions", {"address": "a@b.test", "note": "x" * 501}, "/note"),
        ("POST", "/suppressions", {}, "/address"),
        ("GET", "/suppressions?reason=boredom", None, "/reason"),
        ("GET", "/suppressions?page=0", None, "/page"),
    ],
)
def test_a_wrong_suppression_is_refused_by_its_field(
    notify: OpenService, method: str, path: str, body: dict[str, Any] | None, pointer: str
) -> None:
    headers = notify.headers(notify.organisation.admin)
    reply = notify.client.open(f"/api/v1{path}", method=method, json=body, headers=headers)

    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json["errors"]] == [pointer]


@pytest.mark.parametrize("who", ["sales", "supervisor", "operations"])
def test_only_who_configures_sees_or_changes_suppressions(notify: OpenService, who: str) -> None:
    headers = notify.headers(getattr(notify.organisation, who))
    paths = [("GET", "/suppressions"), ("POST", "/suppressions"), ("DELETE", f"/suppressions/{new_id()}")]

    replies = [notify.client.open(f"/api/v1{path}", method=method, json={}, headers=headers) for method, path in paths]

    assert [reply.status_code for reply in replies] == [403] * 3


def _as_digest(notify: OpenService, member: Member) -> None:
    """As if the member had wanted everything queued once a day."""
    with notify.database.transaction() as session:
        values = {"digest_id": new_id(), "next_attempt_at": text("now() - interval '1 second'")}
        session.execute(update(Delivery).where(Delivery.member_id == member.id).values(values))


def test_a_digest_is_one_letter_and_its_rows_share_the_outcome(notify: OpenService, mail_server: MailServer) -> None:
    sales = notify.organisation.sales
    for name in ("远大科技", "<b>宏图</b>", "远大科技"):
        assign_by_mail(notify, sales, name=name)
    _as_digest(notify, sales)

    threads = [threading.Thread(target=send_mail, args=(notify.runtime,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [mail] = mail_server.of(sales)
    plain, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert mail["Subject"].endswith(" 的 3 条通知")
    assert plain.count("客户「") == html.count("客户「") == 6
    assert "【客户】" in plain
    assert "&lt;b&gt;宏图" in html
    rows = ledger(notify)
    assert {(row["status"], row["message_id"]) for row in rows} == {("sent", mail["Message-ID"])}
    assert rows[-1]["id"] in mail["Message-ID"]


def test_what_joins_a_digest_after_it_went_out_is_a_letter_of_its_own(
    notify: OpenService, mail_server: MailServer
) -> None:
    sales = notify.organisation.sales
    for _ in range(2):
        assign_by_mail(notify, sales)
    _as_digest(notify, sales)
    send_mail(notify.runtime)
    assign_by_mail(notify, sales)
    with notify.database.transaction() as session:
        session.execute(text("UPDATE deliveries SET digest_id = (SELECT max(digest_id::text)::uuid FROM deliveries)"))

    send_mail(notify.runtime)

    assert len({mail["Message-ID"] for mail in mail_server.of(sales)}) == 2
    assert set(statuses(notify)) == {"sent"}


def test_a_digest_that_breaks_off_after_the_dot_is_uncertain_as_a_whole_and_sent_again_as_one(
    notify: OpenService, mail_server: MailServer
) -> None:
    sales = notify.organisation.sales
    mail_server.drop_after_dot = sales.email
    for _ in range(2):
        assign_by_mail(notify, sales)
    _as_digest(notify, sales)
    send_mail(notify.runtime)
    assert statuses(notify) == ["uncertain"] * 2
    mail_server.drop_after_dot = ""

    _resend(notify)
    send_mail(notify.runtime)

    ids = [mail["Message-ID"] for mail in mail_server.of(sales)]
    assert (len(ids), len(set(ids))) == (2, 1)


def test_the_link_of_a_letter_opens_the_record(notify: OpenService, mail_server: MailServer) -> None:
    sales = notify.organisation.sales
    assign_by_mail(notify, sales)
    with notify.database.reading() as session:
        customer_id = session.scalar(text("SELECT subject_id FROM notifications"))

    send_mail(notify.runtime)

    [mail] = mail_server.of(sales)
    assert f"{notify.runtime.settings.public_url}/customers/{customer_id}" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_a_mail_that_cannot_be_written_holds_up_no_other(notify: OpenService, mail_server: MailServer) -> None:
    people = notify.organisation
    assign_by_mail(notify, people.sales, people.colleague)
    with notify.database.transaction() as session:
        broken = 'UPDATE notifications SET parameters = \'{"count": 2, "customers": 7}\' WHERE member_id = :id'
        session.execute(text(broken), {"id": people.sales.id})

    send_mail(notify.runtime)

    assert len(mail_server.of(people.colleague)) == 1
    assert sorted((row["status"], row["last_error_code"]) for row in ledger(notify)) == [
        ("queued", "mail_unwritable"),
        ("sent", None),
    ]


class _Raw:
    """A server that treats each connection as told, for what a well-behaved one never does."""

    def __init__(self, treat: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._treat = treat
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                self._treat(peer)


def _speak(peer: socket.socket, *, until: bytes) -> None:
    """Agree to everything until a line that begins so has come."""
    peer.sendall(b"220 hello\r\n")
    lines = peer.makefile("rb")
    for line in lines:
        if line.startswith(until):
            return
        peer.sendall(b"354 go on\r\n" if line.startswith(b"DATA") else b"250 fine\r\n")


def _sent(port: int, letter: EmailMessage) -> Failure | None:
    async def send() -> Failure | None:
        async with clients.connected(SmtpServer("smtp", "127.0.0.1", port, "", "")) as client:
            return await clients.send(client, letter)

    return asyncio.run(send())


def _mail(content: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "crm@example.test", "zhang@example.test", "..."
    letter.set_content(content)
    return letter


def test_a_long_mail_cut_off_in_the_middle_is_known_not_to_have_been_taken() -> None:
    def cut_off(peer: socket.socket) -> None:
        _speak(peer, until=b"DATA")
        peer.sendall(b"354 go on\r\n")
        peer.recv(1000)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    with _Raw(cut_off) as server:
        failure = _sent(server.port, _mail("long\n" * 3_000_000))

    assert failure == Failure("smtp_connection_lost", disconnected=True)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n", b"354 what\r\n"])
def test_a_server_that_says_nothing_sensible_after_the_dot_leaves_the_outcome_unknown(answer: bytes) -> None:
    def confuse(peer: socket.socket) -> None:
        _speak(peer, until=b"DATA")
        peer.sendall(b"354 go on\r\n")
        received = b""
        while not received.endswith(b"\r\n.\r\n"):
            received += peer.recv(65536)
        peer.sendall(answer)

    with _Raw(confuse) as server:
        failure = _sent(server.port, _mail("short"))

    assert failure is not None
    assert failure.outcome is Outcome.UNCERTAIN


def test_lines_that_begin_with_a_dot_arrive_as_they_were(mail_server: MailServer) -> None:
    assert _sent(mail_server.port, _mail(".\n..two\nlast")) is None

    [mail] = mail_server.mails
    assert mail.get_content() == ".\r\n..two\r\nlast\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1 that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = builder.add_extension(address, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = builder.sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls", "smtp"])
@pytest.mark.parametrize("trusted", [True, False])
def test_tls_needs_a_certificate_that_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, *, trusted: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = MailServer(scheme=scheme, tls=context)
    server.start()
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def send() -> Failure | None:
        async with clients.connected(SmtpServer.parse(server.url)) as client:
            return await clients.send(client, _mail("over TLS " * 20_000))

    try:
        if trusted:
            assert asyncio.run(send()) is None
        else:
            with pytest.raises(clients.ConnectionRefused, match="smtp_unreachable"):
                asyncio.run(send())
        assert len(server.mails) == trusted
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("code", "reply", "of_receiver", "outcome"),
    [
        (421, "bye", False, Outcome.THROTTLED),
        (451, "4.7.1 slow down", True, Outcome.THROTTLED),
        (450, "4.3.2 not now", False, Outcome.THROTTLED),
        (452, "4.4.5 congested", False, Outcome.THROTTLED),
        (451, "4.7.10\nfurther lines", False, Outcome.THROTTLED),
        (451, "4.3.0 later", False, Outcome.RETRY),
        (452, "4.2.2 mailbox full", True, Outcome.RETRY),
        (454, "4.7.0 TLS not available", False, Outcome.RETRY),
        (550, "5.1.1 unknown", True, Outcome.BOUNCED),
        (553, "5.1.3 syntax", True, Outcome.BOUNCED),
        (551, "5.1.6 moved", True, Outcome.BOUNCED),
        (550, "unknown user", True, Outcome.BOUNCED),
        (553, "unknown user", True, Outcome.FAILED),
        (550, "5.1.8 bad sender", True, Outcome.FAILED),
        (550, "5.7.1 relaying denied", True, Outcome.FAILED),
        (550, "5.1.1 unknown", False, Outcome.FAILED),
        (554, "5.7.1 spam", False, Outcome.FAILED),
    ],
)
def test_what_a_refusal_means(code: int, reply: str, *, of_receiver: bool, outcome: Outcome) -> None:
    failure = refusal(code, reply, of_receiver=of_receiver)

    assert (failure.code, failure.outcome) == (f"smtp_{code}", outcome)


@given(st.integers(1, 100_000), st.lists(st.tuples(st.integers(0, 100), st.floats(0, 120)), max_size=20))
def test_a_pace_never_lets_more_go_than_its_minute_and_ten_seconds(
    per_minute: int, asked: list[tuple[int, float]]
) -> None:
    pace, start = Pace(per_minute), datetime(2026, 1, 1, tzinfo=UTC)
    now, next_mail_at, sent = start, start, 0
    for wanted, seconds in asked:
        now += timedelta(seconds=seconds)
        taken = min(wanted, pace.free(next_mail_at, now))
        next_mail_at = pace.after(taken, next_mail_at, now)
        sent += taken

    minutes = (now - start) / timedelta(minutes=1)
    assert sent <= per_minute * minutes + max(1, per_minute / 6) + 1
    assert pace.free(start, start) == max(1, per_minute // 6)


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    assert [pause(repeated).total_seconds() for repeated in (0, 1, 2, 3, 4, 99)] == [60, 120, 240, 480, 900, 900]


@pytest.mark.parametrize(
    ("reasons", "mailing", "code"),
    [
        ([], True, None),
        (["unsubscribed"], True, "address_unsubscribed"),
        (["unsubscribed"], False, None),
        (["manual", "bounced"], True, "address_bounced"),
        (["manual"], True, "address_suppressed"),
        (["bounced"], False, "address_bounced"),
    ],
)
def test_what_a_suppression_stops(reasons: list[str], code: str | None, *, mailing: bool) -> None:
    assert why_not(reasons, mailing=mailing) == code


@pytest.mark.parametrize(
    ("address", "spelt"),
    [
        ("Zhang.San@Example.com", "Zhang.San@Example.com"),
        ("zhang@例子.cn", "zhang@xn--fsqu00a.cn"),
        ("zhang", None),
        ("zhang@", None),
        ("a b@example.com", None),
        ("a@b..c", None),
        ("a@b\r\nBcc: c@d", None),
        ("<a@b.c>", None),
        ("", None),
    ],
)
def test_an_address_in_a_header_is_one_or_refused(address: str, spelt: str | None) -> None:
    if spelt is None:
        with pytest.raises(ValueError, match="not an address"):
            header_address("张三", address)
    else:
        assert header_address("张三", address).addr_spec == spelt


def test_spellings_of_an_address_are_one() -> None:
    assert normalised(" Zhang.San@Example.COM ") == normalised("zhang.san@example.com")
    assert normalised("+86138") == "+86138"


def test_taking_reads_no_more_than_it_takes_however_much_waits(notify: OpenService) -> None:
    people = notify.organisation
    assign_by_mail(notify, people.sales)
    with notify.database.transaction() as session:
        for statement in _CROWD.split(";"):
            session.execute(text(statement), {"member": people.colleague.id, "rows": 20_000})
    with notify.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE deliveries"))

    with explained(notify.database.engine, "deliveries") as plans, notify.database.transaction() as session:
        messages = take(session, Channel.EMAIL, BATCH)

    assert len(messages) == BATCH
    assert len(plans) == 3  # what goes to members at once, digests, mailings
    for plan in plans:
        assert rows_read(plan) <= 5 * BATCH


# Sent ones, digests for tomorrow, and a mailing that is due.
_CROWD = """
    INSERT INTO notifications (id, member_id, kind, parameters, source_event_id, in_app)
    SELECT gen_random_uuid(), :member, 'customers_assigned', '{}', gen_random_uuid(), TRUE FROM generate_series(1, :rows);

    INSERT INTO deliveries (id, channel, status, attempts, message_id, notification_id, member_id, sent_at)
    SELECT gen_random_uuid(), 'email', 'sent', 1, '', id, member_id, now() FROM notifications;

    INSERT INTO deliveries
        (id, channel, status, attempts, message_id, notification_id, member_id, next_attempt_at, digest_id)
    SELECT gen_random_uuid(), 'email', 'queued', 0, '', id, member_id, now() + interval '1 day', gen_random_uuid()
    FROM notifications;

    INSERT INTO mailings (id, actor_id, channel, subject, body, selection, scope, status, cursor, total)
    VALUES (:member, :member, 'email', '', '', '', '{}', 'sending', '', 0);

    INSERT INTO mailing_recipients (id, mailing_id, customer_id, customer_name, contact_name, address)
    SELECT gen_random_uuid(), :member, gen_random_uuid(), '', '', n FROM generate_series(1, :rows) AS n;

    INSERT INTO deliveries (id, channel, status, attempts, message_id, recipient_id)
    SELECT gen_random_uuid(), 'email', 'queued', 0, '', id FROM mailing_recipients
"""
