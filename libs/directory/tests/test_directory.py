"""The organisation as every service knows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import func, select

from chassis.auth.tokens import ServiceTokens
from chassis.database import new_metadata
from chassis.events.consumer import Event, apply_events
from chassis.identifiers import new_id
from chassis.rpc.server import GrpcServer
from chassis.service import Service
from chassis.settings import ServiceSettings
from crm.identity.v1 import identity_events_pb2 as pb
from crm.identity.v1.identity_service_pb2 import BulkWriteMembersResponse, ExportDirectoryResponse
from crm.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer, add_IdentityServiceServicer_to_server
from directory import store, tables
from directory.actors import DirectoryActors
from directory.events import directory_projection, directory_subscription
from directory.scope import DataScope, holders_of, is_absent, manager_of, managers_of, members_named, resolve_scope
from highsea_local.ports import free_port
from tests.support.services import Keys, Opener, OpenService

SERVICE = Service(
    name="pool",
    settings=ServiceSettings,
    actors=DirectoryActors(),
    apis=[],
    migrations=["directory.migrations"],
    metadatas=[new_metadata()],
    messages=[],
)


@pytest.fixture
def opened(services: Opener) -> Iterator[OpenService]:
    with services.open(SERVICE) as found:
        yield found


def test_models_and_migrations_agree(opened: OpenService) -> None:
    from chassis.database.migration import schema_differences
    from chassis.database.tables import metadata

    with opened.database.engine.connect() as connection:
        assert schema_differences(connection, [metadata, tables.metadata]) == []


@pytest.mark.parametrize(
    ("member", "data_scope", "departments"),
    [
        ("sales", DataScope.OWN, []),
        ("supervisor", DataScope.CENTRE, ["east"]),
        ("operations", DataScope.CENTRE, ["company", "east", "south"]),
        ("admin", DataScope.COMPANY, []),
    ],
)
def test_scope_follows_from_role_and_department(
    opened: OpenService, member: str, data_scope: DataScope, departments: list[str]
) -> None:
    organisation = opened.organisation
    with opened.database.reading() as session:
        scope = resolve_scope(session, organisation.members[member].id)

    assert scope.data_scope is data_scope
    assert set(scope.department_ids) == {getattr(organisation, name) for name in departments}


def test_days_begin_in_the_zone_that_the_organisation_was_given_last(opened: OpenService) -> None:
    sales = opened.organisation.sales.id
    zones = []
    for version, zone in ((8, "Europe/Berlin"), (7, "Asia/Tokyo")):
        _told(opened, pb.OrganisationChanged(organisation=pb.Organisation(version=version, name="海", zone=zone)))
        with opened.database.reading() as session:
            zones.append(resolve_scope(session, sales).zone)

    assert zones == ["Europe/Berlin", "Europe/Berlin"]


def test_the_manager_is_the_nearest_head_upwards_other_than_the_member(opened: OpenService) -> None:
    organisation = opened.organisation
    with opened.database.reading() as session:
        assert manager_of(session, organisation.sales.id) == organisation.supervisor.id
        assert manager_of(session, organisation.supervisor.id) == organisation.admin.id
        assert manager_of(session, organisation.admin.id) is None
        everybody = [one.id for one in (organisation.sales, organisation.supervisor, organisation.admin)]
        assert managers_of(session, everybody) == {
            organisation.sales.id: organisation.supervisor.id,
            organisation.supervisor.id: organisation.admin.id,
        }


def test_who_holds_a_permission_is_active_and_has_a_role_that_grants_it(opened: OpenService) -> None:
    organisation = opened.organisation
    with opened.database.reading() as session:
        assert set(holders_of(session, "pool.manage")) == {organisation.operations.id, organisation.admin.id}


def test_members_of_a_user_group_are_colleagues_until_the_group_is_gone(opened: OpenService) -> None:
    organisation = opened.organisation
    sales, rival, colleague = organisation.sales.id, organisation.rival.id, organisation.colleague.id
    states = [
        pb.Group(id=str(new_id()), version=1, name=name, member_ids=[str(sales), str(other)])
        for name, other in (("大客户组", rival), ("新人组", colleague))
    ]
    _told(opened, pb.GroupChanged(groups=states))
    with opened.database.reading() as session:
        assert set(resolve_scope(session, sales).colleague_ids) == {rival, colleague}
        assert resolve_scope(session, rival).colleague_ids == (sales,)

    gone = states[0]
    gone.version = 2
    _told(opened, pb.GroupDeleted(groups=[gone]))

    with opened.database.reading() as session:
        assert resolve_scope(session, sales).colleague_ids == (colleague,)
        assert resolve_scope(session, rival).colleague_ids == ()


@pytest.mark.parametrize(
    ("starts", "ends", "absent"),
    [(None, None, False), (None, 1, True), (-1, 1, True), (0, 1, True), (1, 2, False), (-2, 0, False), (-2, -1, False)],
)
def test_an_absence_lasts_from_its_beginning_until_before_its_end(
    starts: int | None, ends: int | None, absent: bool
) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    moments = [None if days is None else at + timedelta(days=days) for days in (starts, ends)]

    assert is_absent(*moments, at) is absent


def test_a_name_borne_by_two_members_maps_to_both(opened: OpenService) -> None:
    twin = new_id()
    with opened.database.transaction() as session:
        state = opened.organisation.member_state(opened.organisation.sales)
        state.id, state.login = str(twin), "twin"
        store.store_members(session, [state])
        found = members_named(session, ["张三", "sales", "nobody"])

    assert set(found["张三"]) == {twin, opened.organisation.sales.id}
    assert found["sales"] == [opened.organisation.sales.id]
    assert "nobody" not in found


def test_an_older_state_never_overwrites_a_newer_one(opened: OpenService) -> None:
    organisation = opened.organisation
    newer = organisation.member_state(organisation.sales, version=5)
    newer.name = "新名字"
    older = organisation.member_state(organisation.sales, version=4)
    subscription = directory_subscription("pool")

    for state in (newer, older):
        event = Event(new_id(), pb.MemberChanged(members=[state]), "2026-01-01T00:00:00+00:00", "")
        apply_events(opened.database, subscription, [event])

    with opened.database.reading() as session:
        name = session.scalar(select(tables.members.c.name).where(tables.members.c.id == organisation.sales.id))
    assert name == "新名字"


def test_a_deactivated_member_is_no_actor_any_more(opened: OpenService) -> None:
    organisation = opened.organisation
    state = organisation.member_state(organisation.sales, version=2)
    state.active, state.epoch = False, 1
    event = Event(new_id(), pb.MemberDeactivated(members=[state]), "2026-01-01T00:00:00+00:00", "")

    apply_events(opened.database, directory_subscription("pool"), [event])

    with opened.database.reading() as session:
        actor = DirectoryActors().actor(session, organisation.sales.id)
    assert actor is not None
    assert not actor.active
    assert actor.epoch == 1


def _told(opened: OpenService, message: Any) -> None:
    event = Event(new_id(), message, "2026-01-01T00:00:00+00:00", "")
    apply_events(opened.database, directory_subscription("pool"), [event])


class Identity(IdentityServiceServicer):
    """Exports an organisation of 2,500 members in pages."""

    def __init__(self, opened: OpenService) -> None:
        template = opened.organisation.member_state(opened.organisation.sales)
        self.members = []
        for number in range(2500):
            member = pb.Member()
            member.CopyFrom(template)
            member.id, member.login = str(UUID(int=number + 1)), f"m{number}"
            self.members.append(member)

    def ExportDirectory(self, request: Any, context: Any) -> ExportDirectoryResponse:
        start = int(request.page_token or 0)
        following = str(start + 1000) if start + 1000 < len(self.members) else ""
        return ExportDirectoryResponse(members=self.members[start : start + 1000], next_page_token=following)

    def BulkWriteMembers(self, request: Any, context: Any) -> BulkWriteMembersResponse:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "exports alone")
        raise AssertionError("unreachable")


@contextmanager
def identity(opened: OpenService, keys: Keys, bind: str) -> Iterator[Identity]:
    servicer = Identity(opened)
    tokens = ServiceTokens("identity", keys.private("identity"), keys.public())
    server = GrpcServer(bind, tokens, [lambda server: add_IdentityServiceServicer_to_server(servicer, server)])
    server.start()
    try:
        yield servicer
    finally:
        server.stop(1)


def test_rebuild_lets_go_of_whom_identity_lost_in_a_restore(services: Opener, keys: Keys) -> None:
    bind, projection = f"127.0.0.1:{free_port()}", directory_projection()
    with services.open(SERVICE, identity_grpc=bind) as opened, identity(opened, keys, bind) as answering:
        organisation = opened.organisation
        answering.members[:] = [organisation.member_state(organisation.sales)]
        lost = len(organisation.members) - 1 + len(organisation.role_ids) + 3  # departments
        assert projection.check(opened.runtime) == lost

        assert projection.rebuild(opened.runtime) == 1

        assert projection.check(opened.runtime) == 0
        with opened.database.reading() as session:
            active = session.scalars(select(tables.members.c.id).where(tables.members.c.active)).all()
            assert active == [organisation.sales.id]
            assert set(session.scalars(select(tables.departments.c.deleted))) == {True}
            assert set(session.scalars(select(tables.roles.c.deleted))) == {True}


def test_rebuild_reads_every_page_and_check_counts_what_differs(services: Opener, keys: Keys) -> None:
    bind, projection = f"127.0.0.1:{free_port()}", directory_projection()
    with services.open(SERVICE, with_directory=False, identity_grpc=bind) as opened, identity(opened, keys, bind):
        assert projection.check(opened.runtime) == 2500
        assert projection.rebuild(opened.runtime) == 2500
        assert projection.check(opened.runtime) == 0

        with opened.database.transaction() as session:
            session.execute(
                tables.members.update().where(tables.members.c.id == UUID(int=7)).values(name="changed by hand")
            )
            assert session.scalar(select(func.count()).select_from(tables.members)) == 2500

        assert projection.check(opened.runtime) == 1
