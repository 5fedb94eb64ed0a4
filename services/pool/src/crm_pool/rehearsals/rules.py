"""How far a rehearsal looks ahead. Pure."""

from datetime import date, timedelta

# Days within which customers are counted: tonight, this week, this month.
WINDOWS = {"tonight": 0, "in_7_days": 7, "in_30_days": 30}
HORIZON_DAYS = max(WINDOWS.values())
KEPT = timedelta(days=7)


def horizon(day: date) -> date:
    """The last day that a rehearsal as of `day` looks at."""
    return day + timedelta(days=HORIZON_DAYS)
