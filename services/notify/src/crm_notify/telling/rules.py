"""What becomes of notices before they are stored."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from crm_notify.notifications.rules import Kind, Notice

NAMED_CUSTOMERS = 3
# What somebody has to hear when its receiver has left: their manager does (design §3). All else nobody hears then.
HEARD_IN_PLACE = frozenset(
    {
        Kind.CUSTOMERS_ASSIGNED,
        Kind.CUSTOMERS_TRANSFERRED_IN,
        Kind.CUSTOMERS_TAKEN_OVER,
        Kind.CUSTOMERS_RETURNED,
        Kind.CUSTOMERS_TRANSFERRED_OUT,
        Kind.CUSTOMERS_RELEASED,
        Kind.CUSTOMERS_RECYCLED,
        Kind.CUSTOMERS_HANDED_OVER,
        Kind.CUSTOMERS_EXPIRING,
        Kind.CUSTOMERS_DELETED,
        Kind.CUSTOMERS_RESTORED,
        Kind.CUSTOMERS_CHANGED,
        Kind.CUSTOMERS_TAGGED,
        Kind.CUSTOMERS_MERGED,
        Kind.CUSTOMERS_UNMERGED,
        Kind.EXTENSION_GRANTED,
        Kind.EXTENSION_REFUSED,
        Kind.RECYCLE_RULE_ANNOUNCED,
        Kind.COLLABORATION_ASKED,
        Kind.CUSTOMER_DISPUTED,
        Kind.COLLISION_KEPT,
        Kind.COLLISION_SHARED,
        Kind.COLLISION_GIVEN,
        Kind.COLLISION_TO_MERGE,
        Kind.COLLISION_WITHDRAWN,
    }
)


def merged(notices: Iterable[Notice], stand_ins: Mapping[UUID, UUID | None]) -> list[Notice]:
    """One notice per member, event and kind. `stand_ins` names who hears for members who have left, None: nobody."""
    found: dict[tuple[UUID, UUID, Kind], Notice] = {}
    for notice in notices:
        heard = _for_stand_in(notice, stand_ins[notice.member_id]) if notice.member_id in stand_ins else notice
        if heard is not None:
            key = (heard.source_event_id, heard.member_id, heard.kind)
            found[key] = _joined(found[key], heard) if key in found else heard
    return list(found.values())


def _for_stand_in(notice: Notice, stand_in: UUID | None) -> Notice | None:
    if notice.kind not in HEARD_IN_PLACE or stand_in is None or str(stand_in) == notice.parameters.get("actor_id"):
        return None
    parameters = {**notice.parameters, "left_member_ids": [str(notice.member_id)]}
    return replace(notice, member_id=stand_in, parameters=parameters)


def _joined(first: Notice, second: Notice) -> Notice:
    if "count" not in first.parameters:
        return first
    parameters: dict[str, Any] = {**first.parameters}
    parameters["count"] = first.parameters["count"] + second.parameters["count"]
    parameters["customers"] = _both(first, second, "customers")[:NAMED_CUSTOMERS]
    parameters["left_member_ids"] = sorted(set(_both(first, second, "left_member_ids")))
    several = first.batch_id is None
    return replace(
        first,
        parameters=parameters,
        subject_type=None if several else first.subject_type,
        subject_id=None if several else first.subject_id,
    )


def _both(first: Notice, second: Notice, name: str) -> list[str]:
    return [*first.parameters.get(name, ()), *second.parameters.get(name, ())]
