"""Who sees a pool and who belongs to it."""

from typing import Any
from uuid import UUID

import pytest

from chassis.identifiers import new_id
from directory.scope import DataScope, Scope

ME, COMPANY, EAST, TEAM, SOUTH = (new_id() for _ in range(5))
OPEN = {"open_to_all": True, "member_ids": [], "department_ids": []}
NOBODY = {"open_to_all": False, "member_ids": [], "department_ids": []}


def _scope(reach: DataScope = DataScope.OWN, below: tuple[UUID, ...] = (), *permissions: str) -> Scope:
    return Scope(ME, reach, EAST, below, (EAST, COMPANY), (), frozenset(permissions))


@pytest.mark.parametrize(
    ("pool", "belongs"),
    [
        (OPEN, True),
        (NOBODY, False),
        ({**NOBODY, "member_ids": [ME]}, True),
        ({**NOBODY, "department_ids": [COMPANY]}, True),
        ({**NOBODY, "department_ids": [TEAM, SOUTH]}, False),
    ],
)
def test_a_pool_counts_listed_members_and_departments_with_everything_below(pool: Any, belongs: bool) -> None:
    assert _scope().belongs_to_pool(**pool) is belongs
    assert _scope().sees_pool(to_be_assigned=False, **pool) is belongs


def test_a_to_be_assigned_pool_needs_its_permission_whatever_the_reach() -> None:
    assert not _scope(DataScope.COMPANY, (), "pool.manage").sees_pool(to_be_assigned=True, **OPEN)
    assert _scope(DataScope.OWN, (), "pool.to_be_assigned").sees_pool(to_be_assigned=True, **OPEN)


def test_a_pool_of_a_department_below_is_seen_but_not_belonged_to() -> None:
    pool = {**NOBODY, "department_ids": [TEAM]}
    supervisor = _scope(DataScope.CENTRE, (EAST, TEAM))

    assert supervisor.sees_pool(to_be_assigned=False, **pool)
    assert not supervisor.belongs_to_pool(**pool)
