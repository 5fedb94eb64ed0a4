"""Who is told what of customers that will be taken back, and of looks at hidden contacts."""

from datetime import date, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select

from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as customer
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.notifications.model import Notification
from crm_notify.recycling.events import RECYCLING
from crm_notify.recycling.rules import MOST_LINES
from crm_notify.reveals.events import REVEALS
from crm_notify.sending.due import send_mail
from directory import store
from services.notify.tests.support import MailServer, event, listed, receive
from tests.support.organisation import Member
from tests.support.services import OpenService


def test_a_member_gets_one_digest_in_the_app_and_by_mail_however_often_it_arrives(
    notify: OpenService, mail_server: MailServer
) -> None:
    people = notify.organisation
    fact = event(
        _digest(people.sales, _expiring(people.sales, 3, 1, "甲"), _expiring(people.sales, 0, 4, "乙", "丙", "丁"))
    )

    for _ in range(2):
        receive(notify, RECYCLING, fact)
    with notify.database.transaction() as session:  # as if the inbox had forgotten it
        RECYCLING.apply(session, [fact])
    send_mail(notify.runtime)

    [found] = listed(notify, people.sales)
    assert (found["kind"], found["title"]) == ("customers_expiring", "5 个客户即将到期")
    assert found["text"].splitlines() == [
        "5 个客户即将到期，到期日结束后将被自动收回，请及时跟进。",
        "你负责，2026-11-26（今天到期）：4 个客户（乙、丙、丁 等）",
        "你负责，2026-11-29（还剩 3 天）：1 个客户（甲）",
    ]
    [mail] = mail_server.of(people.sales)
    assert mail["Subject"] == "5 个客户即将到期"
    assert listed(notify, people.supervisor) == []


def test_a_manager_reads_own_customers_first_and_the_others_by_owner_soonest_first(notify: OpenService) -> None:
    people = notify.organisation
    digest = _digest(
        people.supervisor,
        _expiring(people.colleague, 2, 1),
        _expiring(people.sales, 3, 2),
        _expiring(people.supervisor, 3, 1),
        _expiring(people.sales, 1, 1),
    )

    receive(notify, RECYCLING, digest)

    [found] = listed(notify, people.supervisor, Accept_Language="en")
    assert [line.split(" (")[0] for line in found["text"].splitlines()[1:]] == [
        "Yours, 2026-11-29",
        "Of 张三, 2026-11-27",
        "Of 张三, 2026-11-29",
        "Of 李四, 2026-11-28",
    ]
    assert "(1 day left): 1 customer" in found["text"]


def test_a_long_digest_counts_what_it_does_not_list(notify: OpenService) -> None:
    people = notify.organisation
    many = [_expiring(people.sales, days, 2) for days in range(MOST_LINES + 3)]

    receive(notify, RECYCLING, _digest(people.supervisor, *many))

    [found] = listed(notify, people.supervisor)
    lines = found["text"].splitlines()
    assert (len(lines), lines[-1]) == (1 + MOST_LINES + 1, "此外还有 6 个客户。")


def test_the_manager_reads_the_digest_of_an_owner_who_has_left(notify: OpenService) -> None:
    people = notify.organisation
    _dismiss(notify, people.sales)

    receive(notify, RECYCLING, _digest(people.sales, _expiring(people.sales, 0, 1, "甲")))

    [found] = listed(notify, people.supervisor)
    assert "张三负责，2026-11-26（今天到期）：1 个客户（甲）" in found["text"]


def test_whoever_decides_hears_of_a_request_unless_they_ask_themselves_or_have_left(notify: OpenService) -> None:
    people = notify.organisation
    _dismiss(notify, people.operations)
    deciders = [str(member.id) for member in (people.supervisor, people.operations, people.sales)]
    fact = pool.ExtensionRequested(**_extension(people.sales, 10), reason="等待预算", decider_ids=deciders)

    receive(notify, RECYCLING, fact)

    [found] = listed(notify, people.supervisor)
    assert found["title"] == "张三申请延期 10 天：客户「远大科技」"
    assert "理由：等待预算" in found["text"]
    assert found["subject"] == {"type": "extension", "id": fact.extension_id}
    assert _told(notify) == 1


@pytest.mark.parametrize(
    ("granted", "expires_on", "text"),
    [
        (True, "2026-12-06", "东区主管同意了客户「远大科技」延期 10 天。现到期日为 2026-12-06。"),
        (True, "", "东区主管同意了客户「远大科技」延期 10 天。"),
        (False, "2026-11-26", "东区主管拒绝了客户「远大科技」延期 10 天的申请。到期日仍为 2026-11-26。"),
    ],
)
def test_the_owner_hears_how_it_was_decided(notify: OpenService, granted: bool, expires_on: str, text: str) -> None:
    people = notify.organisation
    fact = pool.ExtensionDecided(
        **_extension(people.sales, 10), granted=granted, decided_by=str(people.supervisor.id), expires_on=expires_on
    )

    receive(notify, RECYCLING, fact)

    [found] = listed(notify, people.sales)
    assert found["text"] == text
    assert found["subject"] == {"type": "customer", "id": fact.customer_id}


def test_whoever_can_confirm_a_held_run_hears_why_it_waits(notify: OpenService, mail_server: MailServer) -> None:
    people = notify.organisation
    receivers = [str(people.admin.id), str(people.operations.id)]
    fact = pool.RecyclingHeld(
        run_id=str(new_id()), day="2026-11-26", reasons=["owner_share"], customers=31, receiver_ids=receivers
    )

    receive(notify, RECYCLING, fact)
    send_mail(notify.runtime)

    [found], [same] = listed(notify, people.admin), listed(notify, people.operations, Accept_Language="en")
    assert found["title"] == "2026-11-26 的自动回收待确认：31 个客户"
    assert "某些负责人名下将被收回的客户过多" in found["text"]
    assert "31 customers wait: too many customers of some owners would be taken." in same["text"]
    assert found["subject"] == {"type": "recycling_run", "id": fact.run_id}
    assert len(mail_server.mails) == 2


def test_ten_thousand_owners_hear_of_an_announced_rule_in_few_statements(notify: OpenService) -> None:
    people = notify.organisation
    counts = {str(people.sales.id): 12} | {str(new_id()): 1 for _ in range(9_999)}
    fact = pool.RecycleRuleAnnounced(
        rule_id=str(new_id()),
        pool_id=str(new_id()),
        pool_name="华东公海",
        effective_on="2026-12-01",
        receivers=[pool.ReceiverCount(member_id=id_, customers=count) for id_, count in counts.items()],
    )
    statements: list[str] = []
    sqlalchemy_event.listen(
        notify.database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2])
    )

    receive(notify, RECYCLING, fact)

    assert len(statements) < 30
    assert _told(notify) == len(counts)
    [found] = listed(notify, people.sales)
    assert found["title"] == "客户池「华东公海」的回收规则将于 2026-12-01 变更"
    assert "你负责的 12 个客户" in found["text"]


def test_whoever_runs_a_pool_hears_who_looked_at_many_contacts(notify: OpenService, mail_server: MailServer) -> None:
    people = notify.organisation
    fact = customer.RevealsSurged(
        member_id=str(people.sales.id),
        pool_id=str(new_id()),
        pool_name="公海客户池",
        reveals=20,
        minutes=10,
        receiver_ids=[str(people.supervisor.id), str(people.sales.id)],
    )

    for _ in range(2):
        receive(notify, REVEALS, event(fact, _SAME))
    send_mail(notify.runtime)

    [found] = listed(notify, people.supervisor)
    assert found["text"] == "张三在 10 分钟内查看了客户池「公海客户池」中 20 个被隐藏的联系方式，请核实。"
    assert listed(notify, people.sales) == []
    assert mail_server.of(people.supervisor) == mail_server.mails != []


@pytest.mark.parametrize("cause", [pool.CAUSE_RESCHEDULE, pool.CAUSE_CONFIRM, pool.CAUSE_CASCADE])
def test_a_new_date_and_moves_between_pools_tell_no_owner(notify: OpenService, cause: int) -> None:
    people = notify.organisation
    state = pool.AssignmentState(customer_id=str(new_id()), version=3)
    state.place.owner_id = str(people.sales.id)
    moved = pool.AssignmentChange(state=state, previous=state.place, customer_name="远大科技")
    if cause != pool.CAUSE_RESCHEDULE:
        moved.previous.pool_id, moved.state.place.pool_id = str(new_id()), str(new_id())

    receive(notify, ASSIGNMENTS, pool.AssignmentsChanged(changes=[moved], cause=cause, notice=pool.Notice(in_app=True)))

    assert _told(notify) == 0


_SAME = new_id()


def _digest(member: Member, *expiring: pool.ExpiringCustomers) -> Message:
    return pool.ExpiryDigest(member_id=str(member.id), day="2026-11-26", expiring=expiring)


def _expiring(owner: Member, days_left: int, customers: int, *names: str) -> pool.ExpiringCustomers:
    day = date(2026, 11, 26) + timedelta(days=days_left)
    return pool.ExpiringCustomers(
        owner_id=str(owner.id),
        expires_on=day.isoformat(),
        days_left=days_left,
        customers=customers,
        customer_names=names,
    )


def _extension(owner: Member, days: int) -> dict[str, Any]:
    ids = {"extension_id": str(new_id()), "customer_id": str(new_id()), "owner_id": str(owner.id)}
    return {**ids, "customer_name": "远大科技", "days": days}


def _told(notify: OpenService) -> int:
    with notify.database.reading() as session:
        return session.scalars(select(func.count()).select_from(Notification)).one()


def _dismiss(notify: OpenService, member: Member) -> None:
    gone = notify.organisation.member_state(member, version=2)
    gone.active = False
    with notify.database.transaction() as session:
        store.store_members(session, [gone])
