"""Taking back what has expired, a page at a time; a run begins by itself when its time has come."""

from prometheus_client import Counter
from sqlalchemy.orm import Session

from chassis import clock
from chassis.days import day_of
from chassis.due import DueTask, measuring
from chassis.metrics import Fact
from chassis.runtime import Runtime
from crm_pool.customers.clients import facts_beyond
from crm_pool.recycling import commands, queries
from directory.scope import zone_of

_customers = Counter(
    "crm_recycling_customers_total",
    "Expired customers that runs took, or spared because they had not expired when looked at again (work; sum)",
    ["outcome"],
)
_last_finished = Fact(
    "crm_recycling_last_finished_timestamp_seconds",
    "When the last run that came to its end began; 0: there was none (work; max)",
)
_held = Fact("crm_recycling_runs_held", "Runs that wait for somebody's confirmation (work; max)")
_overdue = Fact("crm_recycling_overdue", "Customers that have expired and have their owners still (work; max)")

for _outcome in ("taken", "spared"):
    _customers.labels(_outcome)  # 0 from the start


def _recycle(runtime: Runtime) -> bool:
    """A page. Its facts are confirmed before, with no transaction open (design §3); while customer is away, all waits.

    Nobody waits for the reply, so customer reads what was taken from the event alone, while the next page is taken.
    """
    with runtime.database.transaction() as session:
        page = commands.next_page(session, clock.now())
    if page is None:
        return False
    facts = facts_beyond(runtime, {one.customer_id: one.facts_version for one in page.expired})
    with runtime.database.transaction() as session:
        outcome = commands.take_page(session, page, facts, clock.now())
    _customers.labels("taken").inc(outcome.taken)
    _customers.labels("spared").inc(outcome.spared)
    return True


def _measure(session: Session) -> None:
    run, before = queries.last_run(session), queries.runs_before(session)
    _held.set(int(run is not None and run.waits))
    _overdue.set(queries.overdue(session, day_of(clock.now(), zone_of(session))))
    _last_finished.set(before.finished_started_at.timestamp() if before.finished_started_at else 0)


RECYCLE = DueTask("recycle", 60, _recycle)
MEASURE_RECYCLING = measuring("recycling", _measure)
