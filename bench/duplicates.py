"""Finding duplicates in a whole base: how long a scan takes, and what it uses.

`python -m bench.duplicates [customers]`, default 100,000. There is no rival to measure beside; what is told is the time of
each stage and the memory of the process, which is not to grow with the base.
"""

import sys
import time

from bench.running import cpu_seconds, family, peak_megabytes, whole_system
from bench.seed import Size, seed_customers, seed_organisation
from highsea_local.demo.gateway import Person, until
from tests.support.whole import Whole

CUSTOMERS = 100_000
STAGES = ("keying", "comparing", "grouping")


def main() -> None:
    """Seed a fresh system, scan it, and print one line per stage."""
    size = Size(*(map(int, sys.argv[1:2]) if sys.argv[1:] else [CUSTOMERS]))
    with whole_system() as whole:
        people = seed_organisation(whole, size)
        seed_customers(whole, people.owners, size, size.customers)
        worker, server = family(whole.system, "customer-work"), family(whole.system, "postgres")
        before = cpu_seconds(worker), cpu_seconds(server)
        scan, seconds = _scan(whole)
        used = cpu_seconds(worker) - before[0], cpu_seconds(server) - before[1]
        print(f"\n{size.customers} customers: {scan['pairs']} pairs, {scan['groups']} groups")
        for stage in STAGES:
            print(f"  {stage:<12}{seconds.get(stage, 0):>8.1f} s")
        print(
            f"  CPU {used[0]:.1f} s in the worker, {used[1]:.1f} s in PostgreSQL; peak {peak_megabytes(worker):.0f} MB"
        )


def _scan(whole: Whole) -> tuple[dict[str, int], dict[str, float]]:
    """A scan from beginning to end, and the seconds of its stages, to half a second."""
    person: Person = whole.person("administrator")
    path = f"/duplicates/scans/{person.post('/duplicates/scans')['id']}"
    seconds, began = dict[str, float](), time.perf_counter()
    scan = person.get(path)

    def ended() -> bool:
        nonlocal scan, began
        status, scan = scan["status"], person.get(path)
        seconds[status] = seconds.get(status, 0.0) + time.perf_counter() - began
        began = time.perf_counter()
        return bool(scan["ended_at"])

    until(ended, 3600)
    return scan, seconds


if __name__ == "__main__":
    main()
