"""What a task may say, and who may do what with it. Pure functions."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from chassis.errors import FieldError

LONGEST_SUBJECT = 100
LONGEST_TEXT = 2000


class Kind(StrEnum):
    """What is to be done (任务类型): 打电话, 上门拜访, 内容传播, 指导, 跟进计划, 其他."""

    CALL = "call"
    VISIT = "visit"
    PROPAGATE = "propagate"
    GUIDE = "guide"
    FOLLOW_UP = "follow_up"
    OTHER = "other"


class Priority(StrEnum):
    """优先级."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Status(StrEnum):
    """待处理, 进行中, 已完成, 已结束."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    ENDED = "ended"


UNFINISHED = (Status.OPEN, Status.IN_PROGRESS)
CLOSED = (Status.DONE, Status.ENDED)


class Act(StrEnum):
    """What can be done with a task besides reading it."""

    CHANGE = "change"
    START = "start"
    COMPLETE = "complete"
    END = "end"
    REOPEN = "reopen"
    DELETE = "delete"


class Standing(IntEnum):
    """What a member is to a task; each may do what those before it may.

    Reader: sees it alone. Handler: does it. Owner: answers for it, or sees the department of its owner or handler. Issuer:
    asked for it, or sees the department of whoever did.
    """

    READER = 0
    HANDLER = 1
    OWNER = 2
    ISSUER = 3


_NEEDED: Mapping[Act, Standing] = {
    Act.CHANGE: Standing.HANDLER,
    Act.START: Standing.HANDLER,
    Act.COMPLETE: Standing.HANDLER,
    Act.END: Standing.OWNER,
    Act.REOPEN: Standing.OWNER,
    Act.DELETE: Standing.ISSUER,
}
# Who does the work says how far it is; who answers for it may hand it on; what is asked for is the issuer's.
_NEEDED_TO_CHANGE = {
    "progress": Standing.HANDLER,
    "description": Standing.HANDLER,
    "remind_at": Standing.HANDLER,
    "handler_id": Standing.OWNER,
}


@dataclass(frozen=True)
class People:
    """Whose task it is."""

    issuer_id: UUID
    owner_id: UUID
    handler_id: UUID


def standing_of(member_id: UUID, people: People, overseen: Collection[UUID]) -> Standing:
    """What the member is to a task of these people; `overseen`: those of them whose departments the member sees."""
    mine = {member_id, *overseen}
    if people.issuer_id in mine:
        return Standing.ISSUER
    if people.owner_id in mine or people.handler_id in overseen:
        return Standing.OWNER
    return Standing.HANDLER if people.handler_id == member_id else Standing.READER


def may(act: Act, standing: Standing, *, closed_it: bool = False) -> bool:
    """Whether a member of that standing may do that; whoever closed a task (`closed_it`) may also reopen it."""
    return standing >= _NEEDED[act] or (act is Act.REOPEN and closed_it and standing >= Standing.HANDLER)


def acts_open_to(standing: Standing, status: Status, *, closed_it: bool) -> list[Act]:
    """What a member of that standing may do next with a task of that status."""
    possible = [Act.REOPEN, Act.DELETE]
    if status in UNFINISHED:
        possible = [Act.CHANGE, *[Act.START] * (status is Status.OPEN), Act.COMPLETE, Act.END, Act.DELETE]
    return [act for act in possible if may(act, standing, closed_it=closed_it)]


def not_theirs(fields: Collection[str], standing: Standing) -> list[str]:
    """Those of the fields that a member of that standing may not change."""
    return sorted(name for name in fields if standing < _NEEDED_TO_CHANGE.get(name, Standing.ISSUER))


def wrong_moments(
    due_at: datetime | None, remind_at: datetime | None, changed: Collection[str], now: datetime
) -> Iterator[FieldError]:
    """What is wrong with the moments of a task, of which those in `changed` are given anew: none lies in the past, and
    no reminder comes too late.
    """
    for name, moment in (("due_at", due_at), ("remind_at", remind_at)):
        if name in changed and moment is not None and moment <= now:
            yield FieldError(f"/{name}", "moment_past")
    if changed and due_at is not None and remind_at is not None and remind_at > due_at:
        yield FieldError("/remind_at", "reminds_after_due")


def wrong_members(given: Mapping[str, Any], persons: Collection[UUID]) -> Iterator[FieldError]:
    """Which of the members by field are none to whom a task can be given: `persons` are."""
    for name, member_id in given.items():
        if member_id not in persons:
            yield FieldError(f"/{name}", "member_inactive")


@dataclass(frozen=True)
class TaskConditions:
    """What a list of tasks is asked for, combined with AND. Moments are UTC, `due_until` is exclusive.

    `role`: the column that holds the reader; empty: any. `supervised`: in departments that the reader sees.
    """

    statuses: tuple[Status, ...] = tuple(Status)
    role: str = ""
    supervised: bool = False
    kind: Kind | None = None
    priority: Priority | None = None
    customer_id: UUID | None = None
    dispatch_id: UUID | None = None
    handler_id: UUID | None = None
    due_from: datetime | None = None
    due_until: datetime | None = None
    handler_left: bool = False
    in_pool: bool = False
    search: str = ""


def statuses_of(status: Status | None, closed: bool | None, *, unfinished: bool) -> tuple[Status, ...]:
    """Statuses that satisfy all that is asked for, perhaps none."""
    asked = [tuple(Status) if status is None else (status,)]
    if closed is not None:
        asked.append(CLOSED if closed else UNFINISHED)
    if unfinished:
        asked.append(UNFINISHED)
    return tuple(one for one in Status if all(one in some for some in asked))
