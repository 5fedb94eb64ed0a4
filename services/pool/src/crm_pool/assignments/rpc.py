"""Assignments for other services."""

from uuid import UUID

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import FieldError, Invalid, invalid
from chassis.runtime import Runtime
from crm.pool.v1 import pool_events_pb2 as events
from crm.pool.v1 import pool_service_pb2 as pb
from crm_pool.assignments import queries
from crm_pool.assignments.model import effects_message, place_message
from crm_pool.assignments.records import HistoryEntry

MAX_PAGE = 1000
MAX_KNOWN = 200


class AssignmentMethods:
    """The methods of PoolService about assignments."""

    _runtime: Runtime

    def ListAssignments(
        self, request: pb.ListAssignmentsRequest, _: grpc.ServicerContext
    ) -> pb.ListAssignmentsResponse:
        """Current assignments in customer-id order, for projections."""
        size = request.page_size or MAX_PAGE
        try:
            after = UUID(request.after_customer_id) if request.after_customer_id else None
        except ValueError as error:
            raise invalid(FieldError("/after_customer_id", "uuid_parsing")) from error
        with self._runtime.database.reading() as session:
            found = queries.page_of_assignments(session, after, max(1, min(size, MAX_PAGE)))
            return pb.ListAssignmentsResponse(assignments=[assignment.state() for assignment in found])

    def ListAssignmentChanges(
        self, request: pb.ListAssignmentChangesRequest, _: grpc.ServicerContext
    ) -> pb.ListAssignmentChangesResponse:
        """What happened to customers after the versions known, in order (decision 0021)."""
        if len(request.known) > MAX_KNOWN:
            raise Invalid("too_many_items", max_items=MAX_KNOWN)
        try:
            known = {UUID(one.customer_id): one.version for one in request.known}
        except ValueError as error:
            raise invalid(FieldError("/known", "uuid_parsing")) from error
        with self._runtime.database.reading() as session:
            entries = queries.history_after(session, known)
            return pb.ListAssignmentChangesResponse(changes=map(_recorded, entries))


def _recorded(entry: HistoryEntry) -> pb.RecordedChange:
    state = events.AssignmentState(
        customer_id=str(entry.customer_id), version=entry.version, place=place_message(entry.to)
    )
    change = events.AssignmentChange(state=state, effects=effects_message(entry.effects))
    if entry.previous is not None:
        change.previous.CopyFrom(place_message(entry.previous))
    at = Timestamp()
    at.FromDatetime(entry.at)
    cause = events.Cause.Value(f"CAUSE_{entry.cause.upper()}")
    return pb.RecordedChange(change=change, cause=cause, actor_id=str(entry.actor_id or ""), at=at)
