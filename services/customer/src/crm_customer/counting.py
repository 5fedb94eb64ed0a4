"""How many rows a list has, and how PostgreSQL would find them (A-28, design §5)."""

import json
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Select, func, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from chassis.database import Database

_CANCELLED = "57014"
# Milliseconds that counting may take.
PATIENCE = 300
# Counting is planned for the very values each time: texts above all decide what is quick.
_IMPATIENT = text("""
    SELECT set_config('statement_timeout', CAST(:patience AS text), TRUE),
        set_config('plan_cache_mode', 'force_custom_plan', TRUE)
""")
_KEPT_SECONDS = 15
_KEPT_FROM = 1000
_MOST_KEPT = 10_000
_totals: dict[Hashable, tuple[float, "Total"]] = {}
Parameters = dict[str, Any]


@dataclass(frozen=True)
class Total:
    """Rows of a list; `estimated` where counting took too long."""

    rows: int
    estimated: bool = False


def counted(
    database: Database,
    key: Hashable,
    matching: Select[Any],
    parameters: Parameters,
    *,
    roughly: Select[Any] | None = None,
    patience: int = PATIENCE,
) -> Total:
    """The size of the list that `matching` finds. Large ones, where one more or less goes unnoticed, are counted every
    15 seconds for each `key`. `roughly`: nearly the same, to be estimated instead where that goes better.
    """
    key = (database.url, key)
    kept = _totals.get(key)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    total = _count(database, matching, matching if roughly is None else roughly, parameters, patience)
    if total.estimated or total.rows >= _KEPT_FROM:
        if len(_totals) >= _MOST_KEPT:
            _totals.clear()
        _totals[key] = (time.monotonic() + _KEPT_SECONDS, total)
    return total


def _count(
    database: Database, matching: Select[Any], roughly: Select[Any], parameters: Parameters, patience: int
) -> Total:
    try:
        with database.reading() as session:
            session.execute(_IMPATIENT, {"patience": str(patience)})
            return Total(session.scalar(matching.with_only_columns(func.count()), parameters) or 0)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _CANCELLED:
            raise
    with database.reading() as session:
        return Total(int(explain(session, roughly, parameters)["Plan Rows"]), estimated=True)


def explain(
    session: Session, statement: Select[Any], parameters: Parameters | None = None, *, analyze: bool = False
) -> dict[str, Any]:
    """PostgreSQL's plan of `statement`."""
    compiled = statement.compile(session.connection(), compile_kwargs={"render_postcompile": True})
    how = "EXPLAIN (FORMAT JSON, ANALYZE)" if analyze else "EXPLAIN (FORMAT JSON)"
    answer = (
        session.connection()
        .exec_driver_sql(f"{how} {compiled}", cast(Any, compiled.construct_params(parameters)))
        .scalar_one()
    )
    plan: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return plan
