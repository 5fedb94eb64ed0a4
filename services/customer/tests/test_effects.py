"""What a change of place does to contacts, collaborators, stars and locks: once, in order, and taken back exactly."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlalchemy.exc import DataError

from chassis.errors import Unavailable
from chassis.events.consumer import Event, apply_events
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_service_pb2 as pb
from crm.pool.v1 import pool_events_pb2 as events
from crm.pool.v1 import pool_service_pb2 as pool_pb
from crm_customer.effects.due import CATCH_UP
from crm_customer.effects.events import ASSIGNMENTS, ASSIGNMENTS_PROJECTION
from tests.support.plans import explained, rows_read

CONTACTS = events.RELATED_CONTACTS


def owned(member: Any) -> Place:
    """A place with a member."""
    return Place(owner_id=str(member.id))


def by_column(*changes: events.AssignmentChange) -> events.MovedTogether:
    """Changes that are alike, as pool tells of many."""
    first = changes[0]
    group = events.MovedTogether(
        common=first.state,
        customer_ids=[change.state.customer_id for change in changes],
        versions=[change.state.version for change in changes],
        customer_names=[change.customer_name for change in changes],
        former_owner_ids=[change.previous.owner_id for change in changes] if first.HasField("previous") else [],
    )
    group.common.ClearField("customer_id")
    group.common.ClearField("version")
    return group


class World:
    """One customer of `sales` with a contact, as pool moves it."""

    def __init__(self, customers: Any) -> None:
        self.customers, people = customers, customers.organisation
        self.sales, self.colleague, self.rival, self.supervisor = (
            people.sales,
            people.colleague,
            people.rival,
            people.supervisor,
        )
        self.pool = Place(pool_id=str(customers.open_pool))
        self.customer = customers.create(self.sales, contact={"name": "张三"})
        self.id = UUID(self.customer["id"])

    def change(self, version: int, previous: Place, place: Place, **effects: Any) -> events.AssignmentChange:
        """A change as pool sends it; without `effects` nothing was chosen."""
        state = self.customers.assignment(self.id, version, place)
        chosen = events.Effects(**effects) if effects else None
        return events.AssignmentChange(state=state, previous=previous, effects=chosen)

    def happens(self, *changes: events.AssignmentChange, actor: Any = None, together: bool = False) -> None:
        """Pool says so, in one set; `together`: by column where nothing was chosen."""
        actor_id = str(actor.id) if actor else ""
        messages = [
            events.AssignmentsChanged(together=[by_column(change)], actor_id=actor_id)
            if together and not change.HasField("effects")
            else events.AssignmentsChanged(changes=[change], actor_id=actor_id)
            for change in changes
        ]
        told = [Event(new_id(), message, "2026-11-22T00:00:00+00:00", "") for message in messages]
        apply_events(self.customers.database, ASSIGNMENTS, told)

    def released(self, version: int = 2, owner: Any = None) -> events.AssignmentChange:
        """Into the pool."""
        return self.change(version, owned(owner or self.sales), self.pool)

    def execute(self, statement: str, **values: Any) -> Any:
        """A statement about the customer."""
        with self.customers.database.transaction() as session:
            found = session.execute(text(statement), {"id": self.id, **values})
            return found.all() if found.returns_rows else None

    def add_collaborator(self, member: Any, *, can_write: bool = False) -> None:
        """A row as another transaction has written it."""
        self.execute(
            "INSERT INTO collaborators (customer_id, member_id, can_write, added_by, added_at)"
            " VALUES (:id, :member, :can_write, :by, now())",
            member=member.id,
            can_write=can_write,
            by=self.sales.id,
        )

    def star(self, member: Any, color: str) -> None:
        """The same of a star."""
        self.execute("INSERT INTO stars VALUES (:member, :id, :color, now())", member=member.id, color=color)

    def lock(self) -> None:
        """The same of a lock."""
        self.execute("UPDATE customers SET locked_at = now(), locked_by = :by WHERE id = :id", by=self.sales.id)

    @property
    def contact_owner(self) -> UUID | None:
        """Who owns its contact."""
        ((found,),) = self.execute("SELECT owner_id FROM contacts WHERE customer_id = :id")
        return cast("UUID | None", found)

    @property
    def collaborators(self) -> dict[UUID, bool]:
        """Who works on it, and whether they write."""
        return dict(self.execute("SELECT member_id, can_write FROM collaborators WHERE customer_id = :id"))

    @property
    def stars(self) -> dict[UUID, str]:
        """Whose star it has, in which colour."""
        return dict(self.execute("SELECT member_id, color FROM stars WHERE customer_id = :id"))

    @property
    def row(self) -> Any:
        """Its row."""
        (found,) = self.execute("SELECT effects_version, facts_version, locked_at FROM customers WHERE id = :id")
        return found


@pytest.fixture
def world(customers: Any) -> World:
    """See World."""
    return World(customers)


def test_in_a_pool_contacts_lose_their_owner_and_collaborators_and_the_lock_end(world: World) -> None:
    world.add_collaborator(world.colleague)
    world.lock()

    world.happens(world.released())

    assert world.contact_owner is None
    assert world.collaborators == {}
    assert world.row.locked_at is None
    assert world.row.effects_version == 2


def test_a_change_of_place_writes_its_customer_once(world: World, statements: list[str]) -> None:
    change = world.released()
    del statements[:]

    world.happens(change)

    assert len([one for one in statements if "UPDATE customers" in one]) == 1
    assert (world.contact_owner, world.row.effects_version) == (None, 2)


def test_ended_collaborations_are_told_to_others_and_stay_in_the_history(world: World) -> None:
    world.add_collaborator(world.colleague)
    facts = world.row.facts_version

    world.happens(world.released(), actor=world.supervisor)

    assert world.row.facts_version == facts + 1
    reply = world.customers.request("GET", f"/customers/{world.id}/history", world.customers.organisation.admin)
    (entry,) = [entry for entry in reply.json["items"] if entry["action"] == "customer.handed_over"]
    assert entry["actor"]["id"] == str(world.supervisor.id)
    (change,) = [change for change in entry["changes"] if change["field"] == "collaborators"]
    assert change["before"][0]["id"] == str(world.colleague.id)
    assert change["after"] is None
    (change,) = [change for change in entry["changes"] if change["field"] == "contacts"]
    assert (change["before"][0]["name"], change["before"][0]["owner_name"]) == ("张三", "张三")
    assert change["after"][0]["owner_id"] is None


def test_an_undone_release_brings_back_what_it_took(world: World) -> None:
    world.add_collaborator(world.colleague, can_write=True)
    world.lock()
    world.happens(world.released())

    world.happens(world.change(3, world.pool, owned(world.sales), undoes_version=2))

    assert world.contact_owner == world.sales.id
    assert world.collaborators == {world.colleague.id: True}
    assert world.row.locked_at is not None


def test_an_undo_leaves_what_changed_since(world: World) -> None:
    world.add_collaborator(world.colleague)
    world.happens(world.released())
    world.execute("UPDATE contacts SET owner_id = :rival WHERE customer_id = :id", rival=world.rival.id)
    world.add_collaborator(world.colleague, can_write=True)

    world.happens(world.change(3, world.pool, owned(world.sales), undoes_version=2))

    assert world.contact_owner == world.rival.id
    assert world.collaborators == {world.colleague.id: True}


@pytest.mark.parametrize(
    ("effects", "follows"),
    [({}, True), ({"following": [CONTACTS]}, True), ({"former_owner": events.FORMER_OWNER_REMOVED}, False)],
)
def test_contacts_follow_a_transfer_as_chosen(world: World, effects: Any, follows: bool) -> None:
    world.happens(world.change(2, owned(world.sales), owned(world.colleague), **effects))

    assert world.contact_owner == (world.colleague if follows else world.sales).id


def test_contacts_of_third_persons_stay_theirs(world: World) -> None:
    world.execute("UPDATE contacts SET owner_id = :rival WHERE customer_id = :id", rival=world.rival.id)

    world.happens(world.change(2, owned(world.sales), owned(world.colleague), following=[CONTACTS]))

    assert world.contact_owner == world.rival.id


def test_contacts_without_an_owner_follow_a_claim(world: World) -> None:
    world.happens(world.released(), world.change(3, world.pool, owned(world.colleague)))

    assert world.contact_owner == world.colleague.id


def _kept(world: World, record: str, owner: Any) -> None:
    """An opportunity or an order of the customer."""
    columns = {
        "opportunities": "name, grams, stage, progress_at) VALUES ('采购', '{}', 'initial', now()",
        "orders": "status, deal_on, amount, amount_agreed, member_id) VALUES ('draft', now(), 1, FALSE, :by",
    }[record]
    names, values = columns.split(") VALUES (")
    world.execute(
        f"INSERT INTO {record} (id, customer_id, owner_id, currency, created_by, created_at, updated_at, {names})"
        f" VALUES (:record, :id, :owner, 'CNY', :by, now(), now(), {values})",
        record=new_id(),
        owner=owner.id,
        by=world.sales.id,
    )


def _owner_of(world: World, record: str) -> Any:
    ((found,),) = world.execute(f"SELECT owner_id FROM {record} WHERE customer_id = :id")
    return found


RELATED = {"opportunities": events.RELATED_OPPORTUNITIES, "orders": events.RELATED_ORDERS}


@pytest.mark.parametrize("record", RELATED)
def test_opportunities_and_orders_follow_a_transfer_as_chosen(world: World, record: str) -> None:
    """Decision 0028, H-04."""
    _kept(world, record, world.sales)
    there, back = (owned(world.sales), owned(world.colleague)), (owned(world.colleague), owned(world.sales))

    world.happens(world.change(2, *there, following=[RELATED[record]]))
    assert (_owner_of(world, record), world.contact_owner) == (world.colleague.id, world.sales.id)
    world.happens(world.change(3, *back, following=[CONTACTS]))
    assert _owner_of(world, record) == world.colleague.id


@pytest.mark.parametrize("record", RELATED)
def test_opportunities_and_orders_lose_their_owner_in_a_pool_and_get_one_with_an_undo_or_a_claim(
    world: World, record: str
) -> None:
    _kept(world, record, world.rival)

    world.happens(world.released())
    assert _owner_of(world, record) is None
    world.happens(world.change(3, world.pool, owned(world.sales), undoes_version=2))
    assert _owner_of(world, record) == world.rival.id
    world.happens(world.released(4), world.change(5, world.pool, owned(world.colleague), following=[CONTACTS]))
    assert _owner_of(world, record) == world.colleague.id


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        (events.FORMER_OWNER_READER, False),
        (events.FORMER_OWNER_EDITOR, True),
        (events.FORMER_OWNER_REMOVED, None),
    ],
)
def test_the_former_owner_stays_as_chosen(world: World, fate: Any, expected: bool | None) -> None:
    world.happens(world.change(2, owned(world.sales), owned(world.rival), former_owner=fate))

    assert world.collaborators.get(world.sales.id) is expected
    names = world.customers.listed(world.sales)
    assert names == ([] if expected is None else [world.customer["name"]])


def test_a_new_owner_is_no_longer_a_collaborator(world: World) -> None:
    world.add_collaborator(world.rival, can_write=True)

    world.happens(world.change(2, owned(world.sales), owned(world.rival)))

    assert world.collaborators == {}


def test_a_star_goes_to_the_new_owner_unless_they_have_their_own(world: World) -> None:
    world.star(world.sales, "red")

    world.happens(world.change(2, owned(world.sales), owned(world.rival)))
    assert world.stars == {world.rival.id: "red"}

    world.star(world.colleague, "blue")
    world.happens(world.change(3, owned(world.rival), owned(world.colleague)))
    assert world.stars == {world.colleague.id: "blue"}


def test_an_undone_transfer_returns_star_and_contacts(world: World) -> None:
    world.star(world.sales, "red")
    world.happens(
        world.change(
            2, owned(world.sales), owned(world.rival), following=[CONTACTS], former_owner=events.FORMER_OWNER_READER
        )
    )

    world.happens(world.change(3, owned(world.rival), owned(world.sales), undoes_version=2))

    assert world.stars == {world.sales.id: "red"}
    assert world.contact_owner == world.sales.id
    assert world.collaborators == {}


def _story(world: World) -> list[events.AssignmentChange]:
    """Transferred, released, claimed by somebody else: each leaves its mark."""
    return [
        world.change(2, owned(world.sales), owned(world.rival), former_owner=events.FORMER_OWNER_READER),
        world.released(3, world.rival),
        world.change(4, world.pool, owned(world.colleague)),
    ]


def _record(world: World, changes: list[events.AssignmentChange]) -> None:
    """Pool remembers them."""
    world.customers.pool.history = [pool_pb.RecordedChange(change=change) for change in changes]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_effects_are_applied_once_and_in_order_however_the_events_come(world: World, order: Any) -> None:
    story = _story(world)
    _record(world, story)

    for place in (*order, *order):
        world.happens(story[place])
    CATCH_UP.run(world.customers.runtime)

    assert world.contact_owner == world.colleague.id
    assert world.collaborators == {}
    assert world.row.effects_version == 4
    log = world.execute(
        "SELECT version, count(*) FROM assignment_effects WHERE customer_id = :id GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in log] == [(2, 1), (3, 2), (4, 1)]


DAYS = {2: "2027-01-02", 3: "2027-01-03", 5: "2027-01-05", 6: "2027-01-06"}
VERSIONS = [2, 3, 4, 5, 6]


def _days(world: World) -> dict[int, events.AssignmentChange]:
    """The story as versions, between them those of nothing but the day."""
    transferred, released, claimed = _story(world)
    rescheduled = world.change(3, owned(world.rival), owned(world.rival))
    again = world.change(6, owned(world.colleague), owned(world.colleague))
    released.state.version, claimed.state.version = 4, 5
    story = [transferred, rescheduled, released, claimed, again]
    for change in story:
        change.state.expires_on = DAYS.get(change.state.version, "")
    _record(world, [transferred, released, claimed])
    return {change.state.version: change for change in story}


# Each version comes by the call, by the event, told apart or by column, or by both, some of them twice, in whatever order and
# in sets.
WAYS = st.sampled_from(["call", "apart", "together"])
DELIVERIES = st.permutations([*VERSIONS, *VERSIONS]).flatmap(
    lambda order: st.lists(st.tuples(WAYS, st.booleans()), min_size=10, max_size=10).map(
        lambda ways: [(version, *way) for version, way in zip(order, ways, strict=True)]
    )
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(DELIVERIES)
def test_calls_and_events_in_any_order_never_let_an_older_version_win_nor_lose_an_effect(
    customers: Any, rpc: Any, deliveries: list[tuple[int, str, bool]]
) -> None:
    world, highest, waiting = World(customers), 1, []
    versions = _days(world)
    for version, way, with_the_next in deliveries:
        waiting.append(version)
        if with_the_next:
            continue
        changes = [versions[one] for one in waiting]
        if way == "call":
            rpc("pool").ApplyAssignments(pb.ApplyAssignmentsRequest(changes=changes))
        else:
            world.happens(*changes, together=way == "together")
        highest, waiting = max(highest, *waiting), []
        ((reached, day),) = world.execute("SELECT assignment_version, expires_on FROM customers WHERE id = :id")
        assert (reached, str(day or "")) == (highest, versions[highest].state.expires_on)
    if waiting:
        world.happens(*(versions[one] for one in waiting))
    CATCH_UP.run(customers.runtime)

    assert (world.contact_owner, world.collaborators) == (world.colleague.id, {})
    ((owner, reached, effects),) = world.execute(
        "SELECT owner_id, assignment_version, effects_version FROM customers WHERE id = :id"
    )
    assert (owner, reached, effects) == (world.colleague.id, 6, 6)
    log = world.execute("SELECT version FROM assignment_effects WHERE customer_id = :id ORDER BY version")
    assert [version for (version,) in log] == [2, 4, 4, 5]


def test_a_day_alone_that_changes_takes_few_statements_and_reads_nothing_around_the_customer(
    world: World, statements: list[str]
) -> None:
    change = world.change(2, owned(world.sales), owned(world.sales))
    change.state.expires_on = DAYS[2]
    del statements[:]

    world.happens(change)

    assert not [one for one in statements if "contacts" in one or "collaborators" in one]
    assert [one.split()[0] for one in statements if "customers" in one] == ["SELECT", "WITH"]
    assert world.row.effects_version == 2


def test_a_place_is_known_at_once_and_its_effects_once_pool_has_told_what_was_missed(world: World) -> None:
    story = _story(world)
    world.happens(story[2])

    assert world.customers.listed(world.colleague) == [world.customer["name"]]
    assert world.contact_owner == world.sales.id

    world.customers.pool.away = True
    with pytest.raises(Unavailable):
        CATCH_UP.run(world.customers.runtime)
    assert world.row.effects_version == 1

    world.customers.pool.away = False
    _record(world, story)
    assert CATCH_UP.run(world.customers.runtime) is False
    assert world.contact_owner == world.colleague.id
    assert world.row.effects_version == 4


def test_what_pool_has_lost_is_not_asked_for_again(world: World) -> None:
    world.happens(_story(world)[2])

    CATCH_UP.run(world.customers.runtime)

    assert world.row.effects_version == 4
    assert world.contact_owner == world.sales.id


def test_a_rebuild_catches_up_with_effects(world: World) -> None:
    story = _story(world)
    world.customers.pool.assignments[str(world.id)] = story[2].state
    _record(world, story)

    ASSIGNMENTS_PROJECTION.rebuild(world.customers.runtime)

    assert world.contact_owner == world.colleague.id
    assert world.row.effects_version == 4


def test_a_refused_birth_takes_the_contact_from_its_owner(customers: Any) -> None:
    customers.pool.refuse[str(customers.organisation.sales.id)] = "holding_cap_reached"
    world = World(customers)
    birth = world.change(1, Place(), Place(pool_id=str(customers.hidden_pool)))

    world.happens(birth)

    assert world.contact_owner is None
    assert world.row.effects_version == 1


def test_pool_gives_effects_with_its_call_and_the_event_then_adds_nothing(
    world: World, rpc: Any, statements: list[str]
) -> None:
    change = world.change(2, owned(world.sales), owned(world.rival), former_owner=events.FORMER_OWNER_EDITOR)
    request = pb.ApplyAssignmentsRequest(changes=[change], actor_id=str(world.sales.id))

    assert not rpc("pool").ApplyAssignments(request).unknown_ids
    assert world.collaborators == {world.sales.id: True}
    world.execute("DELETE FROM collaborators WHERE customer_id = :id")
    del statements[:]
    world.happens(change)

    assert [one.split()[0] for one in statements] == ["INSERT", "SELECT"]
    assert world.collaborators == {}


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
def test_a_set_that_breaks_leaves_nothing_and_is_applied_whole_the_next_time(world: World, together: bool) -> None:
    broken = events.AssignmentChange(state=events.AssignmentState(customer_id="x", version=2))
    with pytest.raises(DataError, match="uuid"):
        world.happens(world.released(), broken, together=together)
    assert world.contact_owner == world.sales.id
    assert world.row.effects_version == 1

    world.happens(world.released(), together=together)

    assert world.contact_owner is None


@pytest.fixture
def statements(customers: Any) -> Iterator[list[str]]:
    """What is executed."""
    found: list[str] = []
    listen = lambda *given: found.append(given[2])
    event.listen(customers.database.engine, "before_cursor_execute", listen)
    yield found
    event.remove(customers.database.engine, "before_cursor_execute", listen)


FILL = """
    INSERT INTO customers (id, version, facts_version, name, owner_id, assignment_version, effects_version, created_by,
        created_at, updated_at)
    SELECT gen_random_uuid(), 1, 1, '许多' || n, :owner, 1, 1, :owner, now(), now() FROM generate_series(1, :count) AS n
"""


def test_a_thousand_changes_take_few_statements(world: World, statements: list[str]) -> None:
    world.execute(FILL, owner=world.sales.id, count=999)
    world.execute(
        "INSERT INTO contacts (id, customer_id, owner_id, name, created_at, updated_at)"
        " SELECT gen_random_uuid(), id, owner_id, name, now(), now() FROM customers WHERE name LIKE '许多%'"
    )
    world.execute(
        "INSERT INTO collaborators (customer_id, member_id, added_by, added_at)"
        " SELECT id, :member, owner_id, now() FROM customers",
        member=world.colleague.id,
    )
    ids = [row.id for row in world.execute("SELECT id FROM customers")]
    changes = []
    for id_ in ids:
        world.id = id_
        changes.append(world.released())
    message = events.AssignmentsChanged(changes=changes)
    del statements[:]

    apply_events(world.customers.database, ASSIGNMENTS, [Event(new_id(), message, "2026-11-22T00:00:00+00:00", "")])

    assert len(ids) == 1000
    assert len(statements) < 40
    assert world.execute("SELECT 1 FROM contacts WHERE owner_id IS NOT NULL") == []
    assert world.execute("SELECT 1 FROM collaborators") == []
    assert len(world.execute("SELECT 1 FROM assignment_effects")) == 2000


def test_births_that_are_known_are_looked_at_with_one_statement_that_reads_them_alone(
    world: World, statements: list[str]
) -> None:
    """Whatever is known of the table: an import fills it faster than PostgreSQL counts it."""
    world.execute(FILL, owner=world.sales.id, count=20_000)
    ids = [row.id for row in world.execute("SELECT id FROM customers LIMIT 1000")]
    born = [
        events.AssignmentChange(state=world.customers.assignment(id_, 1, owned(world.sales), "2027-01-01"))
        for id_ in ids
    ]
    message = events.AssignmentsChanged(together=[by_column(*born)], cause=events.CAUSE_IMPORT)
    del statements[:]

    with explained(world.customers.database.engine, "ORDINALITY") as plans:
        apply_events(world.customers.database, ASSIGNMENTS, [Event(new_id(), message, "2026-11-22T00:00:00+00:00", "")])

    assert [one.split()[0] for one in statements if "customers" in one] == ["SELECT"]
    assert [rows_read(plan) for plan in plans] == [1000]


def test_what_a_run_took_is_kept_with_three_statements_that_read_its_customers_alone(
    world: World, statements: list[str]
) -> None:
    """Where nothing lies around them, and whatever is known of the table."""
    world.execute(FILL, owner=world.sales.id, count=20_000)
    changes = []
    for row in world.execute("SELECT id FROM customers WHERE name LIKE '许多%' LIMIT 500"):
        world.id = row.id
        changes.append(world.released())
    message = events.AssignmentsChanged(together=[by_column(*changes)], cause=events.CAUSE_RECYCLE)
    read_whole = text("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'customers'")

    with world.customers.database.transaction() as session:
        before = session.scalar(read_whole)
        del statements[:]
        ASSIGNMENTS.apply(session, [Event(new_id(), message, "2026-11-22T00:00:00+00:00", "")])
        sent = len(statements)
        after = session.scalar(read_whole)

    assert (sent, after) == (3, before)
    left = "SELECT count(*) FROM customers WHERE owner_id IS NULL AND (assignment_version, effects_version) = (2, 2)"
    assert [row[0] for row in world.execute(left)] == [500]


def _surrounded(world: World) -> list[UUID]:
    """Customers of `sales` with everything that may lie around one, or out of order, and one that does not exist here."""
    around: list[Any] = [
        lambda: None,
        lambda: world.add_collaborator(world.colleague),
        lambda: world.star(world.sales, "red"),
        world.lock,
        lambda: world.happens(world.released(3)),
        lambda: world.happens(world.released(2)),
        lambda: world.execute("UPDATE customers SET deleted_at = now() WHERE id = :id"),
    ]
    ids = []
    for put in around:
        for contact in ({}, {"contact": {"name": "张三"}}):
            world.id = UUID(world.customers.create(world.sales, **contact)["id"])
            put()
            ids.append(world.id)
    return [*ids, new_id()]


def _ended(world: World, id_: UUID) -> list[list[str]]:
    """All that a change of place may touch, but for moments and ids."""
    world.id = id_
    shown = [
        "owner_id, pool_id, recycled, assignment_version, effects_version, facts_version, locked_at FROM customers WHERE id",
        "owner_id FROM contacts WHERE customer_id",
        "member_id FROM collaborators WHERE customer_id",
        "member_id, color FROM stars WHERE customer_id",
        "version, record, after FROM assignment_effects WHERE customer_id",
        "action FROM audit_entries WHERE action = 'customer.handed_over' AND subject_id",
    ]
    return [sorted(map(str, world.execute(f"SELECT {one} = :id"))) for one in shown]


def test_told_apart_or_by_column_customers_end_the_same(world: World) -> None:
    apart, together = _surrounded(world), _surrounded(world)
    message = []
    for ids in (apart, together):
        changes = []
        for id_ in ids:
            world.id = id_
            changes.append(world.released(2))
        message.append(changes)
    world.happens(*message[0])
    whole = events.AssignmentsChanged(together=[by_column(*message[1])], cause=events.CAUSE_RECYCLE)

    for _ in range(2):
        told = Event(new_id(), whole, "2026-11-22T00:00:00+00:00", "")
        apply_events(world.customers.database, ASSIGNMENTS, [told])

    assert [_ended(world, id_) for id_ in together] == [_ended(world, id_) for id_ in apart]
