"""The stream of hints: each member's own, and nobody else's."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.matrix.world import World

pytestmark = pytest.mark.system


def test_a_hint_goes_to_the_member_whose_notification_it_is(world: World) -> None:
    with ExitStack() as opened:
        one, other = (opened.enter_context(_hints(world, caller)) for caller in ("listener", "roleless"))
        of_one, of_other = next(one), next(other)

        world.tell("listener")
        assert next(one) == of_one + 1
        world.tell("roleless")

        # Had the first one's notification been hinted here as well, the old number would have come first.
        assert next(other) == of_other + 1


@contextmanager
def _hints(world: World, caller: str) -> Iterator[Iterator[int]]:
    """The unread notifications in each hint of the caller's stream, from the one that it opens with."""
    headers = world.people.headers(caller)
    with world.http.stream("GET", "/notifications/stream", headers=headers) as reply:
        lines = (line for line in reply.iter_lines() if line.startswith("data: "))
        yield (json.loads(line.removeprefix("data: "))["unread"] for line in lines)
