"""Owners of customers that were merged away hear of it once, in the app alone."""

from typing import Any

from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.merges.events import MERGES
from services.notify.tests.support import event, listed, receive
from tests.support.organisation import Member
from tests.support.services import OpenService


def _fact(message: Any, actor: Member, *losers: tuple[str, Member | None]) -> Any:
    return message(
        merge_id=str(new_id()),
        survivor=pb.CustomerState(id=str(new_id()), name="华夏春松"),
        losers=[
            pb.MergedCustomer(id=str(new_id()), name=name, owner_id=str(owner.id) if owner else "")
            for name, owner in losers
        ],
        actor_id=str(actor.id),
    )


def test_each_owner_of_losers_is_told_once_of_all_of_theirs(notify: OpenService) -> None:
    people = notify.organisation
    losers = (
        ("甲", people.sales),
        ("乙", people.sales),
        ("丙", people.colleague),
        ("丁", people.supervisor),
        ("戊", None),
    )
    message = _fact(pb.CustomersMerged, people.supervisor, *losers)
    fact = event(message)

    for _ in range(2):
        receive(notify, MERGES, fact)

    [of_two] = listed(notify, people.sales)
    assert of_two["title"] == "2 个客户已合并到「华夏春松」"
    assert "将由你负责的2 个客户（甲、乙）合并到了客户「华夏春松」" in of_two["text"]
    assert of_two["subject"] == {"type": "customer", "id": message.survivor.id}
    assert [one["title"] for one in listed(notify, people.colleague)] == ["客户「丙」已合并到「华夏春松」"]
    assert listed(notify, people.supervisor) == []


def test_an_undo_opens_ones_own_customer_again(notify: OpenService) -> None:
    people = notify.organisation
    message = _fact(pb.CustomersUnmerged, people.supervisor, ("甲", people.sales))

    receive(notify, MERGES, message)

    [notice] = listed(notify, people.sales)
    assert notice["title"] == "客户「甲」的合并已撤销"
    assert notice["subject"] == {"type": "customer", "id": message.losers[0].id}
