"""On one machine, whoever opens a page goes before imports, which take what is left of the processors."""

import os
from pathlib import Path

import psutil
import pytest

from tests.support.whole import Whole

pytestmark = pytest.mark.system
ANSWERING = ("customer-serve", "pool-serve", "import-serve", "traefik", "postgres")
IMPORTING = ("import-process", "customer-bulk")
OURS = Path("/proc/self/autogroup")


def test_what_imports_run_in_gives_way_to_what_answers_people(whole: Whole) -> None:
    answering = max(psutil.Process(_pid(whole, name)).nice() for name in ANSWERING)

    assert answering < min(psutil.Process(_pid(whole, name)).nice() for name in IMPORTING)


def test_each_process_leads_a_session_of_its_own(whole: Whole) -> None:
    for name in (*ANSWERING, *IMPORTING):
        assert os.getsid(_pid(whole, name)) == _pid(whole, name), name


# macOS, and a Linux without CONFIG_SCHED_AUTOGROUP, share nothing out by session.
@pytest.mark.skipif(not (OURS.exists() and OURS.read_text()), reason="processors are not shared out by session")
def test_it_gives_way_where_the_processors_are_shared_out_by_session_too(whole: Whole) -> None:
    answering = max(_niceness_of_session(whole, name) for name in ANSWERING)

    assert answering < min(_niceness_of_session(whole, name) for name in IMPORTING)


def _pid(whole: Whole, name: str) -> int:
    pid = whole.system.process(name).pid
    assert pid is not None
    return pid


def _niceness_of_session(whole: Whole, name: str) -> int:
    """As Linux writes it: "/autogroup-17 nice 10"."""
    written = Path(f"/proc/{_pid(whole, name)}/autogroup").read_text(encoding="ascii")
    return int(written.rpartition(" ")[2])
