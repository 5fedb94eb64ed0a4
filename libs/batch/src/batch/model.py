"""What a batch is, and what became of each of its items."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Status(StrEnum):
    """Where a batch stands. `cancelling` until the pages being worked are through."""

    RUNNING = "running"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether no item will be worked any more."""
        return self in (Status.FINISHED, Status.CANCELLED)


class Outcome(StrEnum):
    """What became of an item: done; left as it was for a reason of business; broken on the way."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Batch:
    """A batch as it was started. `parameters` are the kind's own, JSON values only; `created_at` is UTC."""

    id: UUID
    kind: str
    actor_id: UUID
    parameters: Mapping[str, Any]
    status: Status
    total: int
    created_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True)
class ItemResult:
    """What became of one item; `code` is stable and has words, filled with `parameters` (JSON values only)."""

    item_id: UUID
    outcome: Outcome
    code: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def done(cls, item_id: UUID, **parameters: Any) -> "ItemResult":
        """It was done; `parameters` say what is to be counted in the end (`queries.tally`)."""
        return cls(item_id, Outcome.DONE, "", parameters)

    @classmethod
    def skipped(cls, item_id: UUID, code: str, **parameters: Any) -> "ItemResult":
        """It was left as it was, because of `code`."""
        return cls(item_id, Outcome.SKIPPED, code, parameters)

    @classmethod
    def failed(cls, item_id: UUID, code: str, **parameters: Any) -> "ItemResult":
        """It broke on the way."""
        return cls(item_id, Outcome.FAILED, code, parameters)


@dataclass(frozen=True)
class Counts:
    """How many items came to what so far."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    pending: int = 0
