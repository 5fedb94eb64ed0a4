"""A member hears of customers that they now work on beside the owner, or no longer do."""

import pytest

from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.collaborations.events import COLLABORATIONS
from directory import store
from services.notify.tests.support import event, listed, receive
from tests.support.organisation import Member
from tests.support.services import OpenService


def _changed(
    member: Member, actor: Member | None, *, added: bool = True, can_write: bool = False
) -> pb.CollaborationChanged:
    return pb.CollaborationChanged(
        customer_id=str(new_id()),
        customer_name="华夏春松",
        member_id=str(member.id),
        actor_id=str(actor.id) if actor else "",
        added=added,
        can_write=can_write,
    )


@pytest.mark.parametrize(
    ("change", "title", "text"),
    [
        ({}, "你成为了客户「华夏春松」的协助人", "张三让你成为客户「华夏春松」的协助人，可查看该客户。"),
        (
            {"can_write": True},
            "你成为了客户「华夏春松」的协助人",
            "张三让你成为客户「华夏春松」的协助人，可查看和编辑该客户。",
        ),
        ({"added": False}, "你不再是客户「华夏春松」的协助人", "张三结束了你对客户「华夏春松」的协助。"),
    ],
)
def test_the_member_is_told_once_in_the_app(
    notify: OpenService, change: dict[str, bool], title: str, text: str
) -> None:
    people = notify.organisation
    message = _changed(people.rival, people.sales, **change)
    fact = event(message)

    for _ in range(2):
        receive(notify, COLLABORATIONS, fact)

    [notice] = listed(notify, people.rival)
    assert (notice["title"], notice["text"]) == (title, text)
    opens = {"type": "customer", "id": message.customer_id}
    assert notice["subject"] == (opens if change.get("added", True) else None)
    assert listed(notify, people.sales) == []


def test_an_end_by_time_is_the_systems_and_told_in_english_too(notify: OpenService) -> None:
    people = notify.organisation

    receive(notify, COLLABORATIONS, _changed(people.rival, None, added=False))

    [notice] = listed(notify, people.rival, Accept_Language="en")
    assert notice["title"].startswith("You are no longer a collaborator of")


def test_ones_own_act_is_not_told_nor_that_of_one_who_has_left(notify: OpenService) -> None:
    people = notify.organisation
    gone = people.member_state(people.colleague, version=2)
    gone.active = False
    with notify.database.transaction() as session:
        store.store_members(session, [gone])

    receive(notify, COLLABORATIONS, _changed(people.rival, people.rival, added=False))
    receive(notify, COLLABORATIONS, _changed(people.colleague, None, added=False))

    for member in (people.rival, people.supervisor):
        assert listed(notify, member) == []
