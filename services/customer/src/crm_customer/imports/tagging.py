"""Tags in rows of an import (I-01): finding what a cell names, and giving it to customers set-wise."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.database.rows import listed, rowset
from crm_customer.customers.rules import Problem
from crm_customer.customers.sight import one_of
from crm_customer.imports.rules import TAGS, Row
from crm_customer.search.rules import normalised
from crm_customer.tags.model import CustomerTag, Tag, TagGroup

_BORNE: Table = CustomerTag.__table__  # type: ignore[assignment]
_PAIR = rowset(_BORNE, ("customer_id", "tag_id"))
_TAKE = delete(_BORNE).where(_BORNE.c.customer_id == _PAIR.c.customer_id, _BORNE.c.tag_id == _PAIR.c.tag_id)
_GIVE = insert(_BORNE).from_select(["customer_id", "tag_id"], select(_PAIR)).on_conflict_do_nothing()
_BETWEEN = re.compile(r"[;；,，、\n]")


@dataclass(frozen=True)
class KnownTag:
    """A tag with what of its group decides about giving it."""

    id: UUID
    name: str
    group: str
    multiple: bool

    @property
    def texts(self) -> tuple[str, str, str]:
        """How a cell may name it."""
        return self.name, f"{self.group}:{self.name}", str(self.id)


@dataclass(frozen=True)
class Vocabulary:
    """All tags there are, by their normalised name, by `group:name` and by id."""

    tags: Mapping[str, Sequence[KnownTag]]
    by_id: Mapping[UUID, KnownTag]

    @classmethod
    def of(cls, tags: Iterable[KnownTag]) -> "Vocabulary":
        """Tags ready to be found."""
        found: dict[str, list[KnownTag]] = {}
        by_id: dict[UUID, KnownTag] = {}
        for tag in tags:
            by_id[tag.id] = tag
            for text in tag.texts:
                found.setdefault(normalised(text), []).append(tag)
        return cls(found, by_id)

    def words(self, ids: Iterable[UUID]) -> list[str]:
        """Names of tags, sorted; of one that is gone meanwhile nothing."""
        return sorted(self.by_id[id_].name for id_ in ids if id_ in self.by_id)

    def written(self, ids: Iterable[UUID]) -> str:
        """A cell that `read` reads as these tags; each by the shortest text that means no other."""
        known = [self.by_id[id_] for id_ in ids if id_ in self.by_id]
        return "；".join(next(filter(self._says(len(known)), tag.texts)) for tag in known)

    def _says(self, together: int) -> Callable[[str], bool]:
        """Whether a text means one tag, with others beside it in the cell or alone."""
        return lambda text: len(self.tags[normalised(text)]) == 1 and (together == 1 or not _BETWEEN.search(text))

    def read(self, cell: str) -> tuple[tuple[UUID, ...], list[Problem]]:
        """The tags that a cell names, separated by semicolons, commas or lines, and what is wrong with it."""
        problems: list[Problem] = []
        given: dict[UUID, KnownTag] = {}
        for text in filter(None, map(str.strip, [cell] if normalised(cell) in self.tags else _BETWEEN.split(cell))):
            found = self.tags.get(normalised(text), ())
            if len(found) == 1:
                given[found[0].id] = found[0]
            else:
                problems.append(Problem(TAGS, "ambiguous_tag" if found else "unknown_tag", text))
        single = [tag.group for tag in given.values() if not tag.multiple]
        problems += [
            Problem(TAGS, "one_tag_per_group", group) for group in sorted(set(single)) if single.count(group) > 1
        ]
        return tuple(given), problems


def settle_tags(session: Session, rows: Sequence[Row]) -> Vocabulary | None:
    """Find the tags that rows name, with one statement; None when no row has a column of them."""
    tagged = [row for row in rows if row.tags is not None]
    if not tagged:
        return None
    vocabulary = load_vocabulary(session)
    for row in tagged:
        row.tag_ids, problems = vocabulary.read(row.tags or "")
        row.problems += problems
    return vocabulary


def load_vocabulary(session: Session) -> Vocabulary:
    """The tags of now."""
    grouped = select(Tag.id, Tag.name, TagGroup.name.label("group"), TagGroup.multiple).join(
        TagGroup, TagGroup.id == Tag.group_id
    )
    return Vocabulary.of(KnownTag(*row) for row in session.execute(grouped))


@dataclass(frozen=True)
class Retagged:
    """The tags of one customer before and after."""

    before: frozenset[UUID]
    after: frozenset[UUID]


def retagged(session: Session, wanted: Mapping[UUID, Row], *, clear_empty: bool) -> dict[UUID, Retagged]:
    """What the rows change of the tags that their customers bear: a cell says all of them, an empty one only counts
    with `clear_empty` (D-31).
    """
    given = {id_: row for id_, row in wanted.items() if row.tag_ids or (clear_empty and row.tags is not None)}
    if not given:
        return {}
    borne: dict[UUID, set[UUID]] = {id_: set() for id_ in given}
    for row in session.execute(select(_BORNE).where(one_of(CustomerTag.customer_id, list(given)))):
        borne[row.customer_id].add(row.tag_id)
    changes = {id_: Retagged(frozenset(borne[id_]), frozenset(row.tag_ids)) for id_, row in given.items()}
    return {id_: change for id_, change in changes.items() if change.before != change.after}


def keep_tags(session: Session, changes: Mapping[UUID, Retagged]) -> None:
    """Give and take tags as `changes` say, with one statement each."""
    gone = [_pair(id_, tag) for id_, change in changes.items() for tag in change.before - change.after]
    new = [_pair(id_, tag) for id_, change in changes.items() for tag in change.after - change.before]
    if gone:
        session.execute(_TAKE, listed(gone))
    if new:
        session.execute(_GIVE, listed(new))


def _pair(customer_id: UUID, tag_id: UUID) -> dict[str, UUID]:
    return {"customer_id": customer_id, "tag_id": tag_id}
