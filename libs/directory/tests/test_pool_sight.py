"""Who sees a pool and who belongs to it."""

from typing import Any
from uuid import UUID

import pytest

from chassis.identifiers import new_id
from directory.scope import DataScope, Scope

ME, COMPANY, EAST, TEAM, SOUTH, SALES, BUYERS = (new_id() for _ in range(7))
NOBODY = {"open_to_all": False, "member_ids": [], "department_ids": [], "role_ids": []}
OPEN = {**NOBODY, "open_to_all": True}


def _scope(reach: DataScope = DataScope.OWN, below: tuple[UUID, ...] = (), *permissions: str) -> Scope:
    return Scope(ME, (EAST, COMPANY), (SALES,), reach, EAST, below, (), frozenset(permissions), "Asia/Shanghai")


@pytest.mark.parametrize(
    ("pool", "belongs"),
    [
        (OPEN, True),
        (NOBODY, False),
        ({**NOBODY, "member_ids": [ME]}, True),
        ({**NOBODY, "department_ids": [COMPANY]}, True),
        ({**NOBODY, "department_ids": [TEAM, SOUTH]}, False),
        ({**NOBODY, "role_ids": [BUYERS, SALES]}, True),
        ({**NOBODY, "role_ids": [BUYERS]}, False),
    ],
)
def test_a_pool_counts_listed_members_and_roles_and_departments_with_everything_below(pool: Any, belongs: bool) -> None:
    assert _scope().belongs_to_pool(**pool) is belongs
    assert _scope().sees_pool(to_be_assigned=False, admin_ids=[], **pool) is belongs


def test_a_to_be_assigned_pool_needs_its_permission_whatever_the_reach() -> None:
    assert not _scope(DataScope.COMPANY, (), "pool.manage").sees_pool(to_be_assigned=True, admin_ids=[], **OPEN)
    assert _scope(DataScope.OWN, (), "pool.to_be_assigned").sees_pool(to_be_assigned=True, admin_ids=[], **OPEN)


def test_a_pool_of_a_department_below_is_seen_but_not_belonged_to() -> None:
    pool = {**NOBODY, "department_ids": [TEAM]}
    supervisor = _scope(DataScope.CENTRE, (EAST, TEAM))

    assert supervisor.sees_pool(to_be_assigned=False, admin_ids=[], **pool)
    assert not supervisor.belongs_to_pool(**pool)


@pytest.mark.parametrize("to_be_assigned", [True, False])
def test_an_administrator_sees_a_pool_of_every_kind_and_does_not_belong_to_it(to_be_assigned: bool) -> None:
    assert _scope().sees_pool(to_be_assigned=to_be_assigned, admin_ids=[ME], **NOBODY)
    assert not _scope().sees_pool(to_be_assigned=to_be_assigned, admin_ids=[SOUTH], **NOBODY)
    assert not _scope().belongs_to_pool(**NOBODY)
