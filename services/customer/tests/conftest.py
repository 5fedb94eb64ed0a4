"""The customer service, opened for a test beside a stand-in of the pool service."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import update

from chassis.auth.tokens import ServiceTokens
from chassis.errors import Unavailable
from chassis.identifiers import new_id
from chassis.rpc.client import Peers
from chassis.rpc.errors import refusal_of
from chassis.rpc.server import GrpcServer
from crm.common.v1.place_pb2 import Place
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from crm.identity.v1 import identity_events_pb2 as identity
from crm.pool.v1 import pool_events_pb2 as events
from crm.pool.v1 import pool_service_pb2 as pb
from crm.pool.v1.pool_service_pb2_grpc import PoolServiceServicer, add_PoolServiceServicer_to_server
from crm_customer.contacts.model import Contact
from crm_customer.ownership.projection import apply_assignments, keep_pools
from crm_customer.ownership.rules import HIDDEN_BY_DEFAULT
from crm_customer.service import SERVICE
from highsea_local.ports import free_port
from tests.support.bulk import Importer
from tests.support.organisation import Member
from tests.support.services import Keys, Opener, OpenService


class PoolStandIn(PoolServiceServicer):
    """Places customers as they wish. `refuse` says which wishes go to `fallback` instead, and why; `away` makes it
    answer nothing.
    """

    def __init__(self) -> None:
        self.away = False
        self.meanwhile: Callable[[], object] = lambda: None
        self.refuse: dict[str, str] = {}
        self.fallback = new_id()
        self.assignments: dict[str, events.AssignmentState] = {}
        self.pools: list[events.Pool] = []
        self.plans: dict[str, dict[str, pb.PlacedTogether]] = {}
        self.rehearsed: dict[str, int] = {}
        self.expires_on = "2027-01-31"
        self.history: list[pb.RecordedChange] = []

    def PlaceCustomers(self, request: pb.PlaceCustomersRequest, context: Any) -> pb.PlaceCustomersResponse:
        self._answering()
        placements = [self._placed(customer) for customer in request.customers]
        self.assignments |= {placement.assignment.customer_id: placement.assignment for placement in placements}
        return pb.PlaceCustomersResponse(placements=placements)

    def PlanPlacement(self, request: pb.PlanPlacementRequest, context: Any) -> pb.PlanPlacementResponse:
        self._answering()
        self.meanwhile()
        if request.rehearsal:
            self.rehearsed = {one.owner_id: one.customers for one in request.rehearsed}
        plan = {} if request.rehearsal else self.plans.setdefault(request.placement_id, {})
        answered: dict[tuple[str, str], pb.PlacedTogether] = {}
        for wished in request.wished:
            for customer_id in wished.customer_ids:
                planned = plan.setdefault(customer_id, self._planned(wished.wish))
                common, code = planned.common, planned.refusal_code
                alike = answered.setdefault((str(common), code), pb.PlacedTogether(common=common, refusal_code=code))
                alike.customer_ids.append(customer_id)
        return pb.PlanPlacementResponse(together=answered.values())

    def ListAssignments(self, request: pb.ListAssignmentsRequest, context: Any) -> pb.ListAssignmentsResponse:
        self._answering()
        ids = sorted(id_ for id_ in self.assignments if id_ > request.after_customer_id)
        return pb.ListAssignmentsResponse(assignments=[self.assignments[id_] for id_ in ids[:2]])

    def ListAssignmentChanges(
        self, request: pb.ListAssignmentChangesRequest, context: Any
    ) -> pb.ListAssignmentChangesResponse:
        self._answering()
        known = {one.customer_id: one.version for one in request.known}
        states = ((one, one.change.state) for one in self.history)
        return pb.ListAssignmentChangesResponse(
            changes=[one for one, state in states if state.version > known.get(state.customer_id, state.version)]
        )

    def ListPools(self, request: pb.ListPoolsRequest, context: Any) -> pb.ListPoolsResponse:
        self._answering()
        return pb.ListPoolsResponse(pools=self.pools)

    def _answering(self) -> None:
        if self.away:
            raise Unavailable("overloaded")

    def _planned(self, wish: Place) -> pb.PlacedTogether:
        code = self.refuse.get(wish.owner_id or wish.pool_id, "")
        if code:
            return pb.PlacedTogether(refusal_code=code)
        return pb.PlacedTogether(common=assignment("", 1, wish, self.expires_on))

    def _placed(self, customer: pb.NewCustomer) -> pb.Placement:
        code = self.refuse.get(customer.wish.owner_id or customer.wish.pool_id, "")
        wish = Place(pool_id=str(self.fallback)) if code else customer.wish
        return pb.Placement(assignment=assignment(customer.customer_id, 1, wish, self.expires_on), refusal_code=code)


def assignment(customer_id: UUID | str, version: int, place: Place, expires_on: str = "") -> events.AssignmentState:
    """An assignment as pool would send it."""
    state = events.AssignmentState(
        customer_id=str(customer_id), version=version, place=place, expires_on=expires_on if place.owner_id else ""
    )
    state.held_since.FromJsonString("2026-11-01T00:00:00Z")
    return state


class Customers(OpenService):
    """The open service, with the requests that tests make again and again."""

    pool: PoolStandIn
    open_pool: UUID
    hidden_pool: UUID

    def request(self, method: str, path: str, member: Member, **options: Any) -> Any:
        """A request to /api/v1`path` by `member`; `headers` are added to the token's."""
        headers = self.headers(member, **options.pop("headers", {}))
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def create(self, member: Member, name: str = "华夏春松科技", **fields: Any) -> Any:
        """The reply of a successful creation."""
        reply = self.request("POST", "/customers", member, json={"name": name, **fields})
        assert reply.status_code == 201, reply.text
        return reply.json

    def patch(self, member: Member, customer: Any, version: int | None = None, **changes: Any) -> Any:
        """The response to a change made on top of `version`, by default the one in `customer`."""
        etag = f'"{customer["version"] if version is None else version}"'
        return self.request("PATCH", f"/customers/{customer['id']}", member, json=changes, headers={"If_Match": etag})

    def listed(self, member: Member, **query: Any) -> list[str]:
        """Names on the first page of a list."""
        reply = self.request("GET", "/customers", member, query_string={"page_size": 200, **query})
        assert reply.status_code == 200, reply.text
        assert reply.json["total"] == len(reply.json["items"])
        return [item["name"] for item in reply.json["items"]]

    def new_contact(self, member: Member, **fields: Any) -> Any:
        """The reply of a contact's successful creation."""
        reply = self.request("POST", "/contacts", member, json=fields)
        assert reply.status_code == 201, reply.text
        return reply.json

    def contact(self, member: Member, contact: Any) -> Any:
        """The contact as the member reads it."""
        reply = self.request("GET", f"/contacts/{contact['id']}", member)
        assert reply.status_code == 200, reply.text
        return reply.json

    def contact_status(self, member: Member, contact: Any) -> int:
        """How the member's wish to read the contact ends."""
        return int(self.request("GET", f"/contacts/{contact['id']}", member).status_code)

    def contacts(self, member: Member, **query: Any) -> list[Any]:
        """The first page of the list of contacts."""
        reply = self.request("GET", "/contacts", member, query_string={"page_size": 200, **query})
        assert reply.status_code == 200, reply.text
        assert reply.json["total"] == len(reply.json["items"])
        return list(reply.json["items"])

    def contacts_of(self, member: Member, customer: Any) -> list[Any]:
        """The contacts of a customer."""
        reply = self.request("GET", f"/customers/{customer['id']}/contacts", member)
        assert reply.status_code == 200, reply.text
        return list(reply.json["items"])

    def patch_contact(self, member: Member, contact: Any, **changes: Any) -> Any:
        """The response to a change of the contact on top of its version."""
        headers = {"If_Match": f'"{contact["version"]}"'}
        return self.request("PATCH", f"/contacts/{contact['id']}", member, json=changes, headers=headers)

    def link(self, member: Member, customer: Any, contact: Any, **relation: Any) -> Any:
        """The reply of a successful linking."""
        path = f"/customers/{customer['id']}/contacts/{contact['id']}"
        reply = self.request("PUT", path, member, json=relation)
        assert reply.status_code == 200, reply.text
        return reply.json

    def share(self, member: Member, customer: Any, *others: Member, access: str = "read") -> None:
        """Others read, or also change, a customer of the member's."""
        body = {"collaborators": [{"member_id": str(one.id), "access": access} for one in others]}
        assert self.request("POST", f"/customers/{customer['id']}/collaborators", member, json=body).status_code == 200

    def delete_contacts(self, member: Member, *contacts: Any) -> None:
        """Put contacts into the recycle bin."""
        body = {"contact_ids": [contact["id"] for contact in contacts]}
        assert self.request("POST", "/contacts:delete", member, json=body).json["skipped"] == 0

    def set_owner(self, contact: Any, member: Member | None) -> None:
        """Somebody else owns the contact now, or nobody."""
        with self.database.transaction() as session:
            owned = update(Contact).where(Contact.id == UUID(contact["id"]))
            session.execute(owned.values(owner_id=member and member.id))

    def move(self, customer: Any, version: int, place: Place, expires_on: str = "") -> None:
        """Pool put the customer elsewhere."""
        with self.database.transaction() as session:
            apply_assignments(session, [assignment(customer["id"], version, place, expires_on)])

    @staticmethod
    def assignment(customer_id: str, version: int, place: Place, expires_on: str = "") -> events.AssignmentState:
        """An assignment as pool would send it."""
        return assignment(customer_id, version, place, expires_on)

    @staticmethod
    @contextmanager
    def refused(code: str, status: grpc.StatusCode) -> Iterator[None]:
        """The block's call is refused with this code and status."""
        with pytest.raises(grpc.RpcError) as caught:
            yield
        assert caught.value.code() is status
        assert refusal_of(caught.value, "customer").code == code

    def group(self, *members: Member, id_: UUID | None = None, version: int = 1, deleted: bool = False) -> UUID:
        """Put members into a user group, or change or delete the group `id_`. Returns its id."""
        from directory import store

        state = identity.Group(
            id=str(id_ or new_id()), version=version, name="大客户组", member_ids=[str(one.id) for one in members]
        )
        with self.database.transaction() as session:
            store.store_groups(session, [state], deleted=deleted)
        return UUID(state.id)

    def give_roles(self, member: Member, *roles: str) -> None:
        """Let a member hold exactly these roles."""
        from directory import store

        state = self.organisation.member_state(member, version=2)
        state.role_ids[:] = [str(self.organisation.role_ids[role]) for role in roles]
        with self.database.transaction() as session:
            store.store_members(session, [state])

    def grant(self, role: str, *permissions: str, without: tuple[str, ...] = ()) -> None:
        """Change the permissions of a role."""
        from directory import store

        state = self.organisation.role_state(role)
        state.version = 2
        kept = [code for code in state.permissions if code not in without] + list(permissions)
        del state.permissions[:]
        state.permissions.extend(kept)
        with self.database.transaction() as session:
            store.store_roles(session, [state])


@contextmanager
def _standing_in(keys: Keys) -> Iterator[PoolStandIn]:
    standing_in, address = PoolStandIn(), f"127.0.0.1:{free_port()}"
    tokens = ServiceTokens("pool", keys.private("pool"), keys.public())
    server = GrpcServer(address, tokens, [lambda server: add_PoolServiceServicer_to_server(standing_in, server)])
    server.start()
    standing_in.address = address  # type: ignore[attr-defined]
    yield standing_in
    server.stop(1)


@contextmanager
def _opened(services: Opener, pool: PoolStandIn) -> Iterator[Customers]:
    with services.open(SERVICE, pool_grpc=pool.address) as opened:  # type: ignore[attr-defined]
        found = Customers(**vars(opened))
        found.pool, found.open_pool, found.hidden_pool = pool, new_id(), new_id()
        pool.fallback = found.hidden_pool
        pool.pools = [
            events.Pool(id=str(id_), version=1, name=name, kind=kind, open_to_all=True, hidden_fields=HIDDEN_BY_DEFAULT)
            for id_, name, kind in (
                (found.open_pool, "公海", events.PoolKind.POOL_KIND_PUBLIC),
                (found.hidden_pool, "待分配", events.PoolKind.POOL_KIND_TO_BE_ASSIGNED),
            )
        ]
        with found.database.transaction() as session:
            keep_pools(session, pool.pools)
        yield found


@pytest.fixture
def pool(keys: Keys) -> Iterator[PoolStandIn]:
    """The stand-in; its address is `pool.address`."""
    with _standing_in(keys) as standing_in:
        yield standing_in


@pytest.fixture
def customers(services: Opener, pool: PoolStandIn) -> Iterator[Customers]:
    """The service with a public pool open to all and a to-be-assigned pool, which sales do not see."""
    with _opened(services, pool) as found:
        yield found


@pytest.fixture(scope="module")
def untouched(services: Opener, keys: Keys) -> Iterator[Customers]:
    """The same, once for all tests of a module that change nothing."""
    with _standing_in(keys) as standing_in, _opened(services, standing_in) as found:
        yield found


@pytest.fixture
def rpc(customers: Customers, keys: Keys) -> Iterator[Callable[..., Any]]:
    """`rpc(caller)` is a stub of the running gRPC server for service `caller`."""
    opened: list[Peers] = []
    with customers.rpc() as address:

        def stub(caller: str) -> CustomerServiceStub:
            peers = Peers(ServiceTokens(caller, keys.private(caller), keys.public()), {"customer": address})
            opened.append(peers)
            return CustomerServiceStub(peers.channel("customer"))

        yield stub
        for peers in opened:
            peers.close()


@pytest.fixture
def importer(customers: Customers, rpc: Any) -> Importer:
    """Imports in bulk, by default for 张三."""
    return Importer(customers, rpc("import"))
