"""The whole system, started once for all tests that need it."""

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from highsea_local.system import System
from highsea_local.topology import SERVICES
from highsea_local.units import Backoff
from tests.support.collector import Collector, collecting
from tests.support.folder import server_folder
from tests.support.whole import Whole

_MATRIX = "tests/matrix"
# Begun first, so that no worker is left alone with one of them.
_LONGEST = (_MATRIX, "tests/integration/test_operations_guide.py", "tests/faults/test_import_killed.py")


class _Scheduling(LoadFileScheduling):
    """Workers, each with a system of its own, take a file at a time, and the matrix, whose files share a world, as one."""

    def _split_scope(self, nodeid: str) -> str:
        return _unit(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return _Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _unit(item.nodeid) not in _LONGEST)


def _unit(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return _MATRIX if file.startswith(_MATRIX) else file


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the whole system sends its traces; it records those alone that a test begins as sampled."""
    with collecting() as running:
        yield running


@pytest.fixture(scope="session")
def whole(collector: Collector) -> Iterator[Whole]:
    """Every process of Highsea, out of wheels, on free ports."""
    tracing = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    environment = {service.name: tracing for service in SERVICES}
    with server_folder("highsea-whole-") as home:
        with System(home, is_durable=False, environment=environment, backoff=Backoff(most=0.5)) as system:
            yield Whole.prepare(system)
