"""The stage that undoes: whoever owns the records takes back what rows wrote, as far as nobody has touched it since."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from chassis.runtime import Runtime
from crm_import.chunks.clients import revert_rows
from crm_import.chunks.queries import written_in
from crm_import.chunks.rules import Task
from crm_import.results.commands import store_reverted
from crm_import.results.rules import Problem, Reverted, Undo


def handle(runtime: Runtime, task: Task) -> list[Reverted]:
    """Ask for the rows that are not undone yet; for the others it is known."""
    with runtime.database.reading() as session:
        rows = written_in(session, task.chunk_id)
    asked = [row for row in rows if row.undo != Undo.UNDONE]
    answers = {one.number: one for one in revert_rows(runtime, task, asked)} if asked else {}
    return [answers.get(row.row_number) or Reverted(row.row_number, Undo.UNDONE) for row in rows]


def give_up(runtime: Runtime, task: Task, stopped: bool) -> list[Reverted]:
    """Rows that could not be undone are left; of an undo that was stopped nothing more is said."""
    if stopped:
        return []
    with runtime.database.reading() as session:
        rows = written_in(session, task.chunk_id)
    failed = Problem("", "undo_failed")
    return [
        Reverted(row.row_number, Undo.UNDONE)
        if row.undo == Undo.UNDONE
        else Reverted(row.row_number, Undo.LEFT, [failed])
        for row in rows
    ]


def keep(session: Session, task: Task, reverted: Sequence[Reverted], now: datetime) -> Mapping[str, int]:
    """Store what became of the rows; what was undone in part counts as left."""
    store_reverted(session, task.job_id, reverted)
    return Counter("undone" if one.undo is Undo.UNDONE else "left" for one in reverted)
