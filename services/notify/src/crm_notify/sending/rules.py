"""What a letter tells, and how a digest arranges it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_notify.notifications.rules import CATEGORY_OF, Category
from crm_notify.notifications.texts import Words

_CATEGORY_OF = {str(kind): category for kind, category in CATEGORY_OF.items()}


@dataclass(frozen=True)
class Notified:
    """One notification in its receiver's words; `path` is the page to open."""

    kind: str
    words: Words
    path: str
    occurred_at: datetime


def sections(notified: Iterable[Notified]) -> Mapping[Category, Sequence[Notified]]:
    """Arrange notifications, oldest first, by category; in each what is about one record together, the newest last."""
    found: dict[Category, dict[str, list[Notified]]] = {category: {} for category in Category}
    for one in notified:
        # A kind that a newer release wrote is of no category known here.
        category = _CATEGORY_OF.get(one.kind, Category.ANNOUNCEMENTS)
        found[category].setdefault(one.path, []).append(one)
    return {
        category: [one for record in records.values() for one in record]
        for category, records in found.items()
        if records
    }
