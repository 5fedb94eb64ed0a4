"""gRPC of what was done with a customer."""

from uuid import UUID

import grpc

from chassis.errors import Forbidden, Invalid
from chassis.rpc.server import current_caller
from chassis.runtime import Runtime
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.queries import sight_of, visible_customer
from directory.permissions import Permission


class HandoverCards:
    """GetHandoverCard of CustomerService. Follow-ups and opportunities are not kept yet: a card is empty."""

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
        return pb.GetHandoverCardResponse()
