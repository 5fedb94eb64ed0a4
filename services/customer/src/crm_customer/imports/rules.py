"""Rows of an import: what they say, and what becomes of each. Pure functions, no clock, no I/O."""

import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from crm_customer.contacts.rules import is_filled
from crm_customer.customers.rules import (
    FIELDS,
    Parts,
    Problem,
    Reference,
    changed_fields,
    refuse_inactive,
    refuse_postcodes,
    refuse_remark_alone,
    require_filled,
    settle,
    split,
)
from crm_customer.matching.places import same_place
from crm_customer.matching.rules import Company, features

NAME, MOBILE, ID, SIMILAR = "name", "contact.mobile", "id", "similar_name"
MATCHABLE = (NAME, MOBILE, ID, SIMILAR)
OWNER, OWNER_ID = "owner", "owner_id"
TAGS, DELETED = "tags", "deleted"
PARENT = "profile.parent_customer_id"
KNOWN = frozenset({*FIELDS, OWNER, OWNER_ID, ID, TAGS, DELETED})
_BETWEEN_PARTS = "\x1f"

Key = tuple[str, str]


@dataclass(frozen=True)
class Chunk:
    """One chunk of an import job as asked for. `update`: matches may be updated (D-14); `ask`: where somebody has decided
    so for the row (D-21). `rehearsal`: nothing is written. `fields`: what the texts of each row are.
    """

    id: UUID
    job_id: UUID
    actor_id: UUID
    update: bool
    match_fields: tuple[str, ...]
    clear_empty: bool
    target_pool_id: UUID | None
    ask: bool = False
    rehearsal: bool = False
    fields: tuple[str, ...] = ()


class Decided(Enum):
    """What somebody has decided for a row that matched a customer (D-21)."""

    UPDATE = "update"
    CREATE = "create"


@dataclass
class Row:
    """One row: clean values, what is wrong with it, and by what it is matched, in order.

    `record_id`: of the customer that it becomes if it creates. `owner` by name or login, `owner_ref` by id; `tags` as written, None without such a column, `tag_ids` as found.
    `unborn` and `owner_problem` are wrong only where the row creates, `parent_problem` where the parent changes, too.
    `decided` about the customer `decided_on`, in mode ask.
    """

    number: int
    values: dict[str, Any]
    problems: list[Problem]
    keys: Sequence[Key]
    unborn: list[Problem] = field(default_factory=list)
    record_id: str = ""
    owner: str = ""
    owner_ref: str = ""
    owner_id: UUID | None = None
    owner_problem: Problem | None = None
    tags: str | None = None
    tag_ids: tuple[UUID, ...] = ()
    parent_problem: Problem | None = None
    decided: Decided | None = None
    decided_on: str = ""

    @cached_property
    def parts(self) -> Parts:
        """Its values by where they are kept."""
        return split(self.values)

    @property
    def owner_named(self) -> tuple[str, str]:
        """The field that names the owner, and how; empty when none does."""
        field = OWNER if self.owner else OWNER_ID if self.owner_ref else ""
        return field, self.owner or self.owner_ref

    def writes(self, prefix: str, *, clear_empty: bool = False) -> bool:
        """Whether it fills, or clears, any field that begins with `prefix`."""
        return any(
            name.startswith(prefix) and (clear_empty or value is not None) for name, value in self.values.items()
        )


@dataclass(frozen=True)
class Match:
    """A customer that has a row's key. `visible`: the importer may know of it by this key; `workable`: and change it."""

    customer_id: UUID
    visible: bool
    workable: bool


Matches = Mapping[Key, Sequence[Match]]


@dataclass(frozen=True)
class Create:
    """The row becomes a customer."""

    row: Row


@dataclass(frozen=True)
class Update:
    """The row changes the customer that it matches by a field. `undecided`: it would, if somebody decided so (D-21)."""

    row: Row
    customer_id: UUID
    matched_by: str
    undecided: bool = False


@dataclass(frozen=True, eq=False)
class Placed:
    """Where pool lets some new customers lie, as columns of them, or why nowhere."""

    columns: Mapping[str, Any]
    refusal_code: str


# By id of the customer.
Plan = Mapping[str, Placed]


@dataclass(frozen=True)
class Made:
    """A customer that an earlier attempt has made of a row, and where it lies."""

    customer_id: str
    place: Mapping[str, str]


@dataclass(frozen=True)
class Seen:
    """What the database holds of some rows: customers that they match, and those that earlier attempts `made` of them,
    by number (D-44).
    """

    matches: Matches
    made: Mapping[int, Made]


@dataclass(frozen=True)
class Settled:
    """Nothing is to be written: it was `made` by an earlier attempt, else it failed or is `skipped`, and why."""

    row: Row
    problems: Sequence[Problem] = ()
    skipped: bool = False
    customer_id: UUID | None = None
    made: Made | None = None
    matched_by: str = ""


Decision = Create | Update | Settled


@dataclass(frozen=True)
class Likely:
    """What customers of similar names share (decision 0032): the core, the branch, and no two regions that differ."""

    core: str
    region: str
    branch: str

    @classmethod
    def of(cls, name: str, city: str) -> "Likely | None":
        """That of a name, and of the customer's city where the name says no region; None: there is nothing to compare."""
        found = features(Company(name, city=city))
        return cls(found.core, found.region, found.branch) if found.core else None

    @classmethod
    def read(cls, key: str) -> "Likely":
        """Out of the key of a row, which is its text."""
        return cls(*key.split(_BETWEEN_PARTS))

    def __str__(self) -> str:
        return _BETWEEN_PARTS.join((self.core, self.region, self.branch))

    def meets(self, other: "Likely") -> bool:
        """Whether the names are alike."""
        elsewhere = self.region and other.region and not same_place(self.region, other.region)
        return (self.core, self.branch) == (other.core, other.branch) and not elsewhere


@dataclass(frozen=True)
class Members:
    """Active members that rows name, by name, login or id. `reached`: to whom the importer may give records, and
    act for, with the right at all (decision 0016).
    """

    found: Mapping[str, Sequence[UUID]]
    actor_id: UUID
    reached: Collection[UUID]
    may_assign: bool

    def meant(self, field: str, text: str) -> UUID | Problem:
        """The one member that `text` means (D-30), or what is wrong with it."""
        found = self.found.get(text, ())
        if len(found) != 1:
            return Problem(field, "ambiguous_owner" if found else "unknown_owner", text)
        if found[0] != self.actor_id and not self.may_assign:
            return Problem(field, "forbidden", text)
        return found[0] if found[0] in self.reached else Problem(field, "owner_out_of_reach", text)


def settle_owner(row: Row, members: Members) -> None:
    """Find the owner a row names, by id, else by name or login (D-30, T-1). What is wrong with it counts only when the
    row creates.
    """
    field, written = row.owner_named
    if not field:
        return
    meant = members.meant(field, row.owner_ref if row.owner_ref in members.found else written)
    if isinstance(meant, UUID):
        row.owner_id = meant
    else:
        row.owner_problem = dataclasses.replace(meant, value=written)


@dataclass
class _Taken:
    """What earlier rows of the chunk have taken, with the number of the row."""

    keys: dict[Key, int] = field(default_factory=dict)
    customers: dict[UUID, int] = field(default_factory=dict)


def decide(rows: Iterable[Row], seen: Seen, chunk: Chunk) -> list[Decision]:
    """What becomes of each row."""
    taken = _Taken()
    return [_decide(row, seen, chunk, taken) for row in rows]


def _decide(row: Row, seen: Seen, chunk: Chunk, taken: _Taken) -> Decision:
    if row.number in seen.made:
        return Settled(row, made=seen.made[row.number])
    if row.problems:
        return Settled(row, row.problems)
    if row.decided is Decided.UPDATE:
        return _as_decided(row, seen.matches, taken)
    known = _known(row, seen.matches, chunk, taken) if row.decided is None else None
    return known or _new(row, taken)


def _known(row: Row, matches: Matches, chunk: Chunk, taken: _Taken) -> Decision | None:
    """What becomes of a row that matches a customer or repeats an earlier row; None: it does neither."""
    for key in row.keys:
        if key in matches:
            return _matched(row, key, matches[key], chunk, taken)
    for key in row.keys:
        if key in taken.keys:
            return _repeated(row, taken.keys[key])
    return None


def _new(row: Row, taken: _Taken) -> Decision:
    if row.unborn or row.parent_problem or row.owner_problem:
        return Settled(row, [*row.unborn, *filter(None, (row.parent_problem, row.owner_problem))])
    for key in row.keys:
        taken.keys[key] = row.number
    return Create(row)


def _matched(row: Row, key: Key, found: Sequence[Match], chunk: Chunk, taken: _Taken) -> Decision:
    visible = [match for match in found if match.visible]
    if not visible:
        # Neither id nor name: that somebody has it is all the importer may know.
        return Settled(row, [Problem("", "exists_out_of_scope")], skipped=True)
    match = visible[0]
    if not chunk.update or (chunk.ask and not chunk.rehearsal):
        return _left(row, "customer_exists", match, key)
    if len(visible) > 1 and not chunk.ask:
        field = NAME if key[0] == SIMILAR else key[0]
        return Settled(row, [Problem(field, "ambiguous_match", str(row.values.get(field) or key[1]))])
    return _updating(row, match, key, taken, undecided=chunk.ask)


def _as_decided(row: Row, matches: Matches, taken: _Taken) -> Decision:
    """An update of the very customer that it was decided about, as long as the row still matches it."""
    for key in row.keys:
        for match in matches.get(key, ()):
            if match.visible and str(match.customer_id) == row.decided_on:
                return _updating(row, match, key, taken, undecided=False)
    return Settled(row, [Problem("", "match_changed")], skipped=True)


def _updating(row: Row, match: Match, key: Key, taken: _Taken, *, undecided: bool) -> Decision:
    if not match.workable:
        return _left(row, "claim_first", match, key)
    if match.customer_id in taken.customers:
        return _repeated(row, taken.customers[match.customer_id])
    taken.customers[match.customer_id] = row.number
    return Update(row, match.customer_id, key[0], undecided)


def _left(row: Row, code: str, match: Match, key: Key) -> Settled:
    return Settled(row, [Problem("", code)], skipped=True, customer_id=match.customer_id, matched_by=key[0])


def _repeated(row: Row, first: int) -> Settled:
    return Settled(row, [Problem("", "repeated_in_file", parameters={"first_row": first})], skipped=True)


@dataclass(frozen=True)
class Unwritten:
    """The row `number` writes nothing: an earlier attempt has `made` its record, or it failed or is `skipped`, and why."""

    number: int
    problems: Sequence[Problem] = ()
    skipped: bool = False
    record_id: UUID | None = None
    made: bool = False
    matched_by: str = ""


def without_nulls(texts: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """The texts that a database can hold, and what is wrong with the others."""
    clean = {name: text.strip() for name, text in texts.items() if "\0" not in text}
    return clean, [Problem(name, "null_character", texts[name]) for name in sorted(texts.keys() - clean.keys())]


def record_id_of(job_id: UUID, row_number: int) -> UUID:
    """The id of the record that a row of a job becomes: the same at every attempt, so that a plan made for the first
    one still holds and its undo knows it. A UUIDv7 with the job's time; ids of a file follow each other as its rows do.
    """
    return UUID(int=_record_number(job_id, row_number))


def record_ids_of(job_id: UUID, row_numbers: Iterable[int]) -> list[str]:
    """The same of many rows, as texts."""
    digits = [f"{_record_number(job_id, row_number):032x}" for row_number in row_numbers]
    return [f"{own[:8]}-{own[8:12]}-{own[12:16]}-{own[16:20]}-{own[20:]}" for own in digits]


def _record_number(job_id: UUID, row_number: int) -> int:
    time, chance = _job(job_id.bytes)
    number = (row_number & 0xFFFFFFFF) << 42 | chance
    return time << 80 | 0x7 << 76 | (number >> 62) << 64 | 0b10 << 62 | number & (1 << 62) - 1


@lru_cache(maxsize=64)
def _job(job_id: bytes) -> tuple[int, int]:
    chance = int.from_bytes(hashlib.blake2b(job_id, digest_size=6).digest(), "big")
    return int.from_bytes(job_id, "big") >> 80, chance & (1 << 42) - 1


@dataclass(frozen=True)
class Change:
    """An update of one customer: all its fields as they will be, and those that change; tags by name, where they do."""

    customer_id: UUID
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    changed: tuple[str, ...]

    @cached_property
    def parts(self) -> Parts:
        """All fields but the tags as they will be."""
        return split({name: value for name, value in self.after.items() if name != TAGS})

    def tagged(self, before: Sequence[str], after: Sequence[str]) -> "Change":
        """The same, with other tags."""
        names = {**self.before, TAGS: before}, {**self.after, TAGS: after}
        return Change(self.customer_id, *names, (*self.changed, TAGS))

    def touches(self, *prefixes: str) -> bool:
        """Whether a field that begins with one of `prefixes` changes."""
        return any(name.startswith(prefixes) for name in self.changed)


def change_of(
    update: Update, before: Mapping[str, Any], reference: Reference, *, clear_empty: bool, has_contact: bool
) -> Change | list[Problem]:
    """What an update does to a customer that is as in `before`, or what is wrong with it.

    Empty cells leave what is there, unless `clear_empty` (D-31).
    """
    values = {name: value for name, value in update.row.values.items() if value is not None or clear_empty}
    problems: list[Problem] = []
    require_filled(values, reference, problems, creating=False)
    refuse_inactive(values, before, reference, problems)
    after = {**before, **settle(values, before, reference)}
    parts = split(after)
    if is_filled(parts.contact) or has_contact:
        after["contact.name"] = after["contact.name"] or after["name"]
    else:
        refuse_remark_alone(parts.contact, problems)
    if parts.profile:
        refuse_postcodes(split(values).profile, parts.profile, problems)
    changed = changed_fields(before, after)
    if PARENT in changed and update.row.parent_problem:
        problems.append(update.row.parent_problem)
    return problems or Change(update.customer_id, before, after, changed)
