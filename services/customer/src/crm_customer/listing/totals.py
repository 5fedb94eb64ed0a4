"""Sizes of lists: large ones, where one more or less goes unnoticed, are counted every 15 seconds."""

import time
from collections.abc import Callable, Hashable

Total = tuple[int, bool]
_KEPT_SECONDS = 15
_KEPT_FROM = 1000
_MOST_KEPT = 10_000
_totals: dict[Hashable, tuple[float, Total]] = {}


def kept_total(key: Hashable, count: Callable[[], Total]) -> Total:
    """What `count` found for this key, now or a moment ago; whether it is an estimate."""
    kept = _totals.get(key)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    counted = count()
    if counted[1] or counted[0] >= _KEPT_FROM:
        if len(_totals) >= _MOST_KEPT:
            _totals.clear()
        _totals[key] = (time.monotonic() + _KEPT_SECONDS, counted)
    return counted
