"""Shapes of merges on the wire."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, PageQuery, View
from crm_customer.customers.model import Customer
from crm_customer.customers.views import Named, named
from crm_customer.history.views import FieldChange
from crm_customer.merging.model import Merge
from crm_customer.merging.rules import MOST_LOSERS, UNDO_WITHIN

_Version = Annotated[int, Field(ge=1, lt=2**63)]


class MergeBody(Body):
    """Which customers become one, and which values are kept."""

    survivor_id: UUID
    loser_ids: list[UUID] = Field(
        min_length=1,
        max_length=MOST_LOSERS,
        description="where the survivor's value is empty, the first filled one is kept",
    )
    values: dict[str, UUID] = Field(
        default_factory=dict,
        max_length=500,
        description="by field, as GET /fields names it, the customer whose value is kept; without: the survivor's",
    )


class NewMerge(MergeBody):
    """The same, with the versions that were decided on."""

    versions: dict[UUID, _Version] = Field(max_length=MOST_LOSERS + 1, description="of each of the customers, as read")
    owner_id: UUID | None = Field(
        default=None,
        description="asked for where the survivor lies in a pool and a loser has an owner: one of these; null: it stays there",
    )


class MergeQuery(PageQuery):
    """Which merges."""

    customer_id: UUID | None = Field(default=None, description="that this customer took part in")


class LostValue(View):
    """A value that its customer has and the merged one has not."""

    field: str
    customer_id: UUID
    value: Any


class MergedItem(View):
    """A record of a loser; of a link the other side of it."""

    id: UUID
    customer_id: UUID
    label: str | None


class MergedItems(View):
    """Records of one kind, at most the first 100 of them listed."""

    kind: str
    count: int
    items: list[MergedItem]


class MergePreview(View):
    """What a merge would do."""

    survivor: Named
    losers: list[Named]
    versions: dict[UUID, int]
    changes: list[FieldChange] = Field(description="what becomes of the survivor's values")
    lost: list[LostValue]
    moves: list[MergedItems]
    links_lost: list[MergedItems] = Field(
        description="of these, links that the survivor does not get: it has the like, or may not have it"
    )
    owners: list[Named] = Field(description="one of whom, or nobody, is to be named as owner; empty: the place stays")


class MergeView(View):
    """Customers that became one. `undone_at`: they are several again."""

    id: UUID
    survivor: Named
    losers: list[Named]
    merged_by: Named
    merged_at: datetime
    undo_until: datetime
    undone_by: Named | None
    undone_at: datetime | None


class MovedCount(View):
    """How many records of a kind a merge moved."""

    kind: str
    count: int


class LeftRecord(View):
    """A record or field that an undo left as it was, and why."""

    kind: str
    id: str
    code: str


class MergeDetail(MergeView):
    """The same with what it changed and moved, and what its undo left."""

    changes: list[FieldChange]
    moved: list[MovedCount]
    left: list[LeftRecord] | None = Field(description="once undone: what somebody changed since, and so stayed")


def merge_view(merge: Merge, customers: Sequence[Customer], names: Mapping[UUID, str]) -> MergeView:
    """A merge with its customers, the survivor first, and the names of members."""
    undone_by = named(merge.undone_by, names.get(merge.undone_by) if merge.undone_by else None)
    return MergeView(
        id=merge.id,
        survivor=Named.model_validate(customers[0]),
        losers=[Named.model_validate(one) for one in customers[1:]],
        merged_by=Named(id=merge.merged_by, name=names.get(merge.merged_by, "")),
        merged_at=merge.merged_at,
        undo_until=merge.merged_at + UNDO_WITHIN,
        undone_by=undone_by,
        undone_at=merge.undone_at,
    )


def field_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], shown: Callable[[str, Any], Any], fields: Iterable[str]
) -> list[FieldChange]:
    """Those of the fields that differ, as `shown` to the reader."""
    return [
        FieldChange(field=name, before=shown(name, before.get(name)), after=shown(name, after.get(name)))
        for name in fields
        if before.get(name) != after.get(name)
    ]
