"""REST of the handover card (交接卡): past owners from the history, the rest from customer while it answers."""

from collections.abc import Sequence
from datetime import UTC, date
from decimal import Decimal
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.orm import Session

from chassis.http.api import Api
from chassis.http.call import Call
from crm.customer.v1 import customer_service_pb2 as pb
from crm_pool.assignments.http import Names, named, named_if, names_of
from crm_pool.assignments.queries import visible_assignment
from crm_pool.assignments.rules import Cause
from crm_pool.handover_cards import queries
from crm_pool.handover_cards.clients import ask_customer
from crm_pool.handover_cards.queries import Holding
from crm_pool.handover_cards.views import (
    CustomerPartView,
    HandoverCardView,
    OpenOpportunityView,
    PastOwnerView,
    PromiseView,
    TouchView,
)
from crm_pool.reasons.queries import labels_of
from directory.permissions import Permission

api = Api("handover cards")


@api.route(
    "GET",
    "/assignments/<uuid:customer_id>/handover-card",
    access=Permission.CUSTOMER_READ,
    summary="What a new owner should know of a customer",
    reply=HandoverCardView,
)
def read_handover_card(call: Call[None, None], customer_id: UUID) -> HandoverCardView:
    with call.runtime.database.reading() as session:
        visible_assignment(session, call.actor.id, customer_id)
        past = queries.past_holdings(session, customer_id)
        times = queries.times_in_pools(session, customer_id)
        past_owners = _past_owners(call, session, past)
    said, away = ask_customer(call.runtime, call.actor.id, customer_id)
    return HandoverCardView(
        customer_id=customer_id,
        past_owners=past_owners,
        times_in_pools=times,
        customer=_customer_part(call, said) if said else None,
        customer_away=away,
    )


def _past_owners(call: Call[None, None], session: Session, past: Sequence[Holding]) -> list[PastOwnerView]:
    names = names_of(session, {id_ for one in past for id_ in (one.owner_id, one.lost.actor_id)}, ())
    reasons = labels_of(session, {one.lost.reason_id for one in past if one.lost.reason_id}, call.language)
    text = call.runtime.messages.text
    return [
        PastOwnerView(
            member=named(one.owner_id, names),
            since=one.since,
            until=one.lost.at,
            cause=Cause(one.lost.cause),
            why=text(f"lost_by_{one.lost.cause}", call.language, {}),
            reason=reasons.get(one.lost.reason_id) if one.lost.reason_id else None,
            note=one.lost.reason_note,
            by=named_if(one.lost.actor_id, names),
        )
        for one in past
    ]


def _customer_part(call: Call[None, None], said: pb.GetHandoverCardResponse) -> CustomerPartView:
    members: Sequence[Any] = [*said.touches, *said.promises]
    with call.runtime.database.reading() as session:
        names = names_of(session, {UUID(one.member_id) for one in members}, ())
    return CustomerPartView(
        touches=[_touch(one, names) for one in said.touches],
        promises=[
            PromiseView(on=date.fromisoformat(one.on), member=_member(one.member_id, names), content=one.content)
            for one in said.promises
        ],
        opportunities=[
            OpenOpportunityView(
                id=UUID(one.id),
                name=one.name,
                stage=one.stage,
                amount=Decimal(one.amount) if one.amount else None,
                currency=one.currency or None,
            )
            for one in said.opportunities
        ],
    )


def _touch(one: pb.Touch, names: Names) -> TouchView:
    at: Timestamp = one.at
    return TouchView(
        at=at.ToDatetime(tzinfo=UTC), member=_member(one.member_id, names), method=one.method, content=one.content
    )


def _member(member_id: str, names: Names) -> Any:
    return named(UUID(member_id), names)
