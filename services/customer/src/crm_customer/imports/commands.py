"""Writing one chunk of an import set-wise: the number of statements does not depend on the number of rows."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from chassis.database import lock
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.rules import Problem
from crm_customer.imports.answers import created_together, settled
from crm_customer.imports.births import Births, compose, owner_ids, write_births
from crm_customer.imports.chunks import keep_answer, kept_answer
from crm_customer.imports.queries import Prepared, decisions
from crm_customer.imports.rules import Create, Decision, Placed, Plan, Row, Settled, Update
from crm_customer.imports.updates import update_customers
from crm_customer.ownership.projection import lock_owners, owners_of


def make_ready(
    session: Session, prepared: Prepared, decided: Iterable[Decision], plan: Plan, now: datetime
) -> Births | None:
    """What rows would write that create customers, as things stand; None where none do. Reads alone: most of the work of a
    chunk is done before it holds up those of others.
    """
    by_place, _ = _placed(prepared, decided, plan)
    return compose(prepared, by_place, owners_of(session, owner_ids(by_place)), now) if by_place else None


def write_chunk(
    session: Session, prepared: Prepared, plan: Plan, ready: Births | None, now: datetime
) -> pb.BulkWriteCustomersResponse:
    """Match again and write, alone among all imports, so that two never create one customer twice (design §4).

    `plan`: pool's, for the rows that had no match before; `ready`: what they were about to write then.
    """
    lock(session, "customer-matching")
    kept = kept_answer(session, prepared.chunk.id)
    if kept is not None:
        return kept
    decided = decisions(session, prepared)
    by_place, results = _placed(prepared, decided, plan)
    if by_place:
        owners = lock_owners(session, owner_ids(by_place))
        if ready is None or not ready.fit(by_place, owners):
            ready = compose(prepared, by_place, owners, now)
        write_births(session, ready)
    wanted = [one for one in decided if isinstance(one, Update)]
    results |= update_customers(session, prepared, wanted, now)
    response = pb.BulkWriteCustomersResponse(
        results=[results[row.number] for row in prepared.rows if row.number in results],
        created=[created_together(rows, placed.columns) for placed, rows in by_place.items()],
    )
    keep_answer(session, prepared.chunk.id, response, now)
    return response


def placed_by(plan: Plan, prepared: Prepared, row: Row) -> Placed | Problem:
    """Where pool lets the row lie, or why nowhere, naming the owner as the row does, else the importer."""
    placed = plan.get(row.record_id)
    if placed is None:
        # It had a match when pool was asked, and that is gone meanwhile.
        return Problem("", "match_changed")
    if placed.refusal_code:
        field, owner = row.owner_named
        owned = prepared.chunk.target_pool_id is None
        return Problem(field, placed.refusal_code, owner or (prepared.importer if owned else ""))
    return placed


def _placed(
    prepared: Prepared, decided: Iterable[Decision], plan: Plan
) -> tuple[dict[Placed, list[Row]], dict[int, rows_pb.ImportRowResult]]:
    """Rows that become customers, by where they will lie, and the results of those that write nothing."""
    by_place: dict[Placed, list[Row]] = {}
    results = {}
    for one in decided:
        if isinstance(one, Settled):
            results[one.row.number] = settled(one)
        elif isinstance(one, Create):
            placed = placed_by(plan, prepared, one.row)
            if isinstance(placed, Problem):
                results[one.row.number] = settled(Settled(one.row, [placed]))
            else:
                by_place.setdefault(placed, []).append(one.row)
    return by_place, results
