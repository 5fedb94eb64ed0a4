"""Calls between services: own token, actor, deadline, refusals with their codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from chassis.auth.tokens import ServiceTokens
from chassis.database import Database
from chassis.errors import Conflict, Forbidden, Refusal, Unauthenticated, Unavailable
from chassis.identifiers import new_id
from chassis.rpc.client import Peers, on_behalf_of
from chassis.rpc.errors import peer_errors
from chassis.rpc.server import GrpcServer, RpcCaller, current_caller
from crm.pool.v1 import pool_service_pb2 as pb
from crm.pool.v1.pool_service_pb2_grpc import PoolServiceServicer, PoolServiceStub, add_PoolServiceServicer_to_server
from highsea_local.ports import free_port
from tests.support.services import Keys, OpenService


class Pools(PoolServiceServicer):
    """Remembers its callers; fails as told."""

    def __init__(self) -> None:
        self.callers: list[RpcCaller] = []
        self.error: Exception | None = None

    def ListPools(self, request: Any, context: Any) -> pb.ListPoolsResponse:
        self.callers.append(current_caller())
        if self.error:
            raise self.error
        return pb.ListPoolsResponse()

    def PlaceCustomers(self, request: Any, context: Any) -> pb.PlaceCustomersResponse:
        return pb.PlaceCustomersResponse()


@contextmanager
def serving(keys: Keys) -> Iterator[tuple[Pools, str]]:
    pools, bind = Pools(), f"127.0.0.1:{free_port()}"
    tokens = ServiceTokens("pool", keys.private("pool"), keys.public())
    server = GrpcServer(bind, tokens, [lambda server: add_PoolServiceServicer_to_server(pools, server)])
    server.start()
    try:
        yield pools, bind
    finally:
        server.stop(1)


@contextmanager
def calling(keys: Keys, bind: str, caller: str = "customer") -> Iterator[PoolServiceStub]:
    peers = Peers(ServiceTokens(caller, keys.private(caller), keys.public()), {"pool": bind})
    try:
        yield PoolServiceStub(peers.channel("pool"))
    finally:
        peers.close()


def test_the_callee_learns_service_and_actor(keys: Keys) -> None:
    actor = new_id()
    with serving(keys) as (pools, bind), calling(keys, bind) as stub:
        stub.ListPools(pb.ListPoolsRequest(), metadata=on_behalf_of(actor))

    assert pools.callers == [RpcCaller("customer", actor)]


def test_a_call_without_service_token_is_refused_even_with_an_actor(keys: Keys) -> None:
    with serving(keys) as (_, bind), grpc.insecure_channel(bind) as channel:
        with pytest.raises(Unauthenticated, match="service_token_required"), peer_errors("pool"):
            PoolServiceStub(channel).ListPools(pb.ListPoolsRequest(), timeout=5, metadata=on_behalf_of(new_id()))


def test_a_token_for_another_audience_or_in_anothers_name_is_refused(keys: Keys) -> None:
    tokens = ServiceTokens("customer", keys.private("customer"), keys.public())
    forged = ServiceTokens("customer", keys.private("notify"), keys.public())
    with serving(keys) as (_, bind), grpc.insecure_channel(bind) as channel:
        for token in (tokens.sign("identity"), forged.sign("pool")):
            with pytest.raises(Unauthenticated), peer_errors("pool"):
                PoolServiceStub(channel).ListPools(
                    pb.ListPoolsRequest(), timeout=5, metadata=[("authorization", f"Bearer {token}")]
                )


def test_a_service_that_is_not_among_the_callers_is_refused(keys: Keys) -> None:
    with serving(keys) as (_, bind), calling(keys, bind, "notify") as stub:
        with pytest.raises(Forbidden), peer_errors("pool"):
            stub.PlaceCustomers(pb.PlaceCustomersRequest())


def test_a_refusal_keeps_its_code_parameters_and_retry_delay(keys: Keys) -> None:
    with serving(keys) as (pools, bind), calling(keys, bind) as stub:
        pools.error = Conflict("holding_cap_reached", cap=3, retry_after_seconds=1.5)
        with pytest.raises(Refusal) as refused, peer_errors("pool"):
            stub.ListPools(pb.ListPoolsRequest())

    assert isinstance(refused.value, Conflict)
    assert (refused.value.code, refused.value.parameters) == ("holding_cap_reached", {"cap": "3"})
    assert refused.value.retry_after_seconds == 1.5


def test_an_unexpected_failure_leaks_nothing(keys: Keys) -> None:
    with serving(keys) as (pools, bind), calling(keys, bind) as stub:
        pools.error = RuntimeError("secret detail")
        with pytest.raises(grpc.RpcError) as failed:
            stub.ListPools(pb.ListPoolsRequest())

    assert "secret" not in str(failed.value)


def test_a_peer_that_is_away_is_unavailable(keys: Keys) -> None:
    with calling(keys, f"127.0.0.1:{free_port()}") as stub:
        with pytest.raises(Unavailable, match="peer_unavailable"), peer_errors("pool"):
            stub.ListPools(pb.ListPoolsRequest(), timeout=1)


def test_no_call_is_made_while_a_transaction_is_open(sample: OpenService, keys: Keys) -> None:
    database: Database = sample.database
    with serving(keys) as (pools, bind), calling(keys, bind) as stub, database.transaction():
        with pytest.raises(RuntimeError, match="transaction is open"):
            stub.ListPools(pb.ListPoolsRequest())

    assert pools.callers == []
