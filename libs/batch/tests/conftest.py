"""The service of the batches' tests, opened."""

from collections.abc import Iterator

import pytest

from libs.batch.tests.sample import SERVICE, Batches, own_metadata
from tests.support.services import Opener


@pytest.fixture
def batches(services: Opener) -> Iterator[Batches]:
    with services.open(SERVICE) as opened:
        own_metadata.create_all(opened.database.engine)
        yield Batches(opened)
