"""Who is told of the end of a batch of customers."""

import pytest

from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.batches.events import CUSTOMER_BATCHES
from directory import store
from services.notify.tests.support import event, listed, receive
from tests.support.organisation import Member
from tests.support.services import OpenService


def _finished(
    actor: Member, owners: dict[Member, int], kind: int = pb.CUSTOMER_BATCH_KIND_DELETE
) -> pb.CustomerBatchFinished:
    counted = [pb.OwnerCount(member_id=str(member.id), customers=count) for member, count in owners.items()]
    counts = {"succeeded": 40, "skipped": 2, "failed": 1}
    return pb.CustomerBatchFinished(batch_id=str(new_id()), kind=kind, actor_id=str(actor.id), owners=counted, **counts)


def test_the_actor_is_told_the_counts_and_each_owner_theirs(notify: OpenService) -> None:
    people = notify.organisation
    fact = event(_finished(people.operations, {people.sales: 30, people.rival: 1}))

    for _ in range(2):
        receive(notify, CUSTOMER_BATCHES, fact)

    [summary] = listed(notify, people.operations)
    assert summary["title"] == "批量删除已完成"
    assert summary["text"] == "批量删除已完成：成功 40 个，跳过 2 个，失败 1 个。"
    assert summary["subject"] == {"type": "customer_batch", "id": fact.message.batch_id}
    [many], [one] = listed(notify, people.sales), listed(notify, people.rival, Accept_Language="en")
    assert many["text"] == "运营小陈删除了由你负责的30 个客户，可在回收站中查看。"
    assert (one["title"], one["text"]) == (
        "Deleted: 1 customer",
        "运营小陈 deleted 1 customer of yours; the recycle bin has what was deleted.",
    )
    assert listed(notify, people.supervisor) == []


@pytest.mark.parametrize(
    ("kind", "told", "cause"),
    [
        (pb.CUSTOMER_BATCH_KIND_RESTORE, "customers_restored", "批量还原已完成"),
        (pb.CUSTOMER_BATCH_KIND_UPDATE, "customers_changed", "批量修改已完成"),
        (pb.CUSTOMER_BATCH_KIND_TAG, "customers_tagged", "批量打标签已完成"),
    ],
)
def test_each_act_has_its_words(notify: OpenService, kind: int, told: str, cause: str) -> None:
    people = notify.organisation

    receive(notify, CUSTOMER_BATCHES, _finished(people.admin, {people.sales: 3}, kind))

    assert [one["title"] for one in listed(notify, people.admin)] == [cause]
    assert [one["kind"] for one in listed(notify, people.sales)] == [told]


def test_the_manager_hears_for_an_owner_who_has_left(notify: OpenService) -> None:
    people = notify.organisation
    left = people.member_state(people.sales, version=2)
    left.active = False
    with notify.database.transaction() as session:
        store.store_members(session, [left])

    receive(notify, CUSTOMER_BATCHES, _finished(people.admin, {people.sales: 3, people.supervisor: 2}))

    [told] = listed(notify, people.supervisor)
    assert (told["kind"], "5 个客户" in told["title"], "张三已离职" in told["text"]) == (
        "customers_deleted",
        True,
        True,
    )
