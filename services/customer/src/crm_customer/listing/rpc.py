"""gRPC of reads: selections, facts, states."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast
from uuid import UUID

import grpc
from sqlalchemy import select
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from chassis.errors import Conflict, Forbidden, Invalid
from chassis.rpc.server import current_caller
from chassis.runtime import Runtime
from crm.common.v1 import selection_pb2
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import facts_differing, read_facts, states_of
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.listing.queries import page_of, visible_ids
from crm_customer.listing.selections import filter_selected, uuid_of
from crm_customer.settings import Settings
from directory.permissions import Permission

MOST_STATES = 1000
MOST_SELECTED = 20_000


class Reads:
    """ResolveSelection, GetCustomerFacts and ListCustomerStates of CustomerService."""

    runtime: Runtime

    def ResolveSelection(
        self, request: pb.ResolveSelectionRequest, context: grpc.ServicerContext
    ) -> pb.ResolveSelectionResponse:
        actor_id = current_caller().require_actor()
        limit = request.limit or MOST_SELECTED
        if not 0 < limit <= MOST_SELECTED:
            raise Invalid("limit_out_of_range", most=MOST_SELECTED)
        with self.runtime.database.reading() as session:
            sight = sight_of(session, actor_id)
            if not sight.scope.may(Permission.CUSTOMER_READ):
                raise Forbidden("forbidden", permission=Permission.CUSTOMER_READ)
            if request.selection.WhichOneof("kind") == "filter":
                return self._matching(session, sight, request.selection.filter, limit)
            return self._among(session, sight, request.selection.ids.ids, limit)

    def _matching(
        self, session: Session, sight: Sight, asked: selection_pb2.CustomerFilter, limit: int
    ) -> pb.ResolveSelectionResponse:
        wanted = filter_selected(session, sight, asked, cast(Settings, self.runtime.settings).mobile_pattern)
        found = page_of(session, sight, wanted, 0, limit + 1)
        _require_at_most(limit, len(found))
        return pb.ResolveSelectionResponse(customer_ids=map(str, found))

    def _among(self, session: Session, sight: Sight, texts: Sequence[str], limit: int) -> pb.ResolveSelectionResponse:
        asked = _uuids(texts)
        _require_at_most(limit, len(asked))
        visible = visible_ids(session, sight, asked)
        return pb.ResolveSelectionResponse(
            customer_ids=[str(id_) for id_ in asked if id_ in visible],
            invisible_ids=[str(id_) for id_ in asked if id_ not in visible],
        )

    def GetCustomerFacts(
        self, request: pb.GetCustomerFactsRequest, context: grpc.ServicerContext
    ) -> pb.GetCustomerFactsResponse:
        if len(request.customer_ids) > MOST_STATES:
            raise Invalid("too_many_items", max_items=MOST_STATES)
        if not request.known_versions:
            with self.runtime.database.reading() as session:
                facts = read_facts(session, _uuids(request.customer_ids))
                return pb.GetCustomerFactsResponse(customers=states_of(session, facts))
        if len(request.known_versions) != len(request.customer_ids):
            raise Invalid("malformed_known_versions")
        return self._differing(request.customer_ids, request.known_versions)

    def _differing(self, ids: Sequence[str], known_versions: Sequence[int]) -> pb.GetCustomerFactsResponse:
        with _reading_ids(), self.runtime.database.reading() as session:
            changed, missing = facts_differing(session, ids, known_versions)
            states = states_of(session, read_facts(session, changed)) if changed else ()
        return pb.GetCustomerFactsResponse(customers=states, missing_ids=map(str, missing))

    def ListCustomerStates(
        self, request: pb.ListCustomerStatesRequest, context: grpc.ServicerContext
    ) -> pb.ListCustomerStatesResponse:
        size = request.page_size or MOST_STATES
        if not 0 < size <= MOST_STATES:
            raise Invalid("limit_out_of_range", most=MOST_STATES)
        statement = select(Customer).order_by(Customer.id).limit(size)
        if request.after_id:
            statement = statement.where(Customer.id > uuid_of(request.after_id))
        if request.unplaced_only:
            statement = statement.where(Customer.assignment_version == 0)
        with self.runtime.database.reading() as session:
            return pb.ListCustomerStatesResponse(customers=states_of(session, session.scalars(statement)))


def _require_at_most(limit: int, found: int) -> None:
    if found > limit:
        raise Conflict("selection_too_large", most=limit)


@contextmanager
def _reading_ids() -> Iterator[None]:
    """PostgreSQL reads the ids itself, a thousand at once. Raises Invalid where one is none."""
    try:
        yield
    except DataError as error:
        raise Invalid("uuid_parsing") from error


def _uuids(texts: Sequence[str]) -> list[UUID]:
    return list(dict.fromkeys(map(uuid_of, texts)))
