"""Shape of the request to empty a pool."""

from uuid import UUID

from chassis.http.api import Body


class PoolToFill(Body):
    """The pool that everything goes to."""

    pool_id: UUID
