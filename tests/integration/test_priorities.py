"""On one machine, whoever opens a page goes before imports, which take what is left of the processors."""

import psutil
import pytest

from tests.support.whole import Whole

pytestmark = pytest.mark.system


def test_what_imports_run_in_gives_way_to_what_answers_people(whole: Whole) -> None:
    answering = {
        _niceness(whole, name) for name in ("customer-serve", "pool-serve", "import-serve", "traefik", "postgres")
    }

    assert max(answering) < min(_niceness(whole, name) for name in ("import-process", "customer-bulk"))


def _niceness(whole: Whole, name: str) -> int:
    return psutil.Process(whole.system.process(name).pid).nice()
