"""States and limits of mailings (J-01 to J-08, J-15 to J-17). Pure functions."""

from datetime import timedelta
from enum import StrEnum

from crm_notify.deliveries.rules import Channel

MIB = 1024 * 1024
MOST_RECIPIENTS = 20_000
MOST_ATTACHMENTS = 5
MOST_BYTES = 15 * MIB
# How long addresses are kept after a mailing's end, as deliveries are.
KEPT = timedelta(days=180)
# How long an uploaded file waits for its mailing.
USABLE = timedelta(days=1)
# A worker that took a mailing and died leaves it to another after this: far longer than a page takes.
LEASE = timedelta(minutes=2)
_LONGEST_WAIT = timedelta(minutes=10)


class Status(StrEnum):
    """`collecting`: recipients are being asked for, and sent to already; `sending`: all are known; `finished`: nothing is
    open any more; `cancelled` by a member; `failed`: the sender may no more, or customer refused (`error_code`).
    """

    COLLECTING = "collecting"
    SENDING = "sending"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


OPEN = (Status.COLLECTING, Status.SENDING)


class Scope(StrEnum):
    """全部发送, 当前页发送, 当前页已选中发送 (J-02, J-03, J-04)."""

    ALL = "all"
    PAGE = "page"
    SELECTED = "selected"


def wait_after(attempts: int) -> timedelta:
    """How long to leave customer alone after so many failures in a row: 5 s, doubled each time up to 10 minutes."""
    return min(timedelta(seconds=5 * 2 ** min(attempts - 1, 10)), _LONGEST_WAIT)


def masked(channel: str, address: str) -> str:
    """An address for others than its sender: `l***@example.com`, `+86138****5678`."""
    if channel == Channel.EMAIL:
        name, at, domain = address.rpartition("@")
        return f"{name[:1]}***{at}{domain}" if at else ""
    return f"{address[:-8]}****{address[-4:]}" if len(address) > 8 else ""
