"""The whole system in containers, started once for all tests here; a failed test shows the end of every log."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.containers.system import ContainerSystem
from tests.support.whole import Whole

SYSTEM = pytest.StashKey[ContainerSystem]()


@pytest.fixture(scope="session")
def containers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerSystem]:
    """Every role of every service, with PostgreSQL, NATS, Valkey and the gateway."""
    system = ContainerSystem(tmp_path_factory.mktemp("highsea"))
    request.config.stash[SYSTEM] = system
    with system:
        yield system


@pytest.fixture(scope="session")
def whole(containers: ContainerSystem) -> Whole:
    """The system in containers and its people, in place of the one out of wheels."""
    return Whole.prepare(containers)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    system = item.config.stash.get(SYSTEM, None)
    if report.failed and system is not None:
        report.sections += [(f"last lines of {name}", log) for name, log in system.logs()]
    return report
