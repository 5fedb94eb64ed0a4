"""Reading rows for files from the service that owns the records."""

import time
from collections.abc import Iterator, Sequence
from uuid import UUID

from chassis.errors import TooManyRequests, Unavailable
from chassis.rpc.client import on_behalf_of
from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from crm.common.v1.selection_pb2 import Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from crm_import.exports.rules import ExportKind

_KINDS = {
    ExportKind.CUSTOMERS: pb.RECORD_KIND_CUSTOMERS,
    ExportKind.CONTACTS: pb.RECORD_KIND_CONTACTS,
    ExportKind.ACTIVITIES: pb.RECORD_KIND_ACTIVITIES,
}
_PAGE_ROWS = 1000
_PAGE_SECONDS = 30
_LOOK_SECONDS = 3
# While customer restarts or reads for others, a page waits; after that the file is begun anew some time later.
_PATIENCE = 15
_WAIT_SECONDS = 2


def look(
    runtime: Runtime, actor_id: UUID, kind: ExportKind, selection: Selection, fields: Sequence[str]
) -> pb.ExportRowsResponse:
    """The first row, which tells whether the actor may export this and how many there are.

    Raises customer's refusal, Unavailable when it is away.
    """
    return _page(runtime, _request(actor_id, kind, selection, fields, page_size=1), _LOOK_SECONDS)


def pages(
    runtime: Runtime, actor_id: UUID, kind: ExportKind, selection: Selection, fields: Sequence[str]
) -> Iterator[pb.ExportRowsResponse]:
    """All pages, each read when it is asked for. Raises customer's refusal, Unavailable when it is away for long."""
    request = _request(actor_id, kind, selection, fields, page_size=_PAGE_ROWS)
    while True:
        page = _patiently(runtime, request)
        yield page
        if not page.next:
            return
        request.after = page.next


def _request(
    actor_id: UUID, kind: ExportKind, selection: Selection, fields: Sequence[str], page_size: int
) -> pb.ExportRowsRequest:
    return pb.ExportRowsRequest(
        actor_id=str(actor_id), kind=_KINDS[kind], selection=selection, fields=fields, page_size=page_size
    )


def _patiently(runtime: Runtime, request: pb.ExportRowsRequest) -> pb.ExportRowsResponse:
    for _ in range(_PATIENCE):
        try:
            return _page(runtime, request, _PAGE_SECONDS)
        except (Unavailable, TooManyRequests):
            time.sleep(_WAIT_SECONDS)
    return _page(runtime, request, _PAGE_SECONDS)


def _page(runtime: Runtime, request: pb.ExportRowsRequest, seconds: float) -> pb.ExportRowsResponse:
    stub = CustomerServiceStub(runtime.peers.channel("customer_bulk"))
    with peer_errors("customer"):
        page: pb.ExportRowsResponse = stub.ExportRows(
            request, timeout=seconds, metadata=on_behalf_of(UUID(request.actor_id))
        )
    return page
