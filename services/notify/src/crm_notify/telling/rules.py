"""What becomes of notices before they are stored."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from crm_notify.notifications.rules import Kind, Notice

NAMED_CUSTOMERS = 3


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
    if stand_in is None or str(stand_in) == notice.parameters.get("actor_id"):
        return None
    parameters = {**notice.parameters, "left_member_ids": [str(notice.member_id)]}
    return replace(notice, member_id=stand_in, parameters=parameters)


def _joined(first: Notice, second: Notice) -> Notice:
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
