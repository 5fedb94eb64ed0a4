"""Limits of how a pool's rule is written and announced. Pure."""

from datetime import date, timedelta

MAX_DAYS = 3650
MAX_LEVELS = 50
# How long beforehand a version may be announced.
MAX_NOTICE_DAYS = 366
SHADOWS_KEPT = timedelta(days=90)
RECOMPUTES_KEPT = timedelta(days=30)


def takes_effect_between(today: date) -> tuple[date, date]:
    """The first and the last day on which a version announced today may take effect: owners are told beforehand."""
    return today + timedelta(days=1), today + timedelta(days=MAX_NOTICE_DAYS)
