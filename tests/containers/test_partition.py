"""Two services that cannot call each other: both go on, and agree again once they can."""

from collections.abc import Iterator, Sequence

import pytest

from chassis.identifiers import new_id
from crm_customer.service import SERVICE as CUSTOMER
from crm_pool.service import SERVICE as POOL
from highsea_local.demo.gateway import Person, Refused, until
from highsea_local.topology import SERVE, WORK
from tests.support.containers.system import ContainerSystem
from tests.support.whole import Whole, owner_of

pytestmark = pytest.mark.system


def test_customer_and_pool_go_on_without_each_other_and_agree_afterwards(
    whole: Whole, containers: ContainerSystem
) -> None:
    seller, operations, pool = whole.person("sales"), whole.person("operations"), whole.pool()
    tag = new_id().hex[-8:]
    claimable = whole.customers_in_pool([f"先有{tag}{number}" for number in range(3)])

    with containers.cut_off_calls([*containers.names("pool", SERVE), *containers.names("pool", WORK)]):
        with pytest.raises(Refused) as refused:
            _move_all(operations, tag, pool["id"])
        assert refused.value.status == 503
        mine = seller.post("/customers", {"name": f"分区{tag}"})
        pooled = operations.post("/customers", {"name": f"分区{tag}乙", "pool_id": pool["id"]})
        assert seller.patch(f"/customers/{mine['id']}", {"remark": "改"}, mine["version"])["remark"] == "改"
        assert seller.get("/customers", search=tag)["total"] >= 1
        assert seller.post("/assignments:claim", {"customer_ids": claimable[:2]})["succeeded"] == 2
        until(lambda: owner_of(seller.get(f"/assignments/{mine['id']}")) == seller.id)

    until(lambda: seller.post("/assignments:claim", {"customer_ids": [pooled["id"]]})["succeeded"] == 1)
    owned = [mine["id"], pooled["id"], *claimable[:2]]
    until(lambda: [owner_of(seller.get(f"/customers/{id_}")) for id_ in owned] == [seller.id] * len(owned))
    until(
        lambda: (
            _versions(whole, "customer", "id, assignment_version AS version FROM customers WHERE id", owned)
            == _versions(whole, "pool", "customer_id AS id, version FROM assignments WHERE customer_id", owned)
        )
    )
    until(lambda: _move_all(operations, tag, pool["id"])["total"] >= 1)
    until(lambda: not any(_drifts(whole)))


def test_calls_leave_a_replica_that_vanished(whole: Whole, containers: ContainerSystem) -> None:
    seller, (caller,) = whole.person("sales"), containers.names("customer", SERVE)
    vanished, *others = containers.names("pool", SERVE)
    assert others

    def ten_customers_are_placed_at_once() -> bool:
        before = containers.failed_calls(caller)
        for _ in range(10):
            seller.post("/customers", {"name": f"离去{new_id().hex}"})
        return containers.failed_calls(caller) == before

    until(ten_customers_are_placed_at_once)
    with containers.cut_off_calls([vanished]):
        assert not ten_customers_are_placed_at_once()
        until(ten_customers_are_placed_at_once)


def _drifts(whole: Whole) -> Iterator[int]:
    """For each projection of the two: 1 when it differs from its owner's rows, else 0."""
    for service in (CUSTOMER, POOL):
        for projection in service.projections:
            yield whole.system.run(service.name, "rebuild", projection.name, "--check").returncode


def _move_all(person: Person, search: str, pool_id: str) -> dict[str, object]:
    """Pool asks customer which ones match: it needs an answer."""
    return person.post("/assignments:move", {"selection": {"filter": {"search": search}}, "pool_id": pool_id})


def _versions(whole: Whole, service: str, what: str, ids: Sequence[str]) -> dict[str, int]:
    return {str(row["id"]): row["version"] for row in whole.rows(service, f"SELECT {what} = ANY(%s::uuid[])", [ids])}
