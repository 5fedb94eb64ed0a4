"""What PostgreSQL really read for the statements behind an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def explained(engine: Engine, part: str) -> Iterator[list[dict[str, Any]]]:
    """The plans, as carried out, of the statements that hold `part` and are sent meanwhile."""
    plans: list[dict[str, Any]] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if part in statement:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
            plans.append(cursor.fetchone()[0][0]["Plan"])

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def rows_read(node: dict[str, Any]) -> int:
    """How many rows of tables a plan read, those it threw away included."""
    below = sum(rows_read(child) for child in node.get("Plans", ()))
    if "Relation Name" not in node:
        return below
    return int(below + (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
