"""Colours, limits, and which tags a record bears after a change. Pure functions."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

MOST_GROUPS = 50
MOST_TAGS = 500


class Color(StrEnum):
    """The palette of tags and stars (I-13); how each looks is the browser's."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    CYAN = "cyan"
    BLUE = "blue"
    PURPLE = "purple"
    GREY = "grey"


@dataclass(frozen=True)
class Borne:
    """A tag as a record bears it; `multiple`: others of its group may stand beside it (I-01)."""

    id: UUID
    name: str
    color: str
    group_id: UUID
    multiple: bool


def second_of_group(tags: Sequence[Borne]) -> int | None:
    """The place of the first tag whose group allows one and has one among `tags` before it."""
    met: set[UUID] = set()
    for place, tag in enumerate(tags):
        if not tag.multiple and tag.group_id in met:
            return place
        met.add(tag.group_id)
    return None


def retagged(tags: Iterable[Borne], added: Collection[Borne], removed: Collection[UUID]) -> list[Borne]:
    """`tags` without `removed` and with `added`, each of which takes the place of others where its group allows one."""
    ids, full = {tag.id for tag in added}, {tag.group_id for tag in added if not tag.multiple}
    kept = [tag for tag in tags if tag.id not in removed and tag.id not in ids and tag.group_id not in full]
    return [*kept, *added]
