"""Pools for other services."""

import grpc

from chassis.runtime import Runtime
from crm.pool.v1 import pool_service_pb2 as pb
from crm_pool.pools import commands, queries


class PoolMethods:
    """The methods of PoolService about pools."""

    _runtime: Runtime

    def ListPools(self, _request: pb.ListPoolsRequest, _context: grpc.ServicerContext) -> pb.ListPoolsResponse:
        """All pools, for projections."""
        with self._runtime.database.transaction() as session:
            commands.ensure_default_pools(session)
            return pb.ListPoolsResponse(pools=[pool.state() for pool in queries.all_pools(session).values()])
