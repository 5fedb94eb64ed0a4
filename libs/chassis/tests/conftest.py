"""The sample service of the chassis's tests."""

from collections.abc import Iterator

import pytest

from libs.chassis.tests.sample import SAMPLE, Base
from tests.support.services import Opener, OpenService


@pytest.fixture
def sample(services: Opener) -> Iterator[OpenService]:
    with services.open(SAMPLE) as opened:
        Base.metadata.create_all(opened.database.engine)
        yield opened
