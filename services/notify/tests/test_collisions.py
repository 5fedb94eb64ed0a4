"""Whoever decides a collision hears of it, and whom it concerns hears what was decided."""

import pytest

from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.collisions.events import COLLISIONS
from services.notify.tests.support import event, listed, receive
from tests.support.services import OpenService


@pytest.mark.parametrize(
    ("kind", "title", "text"),
    [
        (
            pb.COLLISION_KIND_COLLABORATE,
            "王五申请协助客户「华夏春松」",
            "王五申请协助客户「华夏春松」，请处理。理由：先报备",
        ),
        (
            pb.COLLISION_KIND_DISPUTE,
            "撞单：王五对客户「华夏春松」提出争议",
            "王五认为客户「华夏春松」应归自己负责，请对照双方记录后裁定。理由：先报备",
        ),
    ],
)
def test_whoever_decides_is_told_once_in_the_app(
    notify: OpenService, kind: pb.CollisionKind, title: str, text: str
) -> None:
    people = notify.organisation
    opened = pb.CollisionOpened(
        collision_id=str(new_id()),
        kind=kind,
        customer_id=str(new_id()),
        customer_name="华夏春松",
        asked_by=str(people.rival.id),
        reason="先报备",
        receiver_ids=[str(people.supervisor.id)],
    )
    fact = event(opened)

    for _ in range(2):
        receive(notify, COLLISIONS, fact)

    [notice] = listed(notify, people.supervisor)
    assert (notice["title"], notice["text"]) == (title, text)
    assert notice["subject"] == {"type": "collision", "id": opened.collision_id}
    assert listed(notify, people.rival) == []


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (pb.COLLISION_OUTCOME_KEEP, "stays as it is"),
        (pb.COLLISION_OUTCOME_COLLABORATE, "collaborate"),
        (pb.COLLISION_OUTCOME_GIVE, "goes to whoever asked"),
        (pb.COLLISION_OUTCOME_MERGE, "merged"),
        (pb.COLLISION_OUTCOME_WITHDRAWN, "withdrew"),
    ],
)
def test_each_side_is_told_what_was_decided(notify: OpenService, outcome: pb.CollisionOutcome, word: str) -> None:
    people = notify.organisation
    closed = pb.CollisionClosed(
        collision_id=str(new_id()),
        kind=pb.COLLISION_KIND_DISPUTE,
        outcome=outcome,
        customer_id=str(new_id()),
        customer_name="华夏春松",
        asked_by=str(people.rival.id),
        actor_id=str(people.supervisor.id),
        note="",
        receiver_ids=[str(people.rival.id), str(people.sales.id)],
    )

    receive(notify, COLLISIONS, closed)

    for member in (people.rival, people.sales):
        [notice] = listed(notify, member, Accept_Language="en")
        assert word in notice["text"]
        assert "Note:" not in notice["text"]
