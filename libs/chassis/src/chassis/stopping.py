"""Being stopped before anything is set up: the first thing a process of ours does."""

import signal
import sys
from types import FrameType

STOPPED = 128 + signal.SIGTERM


def end_on_sigterm() -> None:
    """End with status 143 on SIGTERM until a role takes the signal over.

    The first process of a container ignores signals that nobody handles, so one that comes while modules are still
    being loaded would be lost, and the process killed only when its grace period is over.
    """
    signal.signal(signal.SIGTERM, _end)


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(STOPPED)
