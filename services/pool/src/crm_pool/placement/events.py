"""Customers as their owner reports them: by event, and page by page when the projection is built or checked."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.events.consumer import Event, Subscription
from chassis.identifiers import new_id
from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from chassis.service import Projection
from crm.customer.v1 import customer_events_pb2 as pb
from crm.customer.v1.customer_service_pb2 import ListCustomerStatesRequest
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from crm_pool.assignments.model import place_of
from crm_pool.assignments.recording import Act
from crm_pool.customers.clients import facts_now
from crm_pool.customers.projection import customer_row, known_customers, moment, page_of_kept_ids
from crm_pool.database import row_of
from crm_pool.placement import queries
from crm_pool.placement.births import FIRST_VERSION, make_true
from crm_pool.placement.commands import Gift, Newcomer, Report, give, keep_up, let_go

_PAGE_SIZE = 1000
_PAGE_TIMEOUT_SECONDS = 10


def _apply(session: Session, events: Sequence[Event]) -> None:
    born = [report for event in events for report in _births(session, event.message)]
    keep_up(session, [*born, *(report for event in events for report in _reports(event.message))])
    give(session, {customer_id: gift for event in events for customer_id, gift in _gifts(event.message)})


CUSTOMERS = Subscription(
    "pool-customers",
    "CRM_CUSTOMER",
    (
        *(pb.CustomerCreated, pb.CustomerUpdated, pb.CustomerDeleted, pb.CustomerRestored),
        *(pb.CustomersMerged, pb.CustomersUnmerged, pb.CollisionClosed),
    ),
    _apply,
)


def _reports(message: Any) -> Iterator[Report]:
    if isinstance(message, pb.CollisionClosed):
        return
    if isinstance(message, pb.CustomersMerged | pb.CustomersUnmerged):
        # The losers' states travel in CustomerDeleted and CustomerRestored.
        yield _report(message.survivor, _act(message))
        return
    placement_id, act = _id(getattr(message, "placement_id", "")), _act_of_batch(message)
    for state in message.customers:
        yield _report(state, act, placement_id)


def _births(session: Session, message: Any) -> Iterator[Report]:
    """Take in customers that are told by column; yields those that are to be taken one by one."""
    if not isinstance(message, pb.CustomerCreated):
        return
    placement_id, act = _id(message.placement_id), _act_of_batch(message)
    placed = make_true(session, placement_id, message.born, act) if placement_id else set()
    for state in _states(message.born, placed):
        yield _report(state, act, placement_id)


def _states(together: Iterable[pb.BornTogether], without: Collection[str]) -> Iterator[pb.CustomerState]:
    for born in together:
        levels = born.levels or [""] * len(born.ids)
        for id_, name, level in zip(born.ids, born.names, levels, strict=True):
            if id_ not in without:
                state = pb.CustomerState(id=id_, name=name, level=level)
                state.MergeFrom(born.common)
                yield state


def _gifts(message: Any) -> Iterator[tuple[UUID, Gift]]:
    if isinstance(message, pb.CustomersMerged) and message.owner_id:
        yield UUID(message.survivor.id), Gift(UUID(message.owner_id), _act(message), disputed=False)
    if isinstance(message, pb.CollisionClosed) and message.outcome == pb.COLLISION_OUTCOME_GIVE:
        yield UUID(message.customer_id), Gift(UUID(message.asked_by), _act(message), disputed=True)


def _act(message: pb.CustomersMerged | pb.CustomersUnmerged | pb.CollisionClosed) -> Act:
    return Act(_id(message.actor_id), clock.now())


def _act_of_batch(message: Any) -> Act:
    batch_id = _id(message.batch_id) or _id(getattr(message, "placement_id", ""))
    return Act(_id(message.actor_id), clock.now(), batch_id)


def _report(state: pb.CustomerState, act: Act, placement_id: UUID | None = None) -> Report:
    """A customer whose row says a later version than birth was placed long ago: nothing is to be made up for it."""
    row = customer_row(state)
    if state.assignment_version > FIRST_VERSION:
        return Report(row, act, None)
    since = moment(state, "created_at") or act.at
    planned = state.assignment_version == FIRST_VERSION
    newcomer = Newcomer(row["id"], place_of(state.wish), row["created_by"], since, act, planned=planned)
    return Report(row, act, newcomer, placement_id)


def _found(state: pb.CustomerState, act: Act) -> Report:
    """A customer as a rebuild finds it: one that was placed, but not in this database, takes its place anew.

    A restore lost the assignment; the next version makes the new one win over what customer was told last.
    """
    report = _report(state, act)
    if report.newcomer is not None:
        return report
    row, version = report.row, state.assignment_version + 1
    return Report(row, act, Newcomer(row["id"], place_of(state.wish), row["created_by"], act.at, act, version=version))


def _id(text: str) -> UUID | None:
    return UUID(text) if text else None


def _pages(runtime: Runtime) -> Iterator[Sequence[pb.CustomerState]]:
    stub, after = CustomerServiceStub(runtime.peers.channel("customer")), ""
    while True:
        with peer_errors("customer"):
            page = stub.ListCustomerStates(ListCustomerStatesRequest(after_id=after), timeout=_PAGE_TIMEOUT_SECONDS)
        if not page.customers:
            return
        yield page.customers
        after = page.customers[-1].id


def _gone(runtime: Runtime) -> Iterator[set[UUID]]:
    """Customers kept here that their owner does not know. It knew them before, so only a restore can have lost them."""
    after: UUID | None = None
    while True:
        with runtime.database.reading() as session:
            kept = page_of_kept_ids(session, after, _PAGE_SIZE)
        if not kept:
            return
        yield set(facts_now(runtime, kept).missing)
        after = kept[-1]


def _rebuild(runtime: Runtime) -> int:
    """Customers created while this service was away are placed here; as a batch, so that nobody is told one by one."""
    rows = 0
    for states in _pages(runtime):
        act = Act(None, clock.now(), new_id())
        with runtime.database.transaction() as session:
            keep_up(session, [_found(state, act) for state in states])
        rows += len(states)
    for ids in _gone(runtime):
        with runtime.database.transaction() as session:
            let_go(session, ids, Act(None, clock.now(), new_id()))
    return rows


def _check(runtime: Runtime) -> int:
    drift = 0
    for states in _pages(runtime):
        wanted = [customer_row(state) for state in states]
        with runtime.database.reading() as session:
            found = {id_: row_of(one) for id_, one in known_customers(session, [row["id"] for row in wanted]).items()}
            placed = queries.placed(session, found)
        drift += sum(found.get(row["id"]) != row or row["id"] not in placed for row in wanted)
    return drift + sum(len(ids) for ids in _gone(runtime))


CUSTOMER_PROJECTION = Projection("customers", _rebuild, _check, "CRM_CUSTOMER")
