"""The README of a service says where each requirement of its areas is met, and names the few that are not."""

import re

import pytest

from tests.support.repository import readme_of

# How many requirements an area has.
AREAS = {"A": 86, "B": 39, "I": 15}
_MOST_LEFT = 0.05
_RANGE = re.compile(r"\b([A-Z])-(\d\d)(?:\s+to\s+\1-(\d\d))?\b")


def _named(text: str, area: str) -> set[int]:
    found = [match for match in _RANGE.findall(text) if match[0] == area]
    return {number for _, first, last in found for number in range(int(first), int(last or first) + 1)}


@pytest.mark.parametrize("area", AREAS)
def test_the_customer_service_says_where_each_requirement_is_met_and_leaves_few(area: str) -> None:
    before, _, rest = readme_of("crm_customer").partition("## Requirements left")
    left, met = _named(rest.partition("\n## ")[0], area), _named(before, area)

    assert met | left == set(range(1, AREAS[area] + 1))
    assert met & left == set()
    assert len(left) <= _MOST_LEFT * AREAS[area]
