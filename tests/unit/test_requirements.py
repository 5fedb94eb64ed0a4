"""The READMEs of the services say where each requirement of their areas is met, and name the few that are not."""

import re

import pytest

from tests.support.repository import readme_of

# How many requirements an area has, and whose READMEs together say where they are met.
AREAS = {
    "A": (86, ("crm_customer",)),
    "B": (39, ("crm_customer",)),
    "I": (15, ("crm_customer",)),
    "C": (45, ("crm_pool", "crm_customer")),
    "H": (21, ("crm_pool", "crm_customer")),
}
_MOST_LEFT = 0.05
_RANGE = re.compile(r"\b([A-Z])-(\d\d)(?:\s+to\s+\1-(\d\d))?\b")


def _named(text: str, area: str) -> set[int]:
    found = [match for match in _RANGE.findall(text) if match[0] == area]
    return {number for _, first, last in found for number in range(int(first), int(last or first) + 1)}


@pytest.mark.parametrize("area", AREAS)
def test_the_services_say_where_each_requirement_is_met_and_leave_few(area: str) -> None:
    number, packages = AREAS[area]
    met: set[int] = set()
    left: set[int] = set()
    for package in packages:
        before, _, rest = readme_of(package).partition("## Requirements left")
        met |= _named(before, area)
        left |= _named(rest.partition("\n## ")[0], area)

    assert met | left == set(range(1, number + 1))
    assert met & left == set()
    assert len(left) <= _MOST_LEFT * number
