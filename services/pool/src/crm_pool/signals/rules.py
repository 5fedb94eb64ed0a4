"""Kinds of signals that somebody hoards customers, and how far they look. Pure."""

from enum import StrEnum


class SignalKind(StrEnum):
    """`ring`: gave a customer up and soon had it again, by a claim or from whoever held it meanwhile. `untouched`: claimed
    and then contacted nobody.
    """

    RING = "ring"
    UNTOUCHED = "untouched"


# How far back both look, and how long a ring may take.
WINDOW_DAYS = 30
# Only claims as old as this are judged.
QUIET_DAYS = 7
EXAMPLES = 5
