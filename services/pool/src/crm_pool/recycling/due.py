"""Taking back what has expired, a page at a time; a run begins by itself when its time has come."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from prometheus_client import Counter
from sqlalchemy.orm import Session

from chassis import clock
from chassis.days import day_of
from chassis.due import DueTask, measuring
from chassis.metrics import Fact
from chassis.runtime import Runtime
from crm_pool.customers.clients import FactsNow, facts_beyond
from crm_pool.recycling import commands, queries
from crm_pool.recycling.commands import Page
from directory.scope import zone_of

# Between so many it is asked whether the process is to stop.
PAGES_AT_ONCE = 10
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
    """Some pages. While one is taken, the next is read and its facts are confirmed; while customer is away, all waits.

    Nobody waits for the reply, so customer reads what was taken from the event alone, while the next page is taken.
    """
    confirmed = _confirmed(runtime, lambda session: commands.next_page(session, clock.now()))
    with ThreadPoolExecutor(1, "recycle-ahead") as ahead:
        for left in reversed(range(PAGES_AT_ONCE)):
            if confirmed is None:
                return False
            page, facts = confirmed
            following = ahead.submit(_confirmed, runtime, partial(commands.page_after, page=page)) if left else None
            if not _take(runtime, page, facts) or following is None:
                break
            confirmed = following.result()
    return True


def _confirmed(runtime: Runtime, find: Callable[[Session], Page | None]) -> tuple[Page, FactsNow] | None:
    """A page and the facts of its customers as they are now, asked with no transaction open (design §3)."""
    with runtime.database.transaction() as session:
        page = find(session)
    if page is None:
        return None
    return page, facts_beyond(runtime, {one.customer_id: one.facts_version for one in page.expired})


def _take(runtime: Runtime, page: Page, facts: FactsNow) -> bool:
    with runtime.database.transaction() as session:
        outcome = commands.take_page(session, page, facts, clock.now())
    if outcome is None:
        return False
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
