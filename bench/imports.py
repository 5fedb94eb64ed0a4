"""CPU per imported row by stage. COPY of the same cells into one bare table, in the same run, is the floor, not the limit."""

import time
from collections.abc import Sequence

import psycopg

from bench.running import cpu_seconds, family, whole_system
from highsea_local.demo import steps
from highsea_local.demo.companies import Row, rows
from highsea_local.demo.workbook import workbook_bytes
from tests.support.whole import Whole

ROWS = 10_000
STAGES = {
    "upload and preview (import serve)": "import-serve",
    "read, split, call (import process)": "import-process",
    "relay and due work (import work)": "import-work",
    "validate, match, write (customer serve)": "customer-serve",
    "projections (customer work)": "customer-work",
    "place (pool serve)": "pool-serve",
    "events (pool work)": "pool-work",
    "notify (work)": "notify-work",
    "PostgreSQL": "postgres",
    "NATS": "nats",
    "gateway": "traefik",
}


def main() -> None:
    """Import a workbook of `ROWS` rows and print what each stage cost."""
    table = rows(ROWS, 11)
    content = workbook_bytes(table)
    with whole_system() as whole:
        before = _used(whole)
        started = time.perf_counter()
        done = steps.import_workbook(whole.person("operations"), "bench.xlsx", content, whole.pool()["id"], 600)
        elapsed = time.perf_counter() - started
        used = {stage: after - before[stage] for stage, after in _used(whole).items()}
        copied = _copy_seconds(whole, table)
    print(f"\nimport of {ROWS} rows: {done.job['status']}, created {done.job['created']}, {elapsed:.1f} s wall")
    print(f"{'stage':<42}{'CPU µs/row':>12}")
    for stage, seconds in used.items():
        print(f"{stage:<42}{seconds / ROWS * 1e6:>12.0f}")
    print(f"{'all':<42}{sum(used.values()) / ROWS * 1e6:>12.0f}")
    print(f"{'COPY of the same cells, one table (wall)':<42}{copied / ROWS * 1e6:>12.0f}")


def _used(whole: Whole) -> dict[str, float]:
    return {stage: cpu_seconds(family(whole.system, name)) for stage, name in STAGES.items()}


def _copy_seconds(whole: Whole, table: Sequence[Row]) -> float:
    columns = ", ".join(f"c{number} text" for number in range(len(table[0].cells)))
    with psycopg.connect(whole.system.database_url("customer")) as connection:
        connection.execute(f"CREATE TABLE bench_copy ({columns})")  # type: ignore[arg-type]
        started = time.perf_counter()
        with connection.cursor().copy("COPY bench_copy FROM STDIN") as copy:
            for row in table:
                copy.write_row(row.cells)
        connection.commit()
        elapsed = time.perf_counter() - started
        connection.execute("DROP TABLE bench_copy")
    return elapsed


if __name__ == "__main__":
    main()
