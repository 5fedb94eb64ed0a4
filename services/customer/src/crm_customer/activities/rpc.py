"""gRPC of what was done with a customer."""

from uuid import UUID

import grpc

from chassis.clock import now
from chassis.days import day_of
from chassis.errors import Forbidden, Invalid
from chassis.rpc.server import current_caller
from chassis.runtime import Runtime
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.activities.model import Activity
from crm_customer.activities.queries import last_touches, promises
from crm_customer.activities.rules import SHOWN_IN_CARD
from crm_customer.customers.projection import stamp
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import sight_of
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.queries import newest_open
from directory.permissions import Permission
from directory.scope import zone_of

_MOST = 5


class HandoverCards:
    """GetHandoverCard of CustomerService."""

    runtime: Runtime

    def GetHandoverCard(
        self, request: pb.GetHandoverCardRequest, context: grpc.ServicerContext
    ) -> pb.GetHandoverCardResponse:
        try:
            customer_id = UUID(request.customer_id)
        except ValueError as error:
            raise Invalid("uuid_parsing") from error
        with self.runtime.database.reading() as session:
            sight = sight_of(session, current_caller().require_actor())
            if not sight.scope.may(Permission.CUSTOMER_READ):
                raise Forbidden("forbidden", permission=Permission.CUSTOMER_READ)
            visible_customer(session, sight, customer_id)
            today = day_of(now(), zone_of(session))
            return pb.GetHandoverCardResponse(
                touches=map(_touch, last_touches(session, customer_id, _MOST)),
                promises=map(_promise, promises(session, customer_id, today, _MOST)),
                opportunities=map(_opportunity, newest_open(session, customer_id, _MOST)),
            )


def _touch(activity: Activity) -> pb.Touch:
    return pb.Touch(
        at=stamp(activity.at),
        member_id=str(activity.member_id),
        method=activity.method or "",
        content=activity.content[:SHOWN_IN_CARD],
    )


def _promise(activity: Activity) -> pb.Promise:
    day = activity.next_contact_on.isoformat() if activity.next_contact_on else ""
    return pb.Promise(on=day, member_id=str(activity.member_id), content=activity.content[:SHOWN_IN_CARD])


def _opportunity(one: Opportunity) -> pb.OpenOpportunity:
    amount = "" if one.amount is None else str(one.amount)
    return pb.OpenOpportunity(id=str(one.id), name=one.name, stage=one.stage, amount=amount, currency=one.currency)
