"""Shapes of the pools' REST API."""

from datetime import time
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from chassis.http.api import Body, TimeOfDay, View
from crm_pool.pools.rules import HIDDEN_BY_DEFAULT, MAX_HIDDEN_FIELDS, MAX_LISTED, PoolKind

Name = Annotated[str, Field(min_length=1, max_length=50)]
Listed = Annotated[list[UUID], Field(max_length=MAX_LISTED)]
FieldName = Annotated[str, Field(max_length=60, pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$")]
FieldNames = Annotated[
    list[FieldName], Field(max_length=MAX_HIDDEN_FIELDS), AfterValidator(lambda names: list(dict.fromkeys(names)))
]
Quota = Annotated[int | None, Field(ge=1, le=100_000)]
Looks = Annotated[int | None, Field(ge=0, le=100_000)]
Days = Annotated[int, Field(ge=0, le=3650)]


class PoolValues(Body):
    """Open to all, or to the members, departments (with everything below) and roles listed; `admin_ids` run it.

    `cascade_pool_id` and `cascade_after_days`: where customers go on to that nobody has claimed for so long; both or none.
    """

    open_to_all: bool = False
    member_ids: Listed = []
    department_ids: Listed = []
    role_ids: Listed = []
    admin_ids: Listed = []
    hidden_fields: FieldNames = [*HIDDEN_BY_DEFAULT]
    daily_reveals: Looks = None
    daily_claim_quota: Quota = None
    cool_down_days: Days = 0
    freeze_days: Days = 0
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    cascade_pool_id: UUID | None = None
    cascade_after_days: Annotated[int | None, Field(ge=1, le=3650)] = None


class NewPool(PoolValues):
    """A pool to create."""

    name: Name
    kind: PoolKind
    daily_reveals: Looks = 0


class PoolChange(PoolValues):
    """The fields to change; what is left out stays. The kind of a pool never changes."""

    name: Name = ""


class PoolView(View):
    """A pool."""

    id: UUID
    name: str
    kind: PoolKind
    is_default: bool
    open_to_all: bool
    member_ids: list[UUID]
    department_ids: list[UUID]
    role_ids: list[UUID]
    admin_ids: list[UUID]
    hidden_fields: list[str]
    daily_reveals: int | None
    daily_claim_quota: int | None
    cool_down_days: int
    freeze_days: int
    priority: int
    cascade_pool_id: UUID | None
    cascade_after_days: int | None
    version: int


class SettingsChange(Body):
    """What holds for the whole organisation; what is left out stays, null switches a limit off."""

    holding_cap: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    cap_counts_won: bool = True
    reason_required: bool = False
    recycle_at: TimeOfDay = time(0, 30)
    warning_days: Annotated[int, Field(ge=0, le=365)] = 3
    reminder_days: Annotated[
        list[Annotated[int, Field(ge=0, le=365)]],
        Field(max_length=10),
        AfterValidator(lambda days: sorted(set(days), reverse=True)),
    ] = []
    manager_from_days: Annotated[int, Field(ge=0, le=365)] = 3
    most_extensions: Annotated[int, Field(ge=0, le=100)] = 1
    most_extension_days: Annotated[int, Field(ge=1, le=365)] = 30


class SettingsView(View):
    """What holds for the whole organisation; days as in `PoolSettings`."""

    holding_cap: int | None
    cap_counts_won: bool
    reason_required: bool
    recycle_at: TimeOfDay
    warning_days: int
    reminder_days: list[int]
    manager_from_days: int
    most_extensions: int
    most_extension_days: int
    version: int
