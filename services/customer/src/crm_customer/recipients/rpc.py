"""gRPC of mailings' recipients, for the notify service alone."""

import re
from typing import cast
from uuid import UUID

import grpc

from chassis.errors import Forbidden, Invalid
from chassis.rpc.server import current_caller
from chassis.runtime import Runtime
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.sight import sight_of
from crm_customer.listing.pages import matching_after, visible_after
from crm_customer.listing.queries import total, visible_ids
from crm_customer.listing.selections import filter_selected, uuid_of
from crm_customer.recipients.queries import Recipient, recipients_among
from crm_customer.recipients.rules import Reading, email_address, mobile_number
from crm_customer.settings import Settings
from directory.permissions import Permission

DEFAULT_ROWS, MOST_ROWS = 500, 1000
MOST_IDS = 20_000


class Recipients:
    """ListRecipients of CustomerService."""

    runtime: Runtime

    def ListRecipients(
        self, request: pb.ListRecipientsRequest, context: grpc.ServicerContext
    ) -> pb.ListRecipientsResponse:
        """Rights, scope and masks are those of this moment (decision 0036)."""
        actor_id = current_caller().require_actor()
        pattern = cast(Settings, self.runtime.settings).mobile_pattern
        reading, size, ids = _reading(request, pattern), _size(request), _ids(request)
        counts = {}
        with self.runtime.database.reading() as session:
            sight = sight_of(session, actor_id)
            for permission in _needed(request):
                if not sight.scope.may(permission):
                    raise Forbidden("forbidden", permission=permission)
            if ids:
                page, goes_on = visible_after(session, sight, ids, request.after, size)
                if not request.after:
                    known = len(visible_ids(session, sight, ids))
                    counts = {"total": known, "left_out": len(ids) - known}
            else:
                wanted = filter_selected(session, sight, request.selection.filter, pattern)
                page, goes_on = matching_after(session, sight, wanted, request.after, size)
            found = recipients_among(session, sight, page, reading)
        if not ids and not request.after:
            counts = {"total": total(self.runtime.database, sight, wanted).rows}
        return pb.ListRecipientsResponse(recipients=map(_written, found), next=goes_on, **counts)


def _needed(request: pb.ListRecipientsRequest) -> list[Permission]:
    writes = request.address != pb.ADDRESS_KIND_NONE
    return [Permission.CUSTOMER_READ, *([Permission.NOTIFY_MAIL] if writes else [])]


def _reading(request: pb.ListRecipientsRequest, mobile_pattern: str) -> Reading:
    if request.address == pb.ADDRESS_KIND_EMAIL:
        return Reading("email", email_address)
    if request.address == pb.ADDRESS_KIND_MOBILE:
        pattern = re.compile(mobile_pattern)
        return Reading("mobile", lambda value: mobile_number(value, pattern))
    if request.address == pb.ADDRESS_KIND_NONE:
        return Reading("email", lambda _: "")
    raise Invalid("unknown_address_kind")


def _size(request: pb.ListRecipientsRequest) -> int:
    size = request.page_size or DEFAULT_ROWS
    if not 0 < size <= MOST_ROWS:
        raise Invalid("limit_out_of_range", most=MOST_ROWS)
    return size


def _ids(request: pb.ListRecipientsRequest) -> list[UUID]:
    """The customers asked for by id; none: they are asked for by a filter."""
    if request.selection.WhichOneof("kind") == "filter":
        return []
    ids = list(dict.fromkeys(map(uuid_of, request.selection.ids.ids)))
    if not 0 < len(ids) <= MOST_IDS:
        raise Invalid("too_many_items" if ids else "select_customers_first", max_items=MOST_IDS)
    return ids


def _written(one: Recipient) -> pb.Recipient:
    return pb.Recipient(
        customer_id=str(one.customer_id),
        customer_name=one.customer_name,
        contact_name=one.contact_name,
        address=one.address,
        skip_code=one.skip_code,
        owner_id=str(one.owner_id or ""),
    )
