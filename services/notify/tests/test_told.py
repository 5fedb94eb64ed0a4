"""Who is told what of other services' facts."""

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select

from chassis.identifiers import new_id
from crm.imports.v1 import imports_events_pb2 as imports
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.assignments.rules import concerns_somebody, notices_of_changes
from crm_notify.imports.events import IMPORTS
from crm_notify.notifications.model import Notification
from crm_notify.sending.due import send_mail
from directory import store
from services.notify.tests.support import (
    MailServer,
    batch_finished,
    change,
    changed,
    event,
    export_finished,
    import_finished,
    listed,
    receive,
)
from tests.support.organisation import Member
from tests.support.services import OpenService

LOST = [
    (pool.CAUSE_TRANSFER, "customers_transferred_out"),
    (pool.CAUSE_RELEASE, "customers_released"),
    (pool.CAUSE_RECYCLE, "customers_recycled"),
    (pool.CAUSE_HANDOVER, "customers_handed_over"),
]


@pytest.mark.parametrize(
    ("language", "title", "text"),
    [
        ("zh", "客户「远大科技」已分配给你", "东区主管将客户「远大科技」分配给你，请及时跟进。"),
        (
            "en",
            "You were assigned the customer “远大科技”",
            "东区主管 assigned the customer “远大科技” to you. Please follow up soon.",
        ),
    ],
)
def test_a_new_owner_is_told_in_the_readers_language(notify: OpenService, language: str, title: str, text: str) -> None:
    people = notify.organisation
    moved = change(people.sales)

    receive(notify, ASSIGNMENTS, changed(moved, actor=people.supervisor))

    [found] = listed(notify, people.sales, Accept_Language=language)
    assert (found["kind"], found["title"], found["text"]) == ("customers_assigned", title, text)
    assert found["subject"] == {"type": "customer", "id": moved.state.customer_id}
    assert found["read_at"] is None


@pytest.mark.parametrize(
    "cause", [pool.CAUSE_BIRTH, pool.CAUSE_IMPORT, pool.CAUSE_CLAIM, pool.CAUSE_MOVE, pool.CAUSE_RESUME]
)
def test_other_causes_tell_nobody(notify: OpenService, cause: int) -> None:
    people = notify.organisation

    receive(notify, ASSIGNMENTS, changed(change(people.sales, people.colleague), cause=cause, actor=people.sales))

    assert listed(notify, people.sales) == listed(notify, people.colleague) == []


@pytest.mark.parametrize("batch_id", ["", "0190a7b2-0000-7000-8000-000000000001"])
@pytest.mark.parametrize("cause", pool.Cause.values())
def test_a_fact_is_left_unread_when_nobody_is_told_of_it(cause: pool.Cause.ValueType, batch_id: str) -> None:
    moved = change(new_id(), new_id())
    moved.state.place.owner_id, moved.previous.owner_id = str(new_id()), str(new_id())
    fact = changed(moved, cause=cause, batch_id=batch_id)

    assert concerns_somebody(fact) is any(notices_of_changes(new_id(), fact))


def test_nobody_is_told_of_their_own_act(notify: OpenService) -> None:
    people = notify.organisation

    receive(notify, ASSIGNMENTS, changed(change(people.sales), actor=people.sales))
    receive(notify, ASSIGNMENTS, changed(change(new_id(), people.sales), cause=pool.CAUSE_RELEASE, actor=people.sales))

    assert listed(notify, people.sales) == []


def test_a_new_owner_is_told_only_as_the_operator_wished(notify: OpenService) -> None:
    people = notify.organisation

    receive(notify, ASSIGNMENTS, changed(change(people.sales), actor=people.supervisor, notice=pool.Notice()))

    assert listed(notify, people.sales) == []


@pytest.mark.parametrize(("cause", "kind"), LOST)
def test_a_former_owner_is_told_whatever_the_operator_wished(notify: OpenService, cause: int, kind: str) -> None:
    people = notify.organisation
    moved = change(new_id(), people.sales)

    receive(notify, ASSIGNMENTS, changed(moved, cause=cause, actor=people.supervisor, notice=pool.Notice()))

    [found] = listed(notify, people.sales)
    assert found["kind"] == kind
    assert "远大科技" in found["title"]


def test_a_change_of_date_alone_tells_nobody(notify: OpenService) -> None:
    people = notify.organisation

    receive(notify, ASSIGNMENTS, changed(change(people.sales, people.sales), cause=pool.CAUSE_TRANSFER))

    assert listed(notify, people.sales) == []


def test_several_customers_of_one_act_are_one_notification(notify: OpenService) -> None:
    people = notify.organisation
    moves = [change(people.sales, name=name) for name in ("甲", "乙", "丙", "丁")]

    receive(notify, ASSIGNMENTS, changed(*moves, change(people.colleague, name="戊"), actor=people.supervisor))

    [found] = listed(notify, people.sales)
    assert found["title"] == "4 个客户已分配给你"
    assert "（甲、乙、丙 等）" in found["text"]
    assert found["subject"] is None
    assert listed(notify, people.colleague)[0]["title"] == "客户「戊」已分配给你"


def test_a_batch_tells_each_receiver_once_with_its_count(notify: OpenService) -> None:
    people = notify.organisation
    finished = batch_finished(
        {people.sales: 13, people.colleague: 12}, actor=people.supervisor, succeeded=25, skipped=3
    )
    moves = [change(people.sales) for _ in range(13)] + [change(people.colleague) for _ in range(12)]

    receive(notify, ASSIGNMENTS, changed(*moves, actor=people.supervisor, batch_id=finished.batch_id), finished)

    assert [found["title"] for found in listed(notify, people.sales)] == ["13 个客户已分配给你"]
    assert [found["title"] for found in listed(notify, people.colleague)] == ["12 个客户已分配给你"]
    [summary] = listed(notify, people.supervisor)
    assert summary["text"] == "批量分配已完成：成功 25 个，跳过 3 个。"
    assert summary["subject"] == {"type": "assignment_batch", "id": finished.batch_id}
    assert summary["batch_id"] == finished.batch_id


@pytest.mark.parametrize("cause", pool.Cause.values())
def test_of_changes_told_by_column_nobody_is_told_before_their_batch_ends(cause: pool.Cause.ValueType) -> None:
    owner, former = str(new_id()), str(new_id())
    moved = pool.MovedTogether(customer_ids=[str(new_id())], versions=[2], former_owner_ids=[former])
    moved.common.place.owner_id = owner
    fact = changed(cause=cause, batch_id=str(new_id()), together=[moved])

    assert not concerns_somebody(fact)
    assert not any(notices_of_changes(new_id(), fact))


def test_a_nightly_recycling_tells_each_former_owner_once(notify: OpenService) -> None:
    people = notify.organisation
    lost = [pool.ReceiverCount(member_id=str(people.sales.id), customers=40)]

    receive(notify, ASSIGNMENTS, batch_finished({}, cause=pool.CAUSE_RECYCLE, succeeded=40, former_owners=lost))

    assert [found["title"] for found in listed(notify, people.sales)] == ["40 个客户已被自动回收"]


@pytest.mark.parametrize(("succeeded", "skipped", "told"), [(20, 0, 0), (21, 0, 1), (1, 1, 1)])
def test_an_actor_gets_a_summary_of_long_batches_and_of_skips(
    notify: OpenService, succeeded: int, skipped: int, told: int
) -> None:
    people = notify.organisation

    receive(notify, ASSIGNMENTS, batch_finished({}, actor=people.supervisor, succeeded=succeeded, skipped=skipped))

    assert len(listed(notify, people.supervisor)) == told


def test_a_batch_of_own_claims_tells_nobody(notify: OpenService) -> None:
    people = notify.organisation
    finished = batch_finished({people.sales: 3}, cause=pool.CAUSE_CLAIM, actor=people.sales, succeeded=3)

    receive(notify, ASSIGNMENTS, finished)

    assert listed(notify, people.sales) == []


@pytest.mark.parametrize(
    ("status", "title"), [("finished", "导入完成"), ("failed", "导入失败"), ("cancelled", "导入已取消")]
)
def test_the_actor_of_an_import_gets_its_counts(notify: OpenService, status: str, title: str) -> None:
    people = notify.organisation
    finished = import_finished(people.sales, status=status)

    receive(notify, IMPORTS, finished)

    [found] = listed(notify, people.sales)
    assert found["title"] == f"{title}：客户.xlsx"
    assert "新建 4，更新 3，跳过 2，失败 1" in found["text"]
    assert found["subject"] == {"type": "import", "id": finished.job.id}


@pytest.mark.parametrize(
    ("kind", "chinese", "english"),
    [
        ("", "客户文件", "customers"),
        ("customers", "客户文件", "customers"),
        ("contacts", "联系人文件", "contacts"),
        ("activities", "跟进记录文件", "follow-ups"),
        ("members", "成员文件", "members"),
    ],
)
def test_what_was_imported_is_told(notify: OpenService, kind: str, chinese: str, english: str) -> None:
    people = notify.organisation
    receive(notify, IMPORTS, import_finished(people.admin, kind=kind))

    [in_chinese], [in_english] = (listed(notify, people.admin, Accept_Language=language) for language in ("zh", "en"))

    assert in_chinese["text"].startswith(f"{chinese}「客户.xlsx」导入完成")
    assert f"import of {english} from" in in_english["text"]


def test_new_owners_are_told_once_how_many_customers_an_import_brought_them_and_its_importer_is_not(
    notify: OpenService,
) -> None:
    people = notify.organisation
    finished = event(import_finished(people.sales))
    for member, count in ((people.colleague, 12), (people.supervisor, 1), (people.sales, 3)):
        finished.message.receivers.add(member_id=str(member.id), customers=count)

    for _ in range(2):
        receive(notify, IMPORTS, finished)

    [in_chinese], [in_english] = (
        listed(notify, people.colleague, Accept_Language=language) for language in ("zh", "en")
    )
    assert in_chinese["title"] == "12 个客户导入到你名下"
    assert in_chinese["text"] == "张三通过文件「客户.xlsx」将12 个客户导入到你名下，请及时跟进。"
    assert in_english["text"] == "张三 imported 12 customers to you from “客户.xlsx”. Please follow up soon."
    assert [one["title"] for one in listed(notify, people.supervisor)] == ["1 个客户导入到你名下"]
    assert [one["title"] for one in listed(notify, people.sales)] == ["导入完成：客户.xlsx"]


def test_who_undoes_an_import_and_its_importer_are_told(notify: OpenService) -> None:
    people = notify.organisation
    job = import_finished(people.sales, status="undone").job
    by_another = imports.ImportUndone(job=job, actor_id=str(people.admin.id), undone=5, left=2)
    by_importer = imports.ImportUndone(job=job, actor_id=str(people.sales.id), undone=7, left=0)

    receive(notify, IMPORTS, by_another)
    receive(notify, IMPORTS, by_importer)

    [of_admin] = listed(notify, people.admin)
    assert of_admin["title"] == "导入已撤销：客户.xlsx"
    whole, part = listed(notify, people.sales)
    assert part["text"] == (
        "客户文件「客户.xlsx」的导入已由管理员撤销：5 行已恢复到导入前，2 行因导入后又有改动而保留，请打开导入任务查看原因。"
    )
    assert whole["text"].endswith("7 行已恢复到导入前。")
    assert part["subject"] == {"type": "import", "id": job.id}


@pytest.mark.parametrize(
    ("status", "title", "text"),
    [
        ("finished", "导出完成：客户.xlsx", "共 7 行，请在 2026-12-04 前下载"),
        ("failed", "导出失败：客户.xlsx", "请打开导出任务查看原因"),
    ],
)
def test_the_actor_of_an_export_is_told_where_its_file_is(
    notify: OpenService, status: str, title: str, text: str
) -> None:
    people = notify.organisation
    ended = export_finished(people.supervisor, status=status)

    receive(notify, IMPORTS, ended, export_finished(people.sales, status="cancelled"))

    [found] = listed(notify, people.supervisor)
    assert (found["title"], text in found["text"]) == (title, True)
    assert found["subject"] == {"type": "export", "id": ended.job.id}
    assert listed(notify, people.sales) == []


def test_a_repeated_fact_tells_once(notify: OpenService) -> None:
    people = notify.organisation
    fact = event(changed(change(people.sales), actor=people.supervisor, notice=pool.Notice(in_app=True, email=True)))

    for _ in range(3):
        receive(notify, ASSIGNMENTS, fact)
    with notify.database.transaction() as session:  # as if the inbox had forgotten it
        ASSIGNMENTS.apply(session, [fact])

    assert len(listed(notify, people.sales)) == 1


def test_the_manager_hears_in_place_of_a_member_who_has_left(notify: OpenService) -> None:
    people = notify.organisation
    left = [people.sales, people.colleague]
    _dismiss(notify, *left)

    moves = [change(new_id(), member) for member in left]
    receive(notify, ASSIGNMENTS, changed(*moves, cause=pool.CAUSE_RECYCLE))

    [found] = listed(notify, people.supervisor)
    assert found["title"] == "2 个客户已被自动回收"
    assert "张三" in found["text"]
    assert "李四" in found["text"]


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("zh", "张三已离职，名下 3 个客户将于 2026-12-03 移交"),
        ("en", "张三 has left; 3 customers will be handed over on 2026-12-03"),
    ],
)
def test_the_manager_is_told_that_an_owner_has_left_once_and_with_what_to_open(
    notify: OpenService, mail_server: MailServer, language: str, title: str
) -> None:
    people = notify.organisation
    fact = event(_left(people.sales))

    receive(notify, ASSIGNMENTS, fact)
    with notify.database.transaction() as session:  # as if the inbox had forgotten it
        ASSIGNMENTS.apply(session, [fact])
    send_mail(notify.runtime)

    [found] = listed(notify, people.supervisor, Accept_Language=language)
    assert (found["kind"], found["title"]) == ("owner_left", title)
    assert found["subject"] == {"type": "leaver", "id": str(people.sales.id)}
    assert "2026-12-03" in found["text"]
    assert listed(notify, people.sales) == listed(notify, people.admin) == []
    [mail] = mail_server.mails
    assert mail["Subject"] == "张三已离职，名下 3 个客户将于 2026-12-03 移交"
    assert mail_server.of(people.supervisor) == [mail]


def test_where_no_manager_is_left_administrators_are_told_that_an_owner_has_left(notify: OpenService) -> None:
    people = notify.organisation
    _dismiss(notify, people.supervisor)

    receive(notify, ASSIGNMENTS, _left(people.sales), _left(people.admin))

    assert [found["title"] for found in listed(notify, people.admin)] == [
        "张三已离职，名下 3 个客户将于 2026-12-03 移交"
    ]
    assert listed(notify, people.operations) == []


def test_the_manager_is_told_of_a_hand_over_in_the_leavers_place(notify: OpenService) -> None:
    people = notify.organisation
    _dismiss(notify, people.sales)
    lost = [pool.ReceiverCount(member_id=str(people.sales.id), customers=40)]

    receive(notify, ASSIGNMENTS, batch_finished({}, cause=pool.CAUSE_HANDOVER, succeeded=40, former_owners=lost))

    [found] = listed(notify, people.supervisor)
    assert (found["kind"], found["title"]) == ("customers_handed_over", "40 个客户已交接")
    assert "张三已离职" in found["text"]


def test_owners_are_told_what_an_undo_returned_and_its_actor_what_it_did_not(notify: OpenService) -> None:
    people = notify.organisation

    receive(
        notify,
        ASSIGNMENTS,
        batch_finished({people.sales: 2}, cause=pool.CAUSE_UNDO, actor=people.operations, succeeded=2, skipped=1),
    )

    [found], [summary] = listed(notify, people.sales), listed(notify, people.operations)
    assert (found["kind"], found["title"]) == ("customers_returned", "2 个客户已归还给你")
    assert found["text"] == "运营小陈撤销了回收，2 个客户重新由你负责。"
    assert summary["text"] == "批量撤销回收已完成：成功 2 个，跳过 1 个。"


def test_many_receivers_take_few_statements(notify: OpenService) -> None:
    receivers = {_stranger(number): number + 1 for number in range(2500)}
    statements: list[str] = []
    engine = notify.database.engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    receive(notify, ASSIGNMENTS, batch_finished(receivers, succeeded=len(receivers)))

    assert len(statements) < 20
    with notify.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Notification)) == 2500


def _left(member: Member) -> pool.OwnerLeft:
    return pool.OwnerLeft(member_id=str(member.id), customers=3, hands_over_on="2026-12-03")


def _dismiss(notify: OpenService, *members: Member) -> None:
    states = [notify.organisation.member_state(member, version=2) for member in members]
    for state in states:
        state.active = False
    with notify.database.transaction() as session:
        store.store_members(session, states)


def _stranger(number: int) -> Member:
    return Member(new_id(), f"成员{number}", "sales", new_id())
