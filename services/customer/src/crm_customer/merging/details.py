"""Merges as their readers see them."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from crm_customer.customers.rules import Reference, is_custom, masked
from crm_customer.customers.sight import Sight
from crm_customer.customers.views import Named
from crm_customer.fields.queries import custom_fields
from crm_customer.merging.model import Merge
from crm_customer.merging.queries import (
    Belongings,
    Wanted,
    belongings,
    customers_of,
    links_lost,
    merged_values,
    moved_counts,
    names_of,
    new_owners,
    sides_of,
    taking_part,
)
from crm_customer.merging.rules import PRIMARY, TOUCH, lost
from crm_customer.merging.views import (
    LeftRecord,
    LostValue,
    MergeDetail,
    MergedItem,
    MergedItems,
    MergePreview,
    MergeView,
    MovedCount,
    field_changes,
    merge_view,
)


def preview(session: Session, sight: Sight, wanted: Wanted, reference: Reference) -> MergePreview:
    """What a merge would do. Raises as it would, save for versions and owners."""
    customers = customers_of(session, sight, wanted, reference)
    sides = sides_of(session, customers)
    values = merged_values(session, sides, wanted.values)
    shown = [name for name in values if not is_custom(name) or name.removeprefix("custom.") in reference.custom]
    owners = new_owners(customers)
    names = names_of(session, owners)
    return MergePreview(
        survivor=Named.model_validate(customers[0]),
        losers=[Named.model_validate(one) for one in customers[1:]],
        versions={one.id: one.version for one in customers},
        changes=field_changes(sides[0].values, values, lambda _, value: value, shown),
        lost=[LostValue.model_validate(one) for one in lost(sides, values) if one.field in shown],
        moves=_items(belongings(session, wanted)),
        links_lost=_items(links_lost(session, wanted, customers[0].owner_id or next(iter(owners), None))),
        owners=[Named(id=id_, name=names.get(id_, "")) for id_ in owners],
    )


def merge_views(session: Session, merges: Sequence[Merge]) -> list[MergeView]:
    """Merges with their customers, which are told whoever sees the survivor."""
    customers = taking_part(session, merges)
    by = {one for merge in merges for one in (merge.merged_by, merge.undone_by) if one is not None}
    names = names_of(session, list(by))
    return [merge_view(merge, customers[merge.id], names) for merge in merges]


def merge_detail(session: Session, sight: Sight, merge: Merge) -> MergeDetail:
    """A merge with what it did; fields that are hidden in the survivor are masked here."""
    (view,) = merge_views(session, [merge])
    hidden = sight.hidden_in(taking_part(session, [merge])[merge.id][0].pool_id)
    custom = {f"custom.{field.key}" for field in custom_fields(session, sight.scope)}
    fields = [name for name in merge.after if name not in (PRIMARY, TOUCH)]
    fields = [name for name in fields if not is_custom(name) or name in custom]

    def shown(name: str, value: Any) -> Any:
        return masked(name, value) if name in hidden else value

    left = None if merge.left is None else [LeftRecord(**one) for one in merge.left if _told(one["id"], custom)]
    return MergeDetail(
        **dict(view),
        changes=field_changes(merge.before, merge.after, shown, fields),
        moved=[MovedCount(kind=kind, count=count) for kind, count in moved_counts(session, merge.id).items()],
        left=left,
    )


def _told(field: str, custom: Iterable[str]) -> bool:
    return not is_custom(field) or field in custom


def _items(found: Iterable[Belongings]) -> list[MergedItems]:
    return [
        MergedItems(kind=one.kind, count=one.count, items=[MergedItem.model_validate(row) for row in one.items])
        for one in found
    ]
