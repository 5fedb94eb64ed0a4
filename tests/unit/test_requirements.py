"""The READMEs of the services say where each requirement of their areas is met, and name the few that are not."""

import re

import pytest

from tests.support.repository import readme_of

# How many requirements an area has, whose READMEs together say where they are met, and how many may be left.
AREAS = {
    "A": (86, ("crm_customer",), 4),
    "B": (39, ("crm_customer",), 1),
    "I": (15, ("crm_customer",), 0),
    "G": (10, ("crm_customer",), 0),
    "C": (45, ("crm_pool", "crm_customer"), 0),
    "H": (21, ("crm_pool", "crm_customer"), 1),
    # Calls, mails and work reports are not customer's.
    "F": (41, ("crm_customer",), 4),
    # Nor are quotations and contracts.
    "L": (29, ("crm_customer",), 2),
}
_RANGE = re.compile(r"\b([A-Z])-(\d\d)(?:\s+to\s+\1-(\d\d))?\b")


def _named(text: str, area: str) -> set[int]:
    found = [match for match in _RANGE.findall(text) if match[0] == area]
    return {number for _, first, last in found for number in range(int(first), int(last or first) + 1)}


@pytest.mark.parametrize("area", AREAS)
def test_the_services_say_where_each_requirement_is_met_and_leave_few(area: str) -> None:
    number, packages, most_left = AREAS[area]
    met: set[int] = set()
    left: set[int] = set()
    for package in packages:
        before, _, rest = readme_of(package).partition("## Requirements left")
        met |= _named(before, area)
        left |= _named(rest.partition("\n## ")[0], area)

    assert met | left == set(range(1, number + 1))
    assert met & left == set()
    assert len(left) <= most_left
