"""The tools are there before any chart test runs, also when pytest is called without `make test`."""

import pytest

from tests.charts import tools


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    reason = tools.missing()
    assert not reason, reason
