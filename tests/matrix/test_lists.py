"""Lists, searches and batches of the running services agree with what routes.txt says of single records."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.identifiers import new_id
from tests.matrix.calls import Case, call_of
from tests.matrix.table import TABLE, guarded
from tests.matrix.world import GUARDED, World

pytestmark = pytest.mark.system

READERS = ("account", "sales", "supervisor", "operations", "administrator")
TAKERS = READERS[1:]
READ = TABLE["GET /customers/{customer_id}"]
YESTERDAY = str(datetime.now(UTC).date() - timedelta(days=1))
each_reader = pytest.mark.parametrize("caller", READERS)


def _items(world: World, caller: str, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    """All that a list shows the caller, page after page."""
    page = 0
    while True:
        page += 1
        parameters = query | {"page": page, "page_size": 200}
        answer = world.http.get(path, params=parameters, headers=world.people.headers(caller)).raise_for_status()
        items = answer.json()["items"]
        yield from items
        if len(items) < 200:
            return


def _listed(world: World, caller: str, **query: Any) -> set[str]:
    """Which of the customers that stay are in the list."""
    return {item["id"] for item in _items(world, caller, "/customers", **query)} & world.places(caller).keys()


def _readable(world: World, caller: str, letters: str = "✓M") -> dict[str, str]:
    """The place of each customer that the caller may read, by its id."""
    places = world.places(caller).items()
    return {id_: place for id_, place in places if READ.expected(caller, place) in letters}


@each_reader
def test_a_list_shows_the_customers_that_may_be_read_and_no_other(world: World, caller: str) -> None:
    expected = _readable(world, caller).keys()

    assert _listed(world, caller, created_from=YESTERDAY) == expected
    assert _listed(world, caller, search=world.people.tag) == expected
    assert _listed(world, caller, search=world.people.tag, sort="updated_at") == expected


@each_reader
def test_a_list_shows_what_is_shared_and_nothing_that_others_have_locked(world: World, caller: str) -> None:
    row = TABLE["GET /customers/{customer_id} (guarded)"]
    places = {world.customer(caller, place).id: place for place in GUARDED}
    listed = {item["id"] for item in _items(world, caller, "/customers", created_from=YESTERDAY)}

    expected = {id_ for id_, place in places.items() if place != "locked" and row.expected(caller, place) == "✓"}
    assert listed & places.keys() == expected


@each_reader
def test_a_page_of_a_pool_shows_its_customers_to_those_who_see_it(world: World, caller: str) -> None:
    readable = _readable(world, caller)

    for pool in ("public", "foreign", "unassigned"):
        expected = {id_ for id_, place in readable.items() if place == pool}
        assert _listed(world, caller, pool_id=world.pools[pool]) == expected, pool


@each_reader
def test_the_recycle_bin_shows_what_its_history_shows(world: World, caller: str) -> None:
    history = TABLE["GET /customers/{customer_id}/history"]
    places = world.places(caller).items()

    expected = {id_ for id_, place in places if place == "bin" and history.expected(caller, place) == "✓"}
    assert _listed(world, caller, view="deleted", search=world.people.tag) == expected


@each_reader
def test_a_search_finds_what_may_be_read_and_numbers_only_where_they_are_shown(world: World, caller: str) -> None:
    places = world.places(caller)
    for customer in world.standing():
        letter = READ.expected(caller, places[customer.id]) if customer.id in places else "N"
        found, numbered = (_found(world, caller, text) for text in (customer.name, customer.contact["mobile"]))
        shown = [value for value in customer.contact.values() if value in found.text]

        assert found.json()["total"] == (letter in "✓M"), (customer, letter)
        assert len(shown) == (len(customer.contact) if letter == "✓" else 0), (customer, letter)
        assert numbered.json()["total"] == (letter == "✓"), (customer, letter)


def _found(world: World, caller: str, text: str) -> httpx.Response:
    query, headers = {"search": text}, world.people.headers(caller)
    return world.http.get("/customers", params=query, headers=headers).raise_for_status()


@pytest.mark.parametrize("field", ["mobile", "phone", "email", "qq", "contact.mobile", "contact"])
def test_no_list_is_filtered_or_sorted_by_a_field_that_can_be_masked(world: World, field: str) -> None:
    for query in ({field: "1"}, {"sort": field}, {"sort": f"-{field}"}):
        answer = world.http.get("/customers", params=query, headers=world.people.headers("administrator"))
        assert answer.status_code in (400, 422), query


VERBS = [row for row in TABLE.values() if row.route.startswith("POST /assignments:") and not row.remark]


@pytest.mark.parametrize(
    ("name", "caller"), [(row.name, caller) for row in VERBS for caller in TAKERS if row.cells[caller] != "F"]
)
def test_a_batch_answers_row_by_row_what_each_alone_would_get(world: World, name: str, caller: str) -> None:
    row = TABLE[name]
    cases = {case.customer.id: case for case in (Case(world, row, caller, place) for place in row.places)}
    body = call_of(name).body
    assert body is not None
    first = next(iter(cases.values()))

    reply = first.ask("POST", row.route.partition(" ")[2], json=body(first) | {"customer_ids": [*cases]}).json()

    answered = {result["customer_id"]: result for result in reply["results"]}
    for id_, case in cases.items():
        assert _letter(answered[id_], call_of(name).conflicts) == case.letter, (case.place, answered[id_])


def _letter(result: dict[str, Any], conflicts: tuple[str, ...]) -> str:
    if result["outcome"] == "done":
        return "✓"
    letters = {"not_found": "N", "not_yours_to_give": "O", "forbidden": "F"} | dict.fromkeys(conflicts, "C")
    return letters.get(result["code"], str(result))


BATCHES = {
    "delete": TABLE["DELETE /customers/{customer_id}"],
    "restore": TABLE["POST /customers/{customer_id}:restore"],
    "update": TABLE["PATCH /customers/{customer_id}"],
    "tag": TABLE["PUT /customers/{customer_id}/tags"],
}
_CODES = {"not_found": "N", "already_deleted": "N", "delete_own_only": "O", "claim_first": "C"}
_MORE = {"update": {"changes": {"rating": 2}}, "tag": {"remove": [str(new_id())]}}


@pytest.mark.parametrize("act", BATCHES)
@pytest.mark.parametrize("caller", TAKERS)
def test_a_batch_of_customers_ends_row_by_row_as_each_alone_would(world: World, act: str, caller: str) -> None:
    row = BATCHES[act]
    cases = {case.customer.id: case for case in (Case(world, row, caller, place) for place in row.places)}

    batch_id = world.finish(caller, f"/customers:{act}", {"customer_ids": [*cases], **_MORE.get(act, {})})

    items = _items(world, caller, f"/customers/batches/{batch_id}/items")
    answered = {item["item_id"]: "✓" if item["outcome"] == "done" else _CODES[item["code"]] for item in items}
    assert answered == {id_: case.letter for id_, case in cases.items()}


@each_reader
def test_the_list_of_contacts_shows_those_that_may_be_read_with_their_numbers_or_without(
    world: World, caller: str
) -> None:
    row = TABLE["GET /contacts/{contact_id}"]
    places = {id_: place for id_, place in world.places(caller).items() if place in row.places}
    letters = {id_: row.expected(caller, place) for id_, place in places.items()}
    listed = {
        item["customer"]["id"]: item["masked"]
        for item in _items(world, caller, "/contacts", created_from=YESTERDAY)
        if item["customer"]
    }

    expected = {id_: letter == "M" for id_, letter in letters.items() if letter in "✓M"}
    assert {id_: masked for id_, masked in listed.items() if id_ in places} == expected


@pytest.mark.parametrize("kind", ["import", "notification"])
@pytest.mark.parametrize("caller", TAKERS)
def test_a_list_shows_the_records_that_may_be_read_alone(world: World, kind: str, caller: str) -> None:
    read = TABLE.get(f"GET /{kind}s/{{{kind}_id}}") or TABLE[f"POST /{kind}s/{{{kind}_id}}:read"]
    listed = {item["id"] for item in _items(world, caller, f"/{kind}s")}

    for place in ("own", "other"):
        assert (world.record(kind, caller, place) in listed) == (read.expected(caller, place) == "✓"), place


@each_reader
def test_the_list_of_pools_shows_those_that_may_be_read(world: World, caller: str) -> None:
    listed = {item["id"] for item in _items(world, caller, "/pools")}
    row = TABLE["GET /pools/{pool_id}"]

    for place in row.places:
        assert (world.pools[place] in listed) == (row.expected(caller, place) == "✓"), place


@pytest.mark.parametrize("caller", TAKERS)
def test_deliveries_to_others_are_for_those_who_read_the_audit(world: World, caller: str) -> None:
    receivers = {item["member"]["id"] for item in _items(world, caller, "/deliveries")}
    own, other = world.people.members[caller].id, world.people.members["mate"].id

    assert own in receivers
    assert (other in receivers) == (caller == "administrator")
    assert caller == "administrator" or receivers == {own}


def test_a_client_learns_what_to_hide_from_the_member_it_speaks_for(world: World) -> None:
    for caller, scope in (
        ("roleless", "own"),
        ("account", "department"),
        ("sales", "own"),
        ("administrator", "company"),
    ):
        me = world.http.get("/auth/me", headers=world.people.headers(caller)).json()
        may = {name for name, permission in guarded().items() if permission in me["permissions"]}
        answered = {name for name in guarded() if TABLE[name].cells[caller] != "F"}

        assert may == answered, caller
        assert me["data_scope"] == scope
