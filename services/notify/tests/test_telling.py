"""What becomes of facts once preferences are looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select, text

from chassis import clock
from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.deliveries.leasing import take
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, digest_id
from crm_notify.imports.events import IMPORTS
from crm_notify.notifications.model import Notification
from crm_notify.preferences.commands import appoint, choose
from crm_notify.robots.model import Robot
from crm_notify.sending.due import send_mail
from crm_notify.telling.events import mail_domain
from directory import store
from services.notify.tests.support import (
    EMAIL,
    MailServer,
    assign_by_mail,
    batch_finished,
    change,
    changed,
    event,
    import_finished,
    ledger,
    listed,
    make_due,
    receive,
)
from tests.support.organisation import Member
from tests.support.services import OpenService

# 12:00 and 23:00 in Shanghai.
NOON, NIGHT = datetime(2026, 11, 26, 4, tzinfo=UTC), datetime(2026, 11, 26, 15, tzinfo=UTC)


def prefer(notify: OpenService, member: Member, version: int = 0, **values: Any) -> None:
    """Let a member choose."""
    with notify.database.transaction() as session:
        choose(session, member.id, version, values)


def rows(notify: OpenService) -> list[tuple[str, str, str | None]]:
    """Channel, status and reason of every delivery, oldest first."""
    return [(row["channel"], row["status"], row["last_error_code"]) for row in reversed(ledger(notify))]


def assigned(notify: OpenService, *owners: Member) -> None:
    """One act of the supervisor of which each owner is told in the app."""
    receive(
        notify,
        ASSIGNMENTS,
        changed(*(change(owner) for owner in owners), actor=notify.organisation.supervisor),
    )


@contextmanager
def statements_of(notify: OpenService) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    found: list[str] = []

    def count(*arguments: Any) -> None:
        found.append(arguments[2])

    sqlalchemy_event.listen(notify.database.engine, "before_cursor_execute", count)
    yield found
    sqlalchemy_event.remove(notify.database.engine, "before_cursor_execute", count)


def test_by_default_everything_is_told_in_the_app_and_there_is_no_row(notify: OpenService) -> None:
    assigned(notify, notify.organisation.sales)

    assert len(listed(notify, notify.organisation.sales)) == 1
    assert rows(notify) == []


def test_what_is_wanted_daily_goes_out_as_one_message_of_the_day(
    notify: OpenService, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sales = notify.organisation.sales
    prefer(notify, sales, matrix={"customers_assigned": {"email": "daily"}})
    monkeypatch.setattr(clock, "now", lambda: NOON)

    for name in ("甲", "乙", "丙"):
        assign_by_mail(notify, sales, name=name)

    slot = datetime(2026, 11, 27, 1, tzinfo=UTC)
    with notify.database.reading() as session:
        found = session.execute(select(Delivery.digest_id, Delivery.next_attempt_at).distinct()).all()
    assert found == [(digest_id(sales.id, Channel.EMAIL, slot), slot)]
    monkeypatch.undo()
    make_due(notify)
    send_mail(notify.runtime)
    assert len(mail_server.of(sales)) == 1
    assert rows(notify) == [("email", "sent", None)] * 3


def test_what_comes_to_a_digest_that_was_taken_is_a_message_of_its_own(
    notify: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    sales = notify.organisation.sales
    prefer(notify, sales, matrix={"customers_assigned": {"email": "daily"}})
    monkeypatch.setattr(clock, "now", lambda: NOON)
    assign_by_mail(notify, sales, name="甲")
    make_due(notify)
    with notify.database.transaction() as session:
        [[first]] = take(session, Channel.EMAIL, 10)

    assign_by_mail(notify, sales, name="乙")

    with notify.database.transaction() as session:
        session.execute(
            text("UPDATE deliveries SET next_attempt_at = now() - interval '1 second' WHERE id <> :id"),
            {"id": first.id},
        )
        [[late]] = take(session, Channel.EMAIL, 10)
    assert late.digest_id == first.digest_id
    assert late.message_id != first.message_id


def test_quiet_hours_delay_what_leaves_the_app_and_nothing_else(
    notify: OpenService, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sales = notify.organisation.sales
    with notify.database.transaction() as session:
        values = {"quiet_from": time(22), "quiet_until": time(8)}
        appoint(session, notify.organisation.admin.id, 0, values)
    monkeypatch.setattr(clock, "now", lambda: NIGHT)

    receive(notify, ASSIGNMENTS, changed(change(sales), notice=pool.Notice(in_app=True, email=True)))

    [row] = ledger(notify)
    assert row["next_attempt_at"] == "2026-11-27T00:00:00Z"
    assert len(listed(notify, sales)) == 1


def test_what_is_turned_off_everywhere_is_kept_with_the_reason(notify: OpenService) -> None:
    people = notify.organisation
    prefer(notify, people.sales, matrix={"customers_assigned": {"in_app": "off"}})
    with notify.database.transaction() as session:
        appoint(session, people.admin.id, 0, {"matrix": {"customers_transferred_out": {"in_app": "off"}}})

    assigned(notify, people.sales)
    receive(notify, ASSIGNMENTS, changed(change(new_id(), people.rival), cause=pool.CAUSE_TRANSFER))

    assert listed(notify, people.sales) == listed(notify, people.rival) == []
    assert rows(notify) == [
        ("in_app", "suppressed", "turned_off"),
        ("in_app", "suppressed", "turned_off_by_administrator"),
    ]
    with notify.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Notification)) == 2


def test_what_the_operator_chose_stands_in_for_defaults_not_for_what_members_chose(notify: OpenService) -> None:
    people = notify.organisation
    prefer(notify, people.sales, matrix={"customers_assigned": {"email": "off"}})
    prefer(notify, people.rival, matrix={"customers_assigned": {"email": "now"}})

    assign_by_mail(notify, people.sales, people.colleague)
    assigned(notify, people.rival)

    assert [(row["member"]["id"], row["status"], row["last_error_code"]) for row in reversed(ledger(notify))] == [
        (str(people.sales.id), "suppressed", "turned_off"),
        (str(people.colleague.id), "queued", None),
        (str(people.rival.id), "queued", None),
    ]
    # Whom e-mail alone was to tell, and could not, is told in the app.
    assert [len(listed(notify, one)) for one in (people.sales, people.colleague, people.rival)] == [1, 0, 1]


def test_an_administrator_can_leave_operators_no_choice(notify: OpenService) -> None:
    people = notify.organisation
    with notify.database.transaction() as session:
        matrix = {"customers_transferred_in": {"email": "now"}}
        appoint(session, people.admin.id, 0, {"matrix": matrix, "locked": {"customers_assigned": ["email"]}})

    assign_by_mail(notify, people.sales)
    receive(notify, ASSIGNMENTS, changed(change(people.sales), cause=pool.CAUSE_TRANSFER))

    assert rows(notify) == [
        ("email", "suppressed", "turned_off_by_administrator"),
        ("email", "suppressed", "operator_chose"),
    ]
    assert len(listed(notify, people.sales)) == 2


def test_whoever_has_no_address_and_no_robot_is_told_in_the_app(notify: OpenService) -> None:
    sales = notify.organisation.sales
    without = notify.organisation.member_state(sales, version=2)
    without.email = ""
    with notify.database.transaction() as session:
        store.store_members(session, [without])
    prefer(notify, sales, matrix={"customers_assigned": {"robot": "now", "in_app": "off"}})

    assign_by_mail(notify, sales)

    assert rows(notify) == [("email", "suppressed", "mail_no_address"), ("robot", "suppressed", "robot_off")]
    assert len(listed(notify, sales)) == 1


def test_what_a_robot_is_to_repeat_is_queued_where_there_is_one(notify: OpenService) -> None:
    sales = notify.organisation.sales
    prefer(notify, sales, matrix={"customers_assigned": {"robot": "now"}})
    with notify.database.transaction() as session:
        robot = {"id": new_id(), "version": 1, "vendor": "wecom", "name": "销售群", "webhook": b"", "active": True}
        session.add(Robot(**robot))

    assigned(notify, sales)

    assert rows(notify) == [("robot", "queued", None)]


def test_what_was_for_one_who_left_alone_nobody_hears(notify: OpenService) -> None:
    people = notify.organisation
    gone = people.member_state(people.sales, version=2)
    gone.active = False
    with notify.database.transaction() as session:
        store.store_members(session, [gone])

    receive(notify, IMPORTS, import_finished(people.sales))

    with notify.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Notification)) == 0


def test_a_notification_says_when_it_happened(notify: OpenService) -> None:
    assigned(notify, notify.organisation.sales)

    with notify.database.reading() as session:
        assert session.scalars(select(Notification.occurred_at)).one() == datetime(2026, 11, 22, tzinfo=UTC)


def test_the_end_of_an_import_is_told_by_mail_to_whoever_wants_that(notify: OpenService) -> None:
    sales = notify.organisation.sales
    prefer(notify, sales, matrix={"import_finished": {"email": "now"}})

    receive(notify, IMPORTS, import_finished(sales))

    assert rows(notify) == [("email", "queued", None)]


def test_of_five_hundred_customers_in_a_batch_each_receiver_hears_once(
    notify: OpenService, mail_server: MailServer
) -> None:
    people = notify.organisation
    owners = (people.sales, people.colleague)
    notice = pool.Notice(in_app=True, email=True)
    counts = dict.fromkeys(owners, 250)
    finished = batch_finished(counts, actor=people.supervisor, succeeded=500, notice=notice)
    moves = [change(owner) for owner in owners for _ in range(250)]

    receive(
        notify,
        ASSIGNMENTS,
        changed(*moves, actor=people.supervisor, batch_id=finished.batch_id, notice=notice),
        finished,
    )
    send_mail(notify.runtime)

    assert [[one["title"] for one in listed(notify, owner)] for owner in owners] == [["250 个客户已分配给你"]] * 2
    assert [len(mail_server.of(owner)) for owner in owners] == [1, 1]
    assert len(listed(notify, people.supervisor)) == 1


def test_how_many_are_told_does_not_change_the_number_of_statements(notify: OpenService) -> None:
    def told(count: int) -> int:
        receivers = {_stranger(number): 1 for number in range(count)}
        with statements_of(notify) as statements:
            receive(notify, ASSIGNMENTS, batch_finished(receivers, succeeded=count, notice=EMAIL))
        return len(statements)

    few, many = told(2), told(5000)

    assert few == many
    with notify.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 5002


def test_a_fact_that_comes_again_writes_no_second_row(notify: OpenService) -> None:
    fact = event(changed(change(notify.organisation.sales), notice=EMAIL))

    receive(notify, ASSIGNMENTS, fact)
    with notify.database.transaction() as session:  # as if the inbox had forgotten it
        ASSIGNMENTS.bound(notify.runtime).apply(session, [fact])

    assert rows(notify) == [("email", "queued", None)]


def test_e_mail_is_off_without_a_server(notify: OpenService, notify_without_mail: OpenService) -> None:
    assert mail_domain(notify.runtime) == "example.test"
    assert mail_domain(notify_without_mail.runtime) is None


def _stranger(number: int) -> Member:
    return Member(UUID(int=number + 1), f"成员{number}", "sales", new_id())
