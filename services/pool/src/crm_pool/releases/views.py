"""Shapes of the releases' REST API."""

from datetime import datetime
from uuid import UUID

from chassis.http.api import View
from crm_pool.assignments.rules import Cause
from crm_pool.assignments.views import Named


class UndoView(View):
    """The undo of a release: a batch whose progress and results `GET /assignments/batches/{batch_id}` tells.

    Counts are null while it runs. `over_cap`: of the returned, those above their owner's holding cap.
    """

    batch_id: UUID
    actor: Named
    at: datetime
    returned: int | None
    not_returned: int | None
    over_cap: int | None


class ReleaseItemView(View):
    """A customer that a release took; `name` is null when it lies out of one's sight now.

    `untouched`: nothing happened to it since, so that an undo returns it.
    """

    customer_id: UUID
    name: str | None
    former_owner: Named | None
    untouched: bool


class ReleaseView(View):
    """Several customers taken from their owners at once; `id` is the batch's. `actor` null: the system.

    `former_owner` is null when they had several, `pool` when all went to members. `undo_until`: the last moment to undo it.
    """

    id: UUID
    at: datetime
    cause: Cause
    actor: Named | None
    former_owner: Named | None
    pool: Named | None
    customers: int
    skipped: int
    undo_until: datetime
    undo: UndoView | None
