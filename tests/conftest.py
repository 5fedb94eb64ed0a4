"""The whole system, started once for all tests that need it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from highsea_local.system import System
from tests.support.whole import Whole


@pytest.fixture(scope="session")
def whole() -> Iterator[Whole]:
    """Every process of Highsea, out of wheels, on free ports."""
    with tempfile.TemporaryDirectory(prefix="highsea-whole-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o755)
        with System(home, is_durable=False) as system:
            yield Whole.prepare(system)
