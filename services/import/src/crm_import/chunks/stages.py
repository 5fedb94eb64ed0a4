"""What handling a chunk means in each stage of a job (decision 0029). A further stage is an entry of STAGES."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from chassis.runtime import Runtime
from crm_import.chunks import rehearsing, undoing, writing
from crm_import.chunks.rules import Task
from crm_import.jobs.rules import Stage

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class StageHandler(Generic[_Found]):
    """How the chunks of a stage are handled; each of its functions gets the chunk's task.

    `handle`, with no transaction open, tells what came of the rows; repeating it is harmless. Raises WriterBusy,
    Unavailable, ChunkRefused. `give_up` tells it when that has failed for good, or when the job is `stopped`. `keep`
    stores it in the transaction that finishes the chunk, and returns counts by the names of `chunks.model.COUNTS`.
    """

    handle: Callable[[Runtime, Task], _Found]
    give_up: Callable[[Runtime, Task, bool], _Found]
    keep: Callable[[Session, Task, _Found, datetime], Mapping[str, int]]


STAGES: Mapping[Stage, StageHandler[Any]] = {
    Stage.REHEARSAL: StageHandler(rehearsing.handle, rehearsing.give_up, rehearsing.keep),
    Stage.WRITE: StageHandler(writing.handle, writing.give_up, writing.keep),
    Stage.UNDO: StageHandler(undoing.handle, undoing.give_up, undoing.keep),
}
