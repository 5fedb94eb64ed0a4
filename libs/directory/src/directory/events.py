"""The directory consumer of every service, and its rebuild from identity."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from chassis.service import Projection
from crm.identity.v1 import identity_events_pb2 as pb
from crm.identity.v1.identity_service_pb2 import ExportDirectoryRequest, ExportDirectoryResponse
from crm.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from directory import store, tables

MESSAGES = (
    pb.MemberChanged,
    pb.MemberDeactivated,
    pb.DepartmentChanged,
    pb.DepartmentDeleted,
    pb.RoleChanged,
    pb.RoleDeleted,
    pb.GroupChanged,
    pb.GroupDeleted,
    pb.OrganisationChanged,
    pb.SigningKeysChanged,
)
_EXPORT_TIMEOUT_SECONDS = 10


def directory_subscription(reader: str) -> Subscription:
    """The subscription that keeps the directory of service `reader` current."""
    return Subscription(f"{reader}-directory", "CRM_IDENTITY", MESSAGES, apply_directory)


def directory_projection() -> Projection:
    """The directory as a projection: `rebuild directory [--check]`."""
    return Projection("directory", _rebuild, _check, "CRM_IDENTITY")


def apply_directory(session: Session, events: Sequence[Event]) -> None:
    """Keep the states of a set of identity's events."""
    for event in events:
        _STORE[type(event.message)](session, event.message)


_STORE: dict[Any, Callable[[Session, Any], None]] = {
    pb.MemberChanged: lambda session, message: store.store_members(session, message.members),
    pb.MemberDeactivated: lambda session, message: store.store_members(session, message.members),
    pb.DepartmentChanged: lambda session, message: store.store_departments(session, message.departments),
    pb.DepartmentDeleted: lambda session, message: store.store_departments(session, message.departments, deleted=True),
    pb.RoleChanged: lambda session, message: store.store_roles(session, message.roles),
    pb.RoleDeleted: lambda session, message: store.store_roles(session, message.roles, deleted=True),
    pb.GroupChanged: lambda session, message: store.store_groups(session, message.groups),
    pb.GroupDeleted: lambda session, message: store.store_groups(session, message.groups, deleted=True),
    pb.OrganisationChanged: lambda session, message: store.store_organisation(session, message.organisation),
    pb.SigningKeysChanged: lambda session, message: store.store_signing_keys(session, message.signing_keys),
}


def _pages(runtime: Runtime) -> Iterator[ExportDirectoryResponse]:
    stub = IdentityServiceStub(runtime.peers.channel("identity"))
    token = ""
    while True:
        with peer_errors("identity"):
            page = stub.ExportDirectory(ExportDirectoryRequest(page_token=token), timeout=_EXPORT_TIMEOUT_SECONDS)
        yield page
        token = page.next_page_token
        if not token:
            return


def _rebuild(runtime: Runtime) -> int:
    """What was known here before identity was asked, and is not in its answer, is gone: a restore lost it."""
    with runtime.database.reading() as session:
        gone = store.kept_ids(session)
    count = 0
    for page in _pages(runtime):
        with runtime.database.transaction() as session:
            for table, rows in _rows(page).items():
                store.keep(session, table, rows)
                count += len(rows)
        _strike_out(gone, page)
    with runtime.database.transaction() as session:
        for table, ids in gone.items():
            store.forget(session, table, ids)
    return count


def _check(runtime: Runtime) -> int:
    with runtime.database.reading() as session:
        gone = store.kept_ids(session)
    drift = 0
    for page in _pages(runtime):
        with runtime.database.reading() as session:
            drift += sum(_different(session, table, rows) for table, rows in _rows(page).items())
        _strike_out(gone, page)
    return drift + sum(map(len, gone.values()))


def _rows(page: ExportDirectoryResponse) -> dict[Table, list[dict[str, Any]]]:
    return {
        tables.members: [store.member_row(state) for state in page.members],
        tables.departments: [store.department_row(state) for state in page.departments],
        tables.roles: [store.role_row(state) for state in page.roles],
        tables.groups: [store.group_row(state) for state in page.groups],
        tables.organisation: [store.organisation_row(page.organisation)] if page.HasField("organisation") else [],
        tables.signing_keys: [store.signing_keys_row(page.signing_keys)] if page.HasField("signing_keys") else [],
    }


def _strike_out(ids: dict[Table, set[UUID]], page: ExportDirectoryResponse) -> None:
    rows = _rows(page)
    for table, known in ids.items():
        known -= {row["id"] for row in rows[table]}


def _different(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    found: dict[Any, Any] = {
        row["id"]: dict(row)
        for row in session.execute(select(table).where(table.c.id.in_([row["id"] for row in rows]))).mappings()
    }
    return len([row for row in rows if found.get(row["id"]) != row])
