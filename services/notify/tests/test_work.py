"""Who is told what of daily work: digests, reminders, tasks."""

from typing import Any

from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as customer
from crm_notify.sending.due import send_mail
from crm_notify.work.events import WORK
from services.notify.tests.support import MailServer, event, listed, receive
from tests.support.organisation import Member
from tests.support.services import OpenService


def _item(title: str, days_left: int, customer_name: str = "") -> customer.DueItem:
    return customer.DueItem(
        subject_type="task",
        subject_id=str(new_id()),
        customer_name=customer_name,
        title=title,
        due_on="2026-11-26",
        days_left=days_left,
    )


def _kinds(notify: OpenService, member: Member) -> list[str]:
    return sorted(one["kind"] for one in listed(notify, member))


def test_the_days_work_is_one_notice_with_its_groups_in_the_app_and_by_mail(
    notify: OpenService, mail_server: MailServer
) -> None:
    sales = notify.organisation.sales
    groups = [
        customer.DueGroup(
            kind=customer.DUE_KIND_FOLLOW_UP, count=7, items=[_item("约看样", -2, "甲公司"), _item("回电", 0, "乙公司")]
        ),
        customer.DueGroup(kind=customer.DUE_KIND_NOT_CONTACTED, count=1, items=[_item("丙公司", -1, "丙公司")]),
    ]
    fact = event(customer.WorkDigest(member_id=str(sales.id), day="2026-11-26", groups=groups))

    for _ in range(2):
        receive(notify, WORK, fact)
    send_mail(notify.runtime)

    [found] = listed(notify, sales)
    assert (found["kind"], found["title"]) == ("work_due", "今日待办 8 项")
    assert found["text"].splitlines() == [
        "2026-11-26 共有 8 项待办：",
        "跟单 7 项：约看样（甲公司）已逾期 2 天、回电（乙公司） 等",
        "未联系客户 1 项：丙公司已逾期 1 天",
    ]
    [mail] = mail_server.of(sales)
    assert mail["Subject"] == "今日待办 8 项"


def test_a_reminder_and_what_becomes_of_a_task_are_told_to_whom_they_concern(notify: OpenService) -> None:
    people = notify.organisation

    def changed(act: Any, *receivers: Member) -> Any:
        return event(
            customer.TaskChanged(
                task_id=str(new_id()),
                act=act,
                subject="寄合同",
                customer_name="甲公司",
                actor_id=str(people.supervisor.id),
                receiver_ids=[str(one.id) for one in receivers],
            )
        )

    reminder = customer.ReminderDue(
        member_id=str(people.sales.id), subject_type="schedule_entry", subject_id=str(new_id()), subject="例会"
    )
    receive(notify, WORK, event(reminder), changed(customer.TASK_ACT_ASSIGNED, people.sales))
    receive(
        notify,
        WORK,
        changed(customer.TASK_ACT_COMPLETED, people.rival),
        changed(customer.TASK_ACT_UNSPECIFIED, people.sales),
        changed(customer.TASK_ACT_HANDED_ON, people.rival),
    )

    assert _kinds(notify, people.sales) == ["reminder_due", "task_assigned"]
    assert _kinds(notify, people.rival) == ["task_completed", "task_handed_on"]
    assert {one["title"] for one in listed(notify, people.sales)} == {"提醒：例会", "东区主管给你安排了任务：寄合同"}


def test_a_dispatch_is_one_notice_for_each_handler_and_one_for_who_dispatched(notify: OpenService) -> None:
    people = notify.organisation
    handlers = [customer.HandlerCount(member_id=str(one.id), tasks=250) for one in (people.sales, people.rival)]
    fact = customer.TasksDispatched(
        dispatch_id=str(new_id()),
        subject="回访",
        actor_id=str(people.supervisor.id),
        succeeded=500,
        skipped=3,
        handlers=handlers,
    )

    receive(notify, WORK, event(fact))

    assert [_kinds(notify, one) for one in (people.sales, people.rival, people.supervisor)] == [
        ["tasks_dispatched"],
        ["tasks_dispatched"],
        ["dispatch_finished"],
    ]
    assert "250 个任务" in listed(notify, people.sales)[0]["title"]
