"""The whole system, started once for all tests that need it."""

from collections.abc import Iterator

import pytest

from highsea_local.system import System
from highsea_local.topology import SERVICES
from tests.support.collector import Collector, collecting
from tests.support.folder import server_folder
from tests.support.whole import Whole


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
        with System(home, is_durable=False, environment=environment) as system:
            yield Whole.prepare(system)
