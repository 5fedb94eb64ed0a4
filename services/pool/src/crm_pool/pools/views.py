"""Shapes of the pools' REST API."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View
from crm_pool.pools.rules import MAX_LISTED, PoolKind

Name = Annotated[str, Field(min_length=1, max_length=50)]
Listed = Annotated[list[UUID], Field(max_length=MAX_LISTED)]
Quota = Annotated[int | None, Field(ge=1, le=100_000)]
Days = Annotated[int, Field(ge=0, le=3650)]


class NewPool(Body):
    """A pool to create: open to all, or to the members and departments listed (with everything below)."""

    name: Name
    kind: PoolKind
    open_to_all: bool = False
    member_ids: Listed = []
    department_ids: Listed = []
    daily_claim_quota: Quota = None
    cool_down_days: Days = 0


class PoolChange(Body):
    """The fields to change; what is left out stays. The kind of a pool never changes."""

    name: Name = ""
    open_to_all: bool = False
    member_ids: Listed = []
    department_ids: Listed = []
    daily_claim_quota: Quota = None
    cool_down_days: Days = 0


class PoolView(View):
    """A pool."""

    id: UUID
    name: str
    kind: PoolKind
    is_default: bool
    open_to_all: bool
    member_ids: list[UUID]
    department_ids: list[UUID]
    daily_claim_quota: int | None
    cool_down_days: int
    version: int


class SettingsChange(Body):
    """Limits of the whole organisation; null switches one off."""

    holding_cap: Annotated[int | None, Field(ge=1, le=1_000_000)]


class SettingsView(View):
    """Limits of the whole organisation."""

    holding_cap: int | None
    version: int
