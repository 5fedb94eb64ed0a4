"""The states of an announcement, and how long it can be."""

from enum import StrEnum

LONGEST_TITLE, LONGEST_TEXT, MOST_LISTED = 200, 10_000, 1000


class Status(StrEnum):
    """`telling` and `withdrawing`: a worker goes from member to member; `told` and `withdrawn`: it is done with all."""

    TELLING = "telling"
    TOLD = "told"
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"


UNDER_WAY = (Status.TELLING, Status.WITHDRAWING)
TAKEN_BACK = (Status.WITHDRAWING, Status.WITHDRAWN)
