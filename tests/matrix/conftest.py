"""The prepared world, made once; everybody in it stays signed in."""

from collections import Counter

import pytest

from tests.matrix.calls import USES_UP
from tests.matrix.table import TABLE, needed
from tests.matrix.world import World
from tests.support.whole import Whole

_TIMES = 3  # with identity running, with it away, and in batches


@pytest.fixture(scope="session")
def _world(whole: Whole) -> World:
    taking = [TABLE[f"POST /assignments/leavers/{{member_id}}:{verb}"] for verb in ("hand-over", "share")]
    leavers = max(Counter(place for row in taking for _, place, letter in row.cases() if letter == "✓").values()) + 1
    return World(whole, needed(TABLE, USES_UP, _TIMES), leavers * _TIMES)


@pytest.fixture
def world(_world: World) -> World:
    """The world of the table."""
    _world.people.stay_signed_in()
    return _world
