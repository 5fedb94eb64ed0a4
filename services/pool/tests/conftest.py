"""The pool service opened for a test, with customers in it and a real gRPC server standing in for customer."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import event, select, text, update

from chassis import clock
from chassis.auth.tokens import ServiceTokens
from chassis.errors import Conflict, FieldError, Invalid, NotFound
from chassis.events.consumer import Event, Subscription, apply_events
from chassis.identifiers import new_id
from chassis.rpc.client import Peers
from chassis.rpc.errors import abort
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as facts
from crm.customer.v1 import customer_service_pb2 as customer_pb
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceServicer, add_CustomerServiceServicer_to_server
from crm.identity.v1.identity_events_pb2 import Department, MemberChanged, MemberDeactivated
from crm.pool.v1 import pool_events_pb2 as events
from crm.pool.v1.pool_service_pb2_grpc import PoolServiceStub
from crm_pool.assignments.model import AssignmentRow
from crm_pool.assignments.records import HistoryEntry, LedgerEntry
from crm_pool.expiry.model import RecycleRule
from crm_pool.leaving.events import LEAVERS
from crm_pool.placement.events import CUSTOMERS
from crm_pool.pools.commands import default_pool, ensure_default_pools
from crm_pool.pools.rules import PoolKind
from crm_pool.recycle_rules.model import Recompute
from crm_pool.recycling.model import Run
from crm_pool.service import SERVICE
from directory import store
from tests.support.organisation import Member
from tests.support.services import Opener, OpenService


@dataclass
class CustomerStandIn(CustomerServiceServicer):
    """The customer service as far as pool needs it: keeps what it is told, lists what it was given.

    `told`: the calls of ApplyAssignments, `applied`: the states in them; `visible`: per member the customers that a
    selection finds; `lying`: where customers lie, by province and city, for selections by region; `asked`: the selections
    resolved; `card`: what it tells a new owner, None: it knows no such customer; `before_card`: what it waits for;
    `carded`: who asked for which; `away`: it refuses; `after_facts`: what happens while its answer about facts is under way.
    """

    bind: str = ""
    told: list[customer_pb.ApplyAssignmentsRequest] = field(default_factory=list)
    applied: list[Any] = field(default_factory=list)
    states: list[facts.CustomerState] = field(default_factory=list)
    visible: dict[str, list[str]] = field(default_factory=dict)
    lying: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    asked: list[customer_pb.ResolveSelectionRequest] = field(default_factory=list)
    away: bool = False
    card: customer_pb.GetHandoverCardResponse | None = None
    before_card: Callable[[], object] = lambda: None
    carded: list[tuple[str, str]] = field(default_factory=list)
    after_facts: Callable[[], None] = lambda: None

    def ApplyAssignments(self, request: Any, _context: grpc.ServicerContext) -> Any:
        self.told.append(request)
        self.applied.extend(change.state for change in request.changes)
        return customer_pb.ApplyAssignmentsResponse()

    def ResolveSelection(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        self.asked.append(request)
        asked = request.selection.filter
        if asked.province and self.lying:
            return customer_pb.ResolveSelectionResponse(customer_ids=self._in_region(asked, context))
        found = self.visible.get(dict(context.invocation_metadata())["x-actor"], [])
        if len(found) > request.limit:
            abort(context, Conflict("selection_too_large", most=request.limit))
        if asked.industry:
            abort(context, Invalid("validation_failed", errors=[FieldError("/industry", "unknown_option")], count=1))
        return customer_pb.ResolveSelectionResponse(customer_ids=found)

    def _in_region(self, asked: Any, context: grpc.ServicerContext) -> list[str]:
        if asked.province not in {province for province, _ in self.lying}:
            abort(context, Invalid("validation_failed", errors=[FieldError("/province", "unknown_option")], count=1))
        found = [
            ids
            for (province, city), ids in self.lying.items()
            if asked.city in ("", city) and province == asked.province
        ]
        return [id_ for ids in found for id_ in ids]

    def GetHandoverCard(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        self.before_card()
        if self.card is None:
            abort(context, NotFound("not_found"))
        self.carded.append((dict(context.invocation_metadata())["x-actor"], request.customer_id))
        return self.card

    def ListCustomerStates(self, request: Any, _context: grpc.ServicerContext) -> Any:
        page = [state for state in sorted(self.states, key=lambda one: one.id) if state.id > request.after_id]
        return customer_pb.ListCustomerStatesResponse(customers=page[:2])

    def GetCustomerFacts(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        known = dict(zip(request.customer_ids, request.known_versions, strict=True))
        found = {state.id: state for state in self.states if state.id in known}
        response = customer_pb.GetCustomerFactsResponse(
            customers=[state for state in found.values() if state.facts_version != known[state.id]],
            missing_ids=known.keys() - found.keys(),
        )
        self.after_facts()
        return response


@pytest.fixture
def customer() -> Iterator[CustomerStandIn]:
    """A stand-in for the customer service on a real port."""
    stand_in = CustomerStandIn()
    server = grpc.server(ThreadPoolExecutor(4))
    add_CustomerServiceServicer_to_server(stand_in, server)
    stand_in.bind = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield stand_in
    server.stop(0).wait()


def _one_by_one(message: events.AssignmentsChanged) -> events.AssignmentsChanged:
    for moved in message.together:
        owners = moved.former_owner_ids or [""] * len(moved.customer_ids)
        columns = zip(moved.customer_ids, moved.versions, moved.customer_names, owners, strict=True)
        for id_, version, name, owner_id in columns:
            change = message.changes.add(customer_name=name)
            change.state.MergeFrom(moved.common)
            change.state.customer_id, change.state.version = id_, version
            if owner_id:
                change.previous.owner_id = owner_id
    message.ClearField("together")
    return message


@dataclass
class Sea:
    """The opened service, and short ways to do what tests do all the time."""

    opened: OpenService
    customer: CustomerStandIn

    @property
    def organisation(self) -> Any:
        return self.opened.organisation

    def default(self, kind: str = "public") -> UUID:
        """The default pool of a kind."""
        with self.opened.database.transaction() as session:
            return default_pool(session, PoolKind(kind))

    def state(
        self, *, owner: Member | None = None, pool: UUID | None = None, by: Member | None = None, **more: Any
    ) -> facts.CustomerState:
        """A customer as the customer service reports it, just created by its owner; or in a pool, by a salesperson."""
        wish = Place(owner_id=str(owner.id)) if owner else Place(pool_id=str(pool or self.default()))
        values = {"id": str(new_id()), "facts_version": 1, "name": "星河贸易", "wish": wish}
        return facts.CustomerState(**{**values, "created_by": str((by or owner or self.organisation.sales).id), **more})

    def report(self, *messages: Any, subscription: Subscription = CUSTOMERS, at: datetime | None = None) -> None:
        """Let the consumer apply facts."""
        occurred_at = at.isoformat() if at else "2026-01-05T02:00:00+00:00"
        events = [Event(new_id(), message, occurred_at, "") for message in messages]
        apply_events(self.opened.database, subscription, events)

    def create(self, count: int = 1, **place: Any) -> list[str]:
        """Customers born by event; see `state` for where. Returns their ids."""
        states = [self.state(**place) for _ in range(count)]
        self.report(facts.CustomerCreated(customers=states, actor_id=states[0].created_by, batch_id=str(new_id())))
        return [state.id for state in states]

    def report_again(self, customer_ids: Sequence[str], version: int = 2, **values: Any) -> None:
        """Customers whose facts changed, for example `locked` or `wecom_friend`."""
        states = [self.state(id=id_, facts_version=version, **values) for id_ in customer_ids]
        self.report(facts.CustomerUpdated(customers=states))

    def told(self) -> list[events.AssignmentsChanged]:
        """What readers are told of changed places, what is told by column one by one."""
        return list(map(_one_by_one, self.opened.outbox(events.AssignmentsChanged)))

    def create_pool(self, **values: Any) -> dict[str, Any]:
        """A pool made by the administrator; public and open to all unless told otherwise."""
        body = {"name": f"池{new_id()}", "kind": "public", "open_to_all": True, **values}
        reply = self.send("POST", "/pools", self.organisation.admin, body)
        assert reply.status_code == 201, reply.json
        return reply.json

    def change_pool(self, pool_id: Any, **values: Any) -> None:
        """Change a pool as the administrator."""
        version = self.send("GET", f"/pools/{pool_id}", self.organisation.admin).json["version"]
        path, admin = f"/pools/{pool_id}", self.organisation.admin
        assert self.send("PATCH", path, admin, values, If_Match=f'"{version}"').status_code == 200

    def put_in_force(self, pool_id: Any, *conditions: dict[str, Any], state: str = "active", **values: Any) -> UUID:
        """A version of the pool's rule, in force at once: no days are computed anew. By default 30 days without a
        follow-up. Returns its id.
        """
        at = clock.now()
        kept = [{"days_by_level": {}, **one} for one in conditions or ({"kind": "no_follow_up", "days": 30},)]
        version = {
            "id": new_id(),
            "version": 1,
            "pool_id": UUID(str(pool_id)),
            "number": 1 + sum(str(one.pool_id) == str(pool_id) for one in self.rows(RecycleRule)),
            "state": state,
            "conditions": kept,
            "working_days": False,
            "exempt_won": True,
            "exempt_open_opportunity": True,
            "created_by": self.organisation.admin.id,
            "created_at": at,
            "updated_at": at,
            **values,
        }
        with self.opened.database.transaction() as session:
            if state == "active":
                active = (RecycleRule.pool_id == version["pool_id"], RecycleRule.state == "active")
                session.execute(update(RecycleRule).where(*active).values(state="ended", ended_at=at))
            session.add(RecycleRule(**version))
        return version["id"]

    def own(self, count: int, owner: Member, **facts_of_each: Any) -> list[str]:
        """Customers of a member that customer knows too. Returns their ids in order."""
        states = [self.state(owner=owner, **facts_of_each) for _ in range(count)]
        self.report(facts.CustomerCreated(customers=states, actor_id=str(owner.id), batch_id=str(new_id())))
        self.customer.states.extend(states)
        return [state.id for state in states]

    def held_for(self, days: int, count: int = 1, owner: Member | None = None, **facts_of_each: Any) -> list[str]:
        """Customers that a member, a salesperson in the east unless told otherwise, has had for so many days."""
        ids = self.own(count, owner or self.organisation.sales, **facts_of_each)
        held = update(AssignmentRow).where(AssignmentRow.customer_id.in_([UUID(id_) for id_ in ids]))
        with self.opened.database.transaction() as session:
            session.execute(held.values(held_since=clock.now() - timedelta(days=days)))
        return ids

    def recompute(self) -> None:
        """Let rules take effect whose day has come, and compute every day that is to be computed anew."""
        while self.run("apply-rules"):
            pass

    def expire(self, customer_ids: Sequence[str], days: int = 1) -> None:
        """Let time pass for customers under the rule in force by default: their last day was so many days ago. Every
        customer has its day by the rules in force, and runs may begin at any time of day.
        """
        moved = (
            "UPDATE assignments SET held_since = held_since - make_interval(days => :days), expires_on = expires_on - :days"
            " WHERE customer_id = ANY(:ids)"
        )
        active = [rule.id for rule in self.rows(RecycleRule) if rule.state == "active"]
        with self.opened.database.transaction() as session:
            session.execute(text(moved), {"days": 30 + days, "ids": [UUID(id_) for id_ in customer_ids]})
            session.execute(text("UPDATE pool_settings SET recycle_at = '00:00'"))
            counts = {"examined": 0, "changed": 0}
            at = clock.now()
            session.add(Recompute(id=new_id(), causes=[], rule_ids=active, basis={}, at=at, done_at=at, **counts))

    def next_day(self) -> None:
        """The last run was one of another day: the next one may begin."""
        earlier = "(SELECT min(day) - 1 FROM recycling_runs)"
        last = "(SELECT max(number) FROM recycling_runs)"
        with self.opened.database.transaction() as session:
            session.execute(text(f"UPDATE recycling_runs SET day = {earlier} WHERE number = {last}"))

    def runs(self) -> list[Run]:
        """The runs of the recycler, in the order in which they began."""
        return sorted(self.rows(Run), key=lambda run: run.number)

    def shown_run(self) -> Any:
        """The last run as an administrator reads it."""
        (newest, *_) = self.send("GET", "/rules/runs", self.organisation.admin).json["items"]
        return self.send("GET", f"/rules/runs/{newest['id']}", self.organisation.admin).json

    def recycle(self) -> None:
        """Work today's run until nothing is left to do."""
        while self.run("recycle"):
            pass

    def set_holding_cap(self, cap: int | None) -> None:
        """Change the holding cap as the administrator."""
        version = self.send("GET", "/pools/settings", self.organisation.admin).json["version"]
        body, admin = {"holding_cap": cap}, self.organisation.admin
        assert self.send("PATCH", "/pools/settings", admin, body, If_Match=f'"{version}"').status_code == 200

    def send(self, method: str, path: str, member: Member, body: Any = None, **headers: str) -> Any:
        """A request by a member; safe to use from threads."""
        client = self.opened.client.application.test_client()
        return client.open(f"/api/v1{path}", method=method, json=body, headers=self.opened.headers(member, **headers))

    def act(self, verb: str, member: Member, customer_ids: Sequence[str], **body: Any) -> Any:
        """POST /assignments:<verb> by a member."""
        headers = body.pop("headers", {})
        content = {"customer_ids": list(customer_ids), **body}
        return self.send("POST", f"/assignments:{verb}", member, content, **headers)

    def select(self, verb: str, member: Member, *, filter: Any = None, **body: Any) -> Any:
        """POST /assignments:<verb> by a member, for all customers that match."""
        headers = body.pop("headers", {})
        return self.send(
            "POST", f"/assignments:{verb}", member, {"selection": {"filter": filter or {}}, **body}, **headers
        )

    def work(self) -> bool:
        """A page of each open batch, as a worker does it."""
        return self.run("batches")

    def finish(self) -> None:
        """Work all batches to their end."""
        while self.work():
            pass

    def batch(self, reply: Any, member: Member | None = None) -> Any:
        """The batch that a reply told of, as its starter or an administrator reads it."""
        return self.send(
            "GET", reply.headers["Location"].removeprefix("/api/v1"), member or self.organisation.admin
        ).json

    def hire(self, key: str, **values: Any) -> Member:
        """One more member, a salesperson in the east unless told otherwise."""
        values = {"role": "sales", "department_id": self.organisation.east, **values}
        member = Member(new_id(), key, email=f"{key}@example.test", **values)
        self.know(self.organisation.member_state(member))
        return member

    def found_department(self, name: str, parent_id: UUID) -> UUID:
        """One more department below another."""
        state = Department(id=str(new_id()), version=1, name=name, parent_id=str(parent_id))
        with self.opened.database.transaction() as session:
            store.store_departments(session, [state])
        return UUID(state.id)

    def know(self, *states: Any) -> None:
        """Write members' states into the directory."""
        with self.opened.database.transaction() as session:
            store.store_members(session, states)

    def dismiss(self, member: Member, version: int = 99) -> Any:
        """A member leaves, as the directory knows it. Returns the state."""
        state = self.organisation.member_state(member, version=version)
        state.active = False
        self.know(state)
        return state

    def leave(self, *members: Member, days_ago: int = 0, version: int = 99) -> None:
        """Members leave, as the directory and the consumer of leavers are told."""
        states = [self.dismiss(member, version) for member in members]
        at = clock.now() - timedelta(days=days_ago)
        self.report(MemberDeactivated(members=states), subscription=LEAVERS, at=at)

    def come_back(self, member: Member, version: int = 100) -> None:
        """A member is active again."""
        state = self.organisation.member_state(member, version=version)
        self.know(state)
        self.report(MemberChanged(members=[state]), subscription=LEAVERS)

    def run(self, name: str) -> bool:
        """A due task once, as a worker runs it. Whether more is waiting."""
        (task,) = [task for task in SERVICE.due if task.name == name]
        return task.run(self.opened.runtime)

    def hand_over(self) -> None:
        """Hand over all that is due."""
        while self.run("hand-over"):
            pass

    def change_role(self, key: str, *, without: str) -> None:
        """A role loses a permission."""
        state = self.organisation.role_state(key)
        state.version = 2
        state.permissions[:] = [code for code in state.permissions if code != without]
        with self.opened.database.transaction() as session:
            store.store_roles(session, [state])

    def sql(self, statement: str) -> None:
        """What no request does, for example letting time pass."""
        with self.opened.database.transaction() as session:
            session.execute(text(statement))

    def rows(self, record: type[Any], *conditions: Any) -> list[Any]:
        """Every row of a table that meets the conditions."""
        with self.opened.database.reading() as session:
            return list(session.scalars(select(record).where(*conditions)))

    def assignments(self, customer_ids: Sequence[str]) -> list[AssignmentRow]:
        """Where these customers lie."""
        return self.rows(AssignmentRow, AssignmentRow.customer_id.in_(map(UUID, customer_ids)))

    def owners(self) -> dict[str, UUID | None]:
        """The owner of every customer."""
        return {str(one.customer_id): one.owner_id for one in self.rows(AssignmentRow)}

    def owners_of(self, customer_ids: Sequence[str]) -> list[UUID | None]:
        """The owners of these customers in their order."""
        owners = self.owners()
        return [owners[id_] for id_ in customer_ids]

    def history(self, customer_id: str) -> list[HistoryEntry]:
        """The history of one customer, oldest first."""
        entries = self.rows(HistoryEntry, HistoryEntry.customer_id == UUID(customer_id))
        return sorted(entries, key=lambda entry: entry.version)

    def ledger(self) -> list[LedgerEntry]:
        """Every claim made."""
        return self.rows(LedgerEntry)

    @contextmanager
    def counting_statements(self) -> Iterator[list[str]]:
        """The statements sent to the database meanwhile."""
        statements: list[str] = []
        listen: Callable[..., None] = lambda _c, _cursor, statement, *_rest: statements.append(statement)
        event.listen(self.opened.database.engine, "before_cursor_execute", listen)
        yield statements
        event.remove(self.opened.database.engine, "before_cursor_execute", listen)


@pytest.fixture
def sea(services: Opener, customer: CustomerStandIn) -> Iterator[Sea]:
    """The pool service with its default pools and a standard organisation."""
    with services.open(SERVICE, customer_grpc=customer.bind, http_threads=24) as opened:
        with opened.database.transaction() as session:
            ensure_default_pools(session)
        yield Sea(opened, customer)


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets days pass."""
    real, passed = clock.now, timedelta()

    def pass_days(days: int) -> None:
        nonlocal passed
        passed += timedelta(days=days)

    monkeypatch.setattr(clock, "now", lambda: real() + passed)
    return pass_days


@pytest.fixture
def rule(sea: Sea) -> UUID:
    """30 days without a follow-up, for everybody, into the default public pool; yesterday's run came to its end."""
    id_ = sea.put_in_force(sea.default())
    sea.sql(
        "INSERT INTO recycling_runs (id, day, state, started_at, finished_at, walk, nominated, taken, spared)"
        " SELECT gen_random_uuid(), (moment AT TIME ZONE 'Asia/Shanghai')::date, 'finished', moment, moment, 1, 0, 0, 0"
        " FROM (SELECT now() - interval '24 hours' AS moment) AS before"
    )
    return id_


@pytest.fixture
def rpc(sea: Sea) -> Iterator[PoolServiceStub]:
    """The pool service's gRPC as the customer service calls it."""
    keys = sea.opened.keys
    with sea.opened.rpc() as bind:
        tokens = ServiceTokens("customer", keys.private("customer"), keys.public())
        peers = Peers(tokens, {"pool": bind})
        yield PoolServiceStub(peers.channel("pool"))
        peers.close()
