"""Workers that share the ledger: nothing twice, nothing lost when one stops, breaks off or is too slow."""

import threading
from concurrent.futures import ThreadPoolExecutor

from crm_notify.deliveries.leasing import begin, settle, take
from crm_notify.deliveries.rules import Channel, Failure, Outcome
from crm_notify.sending.due import BATCH, send_mail
from services.notify.tests.support import MailServer, assign_by_mail, ledger, make_due, statuses
from tests.support.services import OpenService


def test_a_batch_of_mails_shares_one_connection(notify: OpenService, mail_server: MailServer) -> None:
    for _ in range(BATCH + 1):
        assign_by_mail(notify, notify.organisation.sales)

    assert send_mail(notify.runtime) is True
    assert (len(mail_server.mails), mail_server.connections) == (BATCH, 1)
    assert send_mail(notify.runtime) is False
    assert set(statuses(notify)) == {"sent"}


def test_workers_side_by_side_send_every_mail_once(notify: OpenService, mail_server: MailServer) -> None:
    for _ in range(120):
        assign_by_mail(notify, notify.organisation.sales)

    def work(_number: int) -> None:
        while send_mail(notify.runtime):
            pass

    with ThreadPoolExecutor(4) as pool_:
        list(pool_.map(work, range(4)))

    ids = [mail["Message-ID"] for mail in mail_server.mails]
    assert (len(ids), len(set(ids))) == (120, 120)
    assert set(statuses(notify)) == {"sent"}


def test_a_mail_under_way_is_nobody_elses_until_its_lease_ends(notify: OpenService, mail_server: MailServer) -> None:
    arrived, leave = threading.Event(), threading.Event()

    def hold(_to: str) -> None:
        arrived.set()
        leave.wait(20)

    mail_server.answer = hold
    assign_by_mail(notify, notify.organisation.sales)
    with ThreadPoolExecutor(1) as pool_:
        first = pool_.submit(send_mail, notify.runtime)
        arrived.wait(20)
        assert statuses(notify) == ["sending"]
        assert send_mail(notify.runtime) is False
        leave.set()
        first.result()

    assert statuses(notify) == ["sent"]
    assert len(mail_server.mails) == 1


def test_what_a_dead_worker_took_is_sent_by_another_under_the_same_message_id(
    notify: OpenService, mail_server: MailServer
) -> None:
    assign_by_mail(notify, notify.organisation.sales)
    with notify.database.transaction() as session:
        [[taken]] = take(session, Channel.EMAIL, BATCH)  # and it is never heard of again

    assert send_mail(notify.runtime) is False
    make_due(notify)
    send_mail(notify.runtime)

    [row] = ledger(notify)
    assert (row["status"], row["attempts"]) == ("sent", 2)
    assert [mail["Message-ID"] for mail in mail_server.mails] == [taken.message_id]


def test_a_worker_that_lost_its_lease_records_nothing(notify: OpenService) -> None:
    assign_by_mail(notify, notify.organisation.sales)
    with notify.database.transaction() as session:
        [slow] = take(session, Channel.EMAIL, BATCH)
    make_due(notify)
    with notify.database.transaction() as session:
        take(session, Channel.EMAIL, BATCH)

    with notify.database.transaction() as session:
        assert begin(session, slow) == []
        settle(session, slow, Failure("smtp_550", Outcome.FAILED))

    [row] = ledger(notify)
    assert (row["status"], row["attempts"], row["last_error_code"]) == ("queued", 2, None)


def test_a_connection_that_breaks_costs_only_the_mail_under_way_an_attempt(
    notify: OpenService, mail_server: MailServer
) -> None:
    people = notify.organisation
    mail_server.drop_at_rcpt = people.sales.email
    assign_by_mail(notify, people.sales)
    assign_by_mail(notify, people.colleague)

    send_mail(notify.runtime)
    assert sorted((row["status"], row["attempts"]) for row in ledger(notify)) == [("queued", 0), ("queued", 1)]
    send_mail(notify.runtime)

    assert len(mail_server.of(people.colleague)) == 1
    assert sorted(statuses(notify)) == ["queued", "sent"]


def test_a_worker_told_to_stop_gives_back_what_it_has_not_begun(notify: OpenService, mail_server: MailServer) -> None:
    assign_by_mail(notify, notify.organisation.sales)
    notify.runtime.draining.set()

    send_mail(notify.runtime)

    [row] = ledger(notify)
    assert (row["status"], row["attempts"]) == ("queued", 0)
    assert mail_server.mails == []
