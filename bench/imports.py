"""Importing a workbook until every row has its result and its place: beside COPY of the same facts into the same tables, and
beside django-import-export, with 1, 2 and 4 chunk workers.

`python -m bench.imports [rows …]`, default 10,000 and 100,000. Goals (design §8): 0.5 × COPY, 10 × django-import-export, at
most 250 MB for a process of chunk workers, pages of lists within 2 × of idle. Both rivals write into the same tables with the
same indexes and foreign keys, django-import-export into customer's alone. What flatters them is printed, too: COPY that checks
no foreign key, django-import-export into one table of 19 columns.

Meanwhile somebody opens pages of the list, as before and after at the idle system, and whoever imports has the job's page
open, which is read every second; each reading of it costs import serve some 4 ms. That the import has ended is asked of the
database.
"""

import io
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from bench.running import cpu_seconds, family, peak_megabytes, whole_system
from highsea_local.demo import steps
from highsea_local.demo.companies import rows
from highsea_local.demo.gateway import until
from highsea_local.demo.workbook import workbook_bytes
from tests.support.whole import Whole

ROWS = (10_000, 100_000)
WORKERS = (1, 2, 4)
RIVAL_ROWS = 2_000
LEAST, RIVAL_LEAST, MOST_MEGABYTES, SLOWER = 0.5, 10, 250, 2
IDLE_SECONDS, SETTLING_SECONDS = 20, 5
STAGES = {
    "upload and preview (import serve)": "import-serve",
    "read, split, call (import process)": "import-process",
    "relay and due work (import work)": "import-work",
    "validate, match, write (customer bulk)": "customer-bulk",
    "pages of the list (customer serve)": "customer-serve",
    "projections (customer work)": "customer-work",
    "place (pool serve)": "pool-serve",
    "events (pool work)": "pool-work",
    "notify (work)": "notify-work",
    "PostgreSQL": "postgres",
    "NATS": "nats",
    "gateway": "traefik",
}
WORKER = "import-process"
# What an import writes of its rows, by database; copied in this order.
FACTS = {
    "customer": ("customers", "customer_search", "contacts", "customer_contacts", "contact_search"),
    "pool": ("customers", "assignments", "assignment_history"),
    "import": ("row_results",),
}
_JOB_PAGE_SECONDS, _LIST_PAGE_SECONDS = 1.0, 0.2
_UNENDED = "SELECT count(*) FROM import_jobs WHERE id = %s AND finished_at IS NULL"
_UNPLACED = "SELECT count(*) FROM customers LEFT JOIN assignments ON customer_id = id WHERE customer_id IS NULL"


@dataclass
class Run:
    """One import: seconds by the clock, CPU seconds by stage, MB at most by process, seconds of pages meanwhile."""

    created: int
    seconds: float
    cpu: dict[str, float]
    megabytes: dict[str, float]
    pages: list[float]


def main(sizes: Sequence[int] = ()) -> None:
    """Print, for each number of rows and of workers, rows/s, ratios, CPU by stage and peak memory."""
    for size in sizes or ROWS:
        content = workbook_bytes(rows(size, 11))
        for workers in WORKERS:
            with whole_system(environment={WORKER: {"IMPORT_CHUNK_WORKERS": str(workers)}}) as whole:
                _warm(whole)
                idle = _idle_pages(whole)
                run = _import(whole, content)
                time.sleep(SETTLING_SECONDS)
                idle += _idle_pages(whole)
                copied, unchecked = _copy_seconds(whole), _copy_seconds(whole, checked=False)
                rival = _rival_seconds(whole) if workers == WORKERS[-1] else {}
            _print(size, workers, run, (copied, unchecked), idle, rival)


def _warm(whole: Whole) -> None:
    """Connections are open and statements prepared before anything is measured."""
    person = whole.person("operations")
    steps.import_workbook(person, "warm.xlsx", workbook_bytes(rows(1_000, 12)), whole.pool()["id"], 600)


def _import(whole: Whole, content: bytes) -> Run:
    before, person, pool = _used(whole), whole.person("operations"), whole.pool()
    with _reading(whole) as pages:
        started = time.perf_counter()
        job = person.upload("/imports", "bench.xlsx", content)
        page = f"/imports/{job['id']}"
        with _repeated(_JOB_PAGE_SECONDS, lambda: person.get(page)):
            steps.start_import(person, job, {"mode": "create_only", "target_pool_id": pool["id"]})
            _until_none(whole, "import", _UNENDED, job["id"])
            _until_none(whole, "pool", _UNPLACED)
        seconds = time.perf_counter() - started
    used = {stage: after - before[stage] for stage, after in _used(whole).items()}
    peaks = {name: peak_megabytes(family(whole.system, name)) for name in STAGES.values()}
    return Run(person.get(page)["created"], seconds, used, peaks, pages)


def _until_none(whole: Whole, service: str, counting: LiteralString, *parameters: str) -> None:
    """Over one connection: to open one costs both sides more than the question."""
    with psycopg.connect(whole.system.database_url(service), autocommit=True) as connection:
        until(lambda: connection.execute(counting, parameters).fetchone() == (0,), 1800)


@contextmanager
def _repeated(every_seconds: float, what: Callable[[], object]) -> Iterator[None]:
    """Somebody does `what` meanwhile, again and again."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.is_set():
            what()
            ended.wait(every_seconds)

    repeating = threading.Thread(target=repeat)
    repeating.start()
    try:
        yield
    finally:
        ended.set()
        repeating.join()


@contextmanager
def _reading(whole: Whole) -> Iterator[list[float]]:
    """Somebody opens pages of the list meanwhile; seconds of each."""
    person, seconds = whole.person("sales"), list[float]()

    def page() -> None:
        started = time.perf_counter()
        person.get("/customers")
        seconds.append(time.perf_counter() - started)

    with _repeated(_LIST_PAGE_SECONDS, page):
        yield seconds


def _idle_pages(whole: Whole) -> list[float]:
    with _reading(whole) as pages:
        time.sleep(IDLE_SECONDS)
    return pages


def _used(whole: Whole) -> dict[str, float]:
    return {stage: cpu_seconds(family(whole.system, name)) for stage, name in STAGES.items()}


def _copy_seconds(whole: Whole, *, checked: bool = True) -> float:
    """The facts of all imported rows again by COPY, one table after the other, into the same tables with their indexes;
    `checked`: and their foreign keys.
    """
    seconds = 0.0
    for service, tables in FACTS.items():
        with psycopg.connect(_owner_url(whole, service)) as connection:
            copies = [_copied_out(connection, table) for table in tables]
            connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE")  # type: ignore[arg-type]
            connection.commit()
            if not checked:
                connection.execute("SET session_replication_role = replica")
            started = time.perf_counter()
            for table, content in zip(tables, copies, strict=True):
                with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:  # type: ignore[arg-type]
                    copy.write(content)
            connection.commit()
            seconds += time.perf_counter() - started
    return seconds


def _copied_out(connection: psycopg.Connection, table: str) -> bytes:
    content = io.BytesIO()
    with connection.cursor().copy(f"COPY {table} TO STDOUT (FORMAT binary)") as copy:  # type: ignore[arg-type]
        for piece in copy:
            content.write(piece)
    return content.getvalue()


def _owner_url(whole: Whole, service: str) -> str:
    name = whole.system.database_url(service).rsplit("/", 1)[1]
    return f"{whole.system.superuser_url.rsplit('/', 1)[0]}/{name}"


def _rival_seconds(whole: Whole) -> dict[str, float]:
    """Seconds of a row in django-import-export, in an environment of its own, by what it writes."""
    with tempfile.TemporaryDirectory(prefix="highsea-bench-") as folder:
        workbook = Path(folder) / "rows.xlsx"
        workbook.write_bytes(workbook_bytes(rows(RIVAL_ROWS, 13)))
        script = Path(__file__).parent / "rivals" / "django_import.py"
        command = [Path(sys.executable).with_name("uv"), "run", "--quiet", "--no-project", "--script", script]
        done = subprocess.run(
            [*map(str, command), _owner_url(whole, "customer"), str(workbook)],
            capture_output=True,
            text=True,
            check=True,
        )
    return {name: seconds / RIVAL_ROWS for name, seconds in json.loads(done.stdout).items()}


def _print(
    size: int, workers: int, run: Run, copied: tuple[float, float], idle: list[float], rival: dict[str, float]
) -> None:
    print(
        f"\n{size} rows, {workers} chunk workers: created {run.created} in {run.seconds:.1f} s, {size / run.seconds:.0f} rows/s"
    )
    checked, unchecked = copied
    print(f"  {checked / run.seconds:.2f} × COPY of the same facts ({checked:.1f} s; goal ≥ {LEAST})")
    print(f"  {unchecked / run.seconds:.2f} × COPY that checks no foreign key ({unchecked:.1f} s)")
    for what, goal in (("facts", f"; goal ≥ {RIVAL_LEAST}"), ("one_table", "")):
        if what in rival:
            ratio = rival[what] * size / run.seconds
            print(f"  {ratio:.1f} × django-import-export, {what} ({1 / rival[what]:.0f} rows/s{goal})")
    pages = f"p95 {_p95(run.pages) * 1000:.0f} ms meanwhile, {_p95(idle) * 1000:.0f} ms idle"
    print(f"  pages of the list: {_p95(run.pages) / _p95(idle):.1f} × idle ({pages}; goal ≤ {SLOWER})")
    print(f"  {'':<42}{'CPU µs/row':>12}{'peak MB':>10}  (chunk workers: at most {MOST_MEGABYTES} MB)")
    for stage, name in STAGES.items():
        print(f"  {stage:<42}{run.cpu[stage] / size * 1e6:>12.0f}{run.megabytes[name]:>10.0f}")
    print(f"  {'all':<42}{sum(run.cpu.values()) / size * 1e6:>12.0f}", flush=True)


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])
