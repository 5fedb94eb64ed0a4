"""Identity away: who has a token goes on, with exactly the rights of before."""

import pytest

from tests.matrix.asking import differences
from tests.matrix.table import DECLARED, TABLE
from tests.matrix.world import World

pytestmark = pytest.mark.system


def test_every_answer_of_the_table_is_given_while_identity_is_away(world: World) -> None:
    rows = [row for row in TABLE.values() if DECLARED[row.route][0].name != "identity"]
    with world.whole.without("identity-serve", "identity-work"):
        found = [difference for row in rows for difference in differences(world, row, row.samples())]

    if found:
        pytest.fail("\n".join(found), pytrace=False)
