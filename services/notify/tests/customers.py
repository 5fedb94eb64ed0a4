"""A real gRPC server standing in for customer, and what tests of mailings ask of notify."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc

from chassis.errors import Refusal
from chassis.identifiers import new_id
from chassis.rpc.errors import abort
from crm.customer.v1 import customer_service_pb2 as pb
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceServicer, add_CustomerServiceServicer_to_server
from directory import store
from tests.support.organisation import Member
from tests.support.services import OpenService


@dataclass
class CustomerStandIn(CustomerServiceServicer):
    """Answers ListRecipients with `found`, in pages: of those asked for by id, or all. `asked`: who asked what;
    `total`: how many it says there are; `away`: it does not answer; `refusal`: what it refuses with; `before`: what
    happens while its answer is under way.
    """

    bind: str = ""
    found: Sequence[pb.Recipient] = ()
    total: int | None = None
    away: bool = False
    refusal: Refusal | None = None
    before: Callable[[], object] = lambda: None
    asked: list[tuple[str, pb.ListRecipientsRequest]] = field(default_factory=list)

    def ListRecipients(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        if self.refusal is not None:
            abort(context, self.refusal)
        self.asked.append((dict(context.invocation_metadata())["x-actor"], request))
        self.before()
        ids = list(request.selection.ids.ids)
        matching = [one for one in self.found if not ids or one.customer_id in ids]
        start, size = int(request.after or 0), request.page_size or 500
        goes_on = start + size < len(matching)
        return pb.ListRecipientsResponse(
            recipients=matching[start : start + size],
            next=str(start + size) if goes_on else "",
            total=(len(matching) if self.total is None else self.total) if not start else 0,
            left_out=max(0, len(ids) - len(matching)),
        )


@contextmanager
def standing_in() -> Iterator[CustomerStandIn]:
    """A stand-in for customer on a port of its own."""
    stand_in = CustomerStandIn()
    server = grpc.server(ThreadPoolExecutor(4))
    add_CustomerServiceServicer_to_server(stand_in, server)
    stand_in.bind = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield stand_in
    finally:
        server.stop(0).wait()


def recipient(
    address: str = "", name: str = "远大", contact: str = "王芳", skip: str = "", owner_id: UUID | None = None
) -> pb.Recipient:
    """One customer as ListRecipients tells it."""
    return pb.Recipient(
        customer_id=str(new_id()),
        customer_name=name,
        contact_name=contact,
        address=address,
        skip_code=skip,
        owner_id=str(owner_id or ""),
    )


def send(opened: OpenService, member: Member, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """The reply to a request below /api/v1."""
    signed = opened.headers(member, **headers)
    return opened.client.open(f"/api/v1{path}", method=method, json=body, headers=signed)


def without_right(opened: OpenService, role: str, permission: str) -> None:
    """As if identity had taken a right from a role."""
    state = opened.organisation.role_state(role)
    state.version = 2
    kept = [held for held in state.permissions if held != permission]
    del state.permissions[:]
    state.permissions.extend(kept)
    with opened.database.transaction() as session:
        store.store_roles(session, [state])
