"""The table of rights (routes.txt) against the running services, row by row."""

import pytest

from tests.matrix.asking import differences
from tests.matrix.table import DECLARED, TABLE
from tests.matrix.world import World

pytestmark = pytest.mark.system


def test_the_table_has_every_route_and_no_other() -> None:
    named = {row.route for row in TABLE.values()}

    assert DECLARED.keys() - named == set(), "not in routes.txt"
    assert named - DECLARED.keys() == set(), "in routes.txt alone"


@pytest.mark.parametrize("name", TABLE)
def test_everybody_may_do_what_the_table_says_and_nothing_else(world: World, name: str) -> None:
    if found := differences(world, TABLE[name]):
        pytest.fail("\n".join(found), pytrace=False)
