"""Rows of an import of contacts: what they say, and what becomes of each (D-03, D-32). Pure functions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from crm_customer.contacts.rules import Broken, mobile
from crm_customer.customers.rules import Problem, Reference
from crm_customer.imports.rules import Chunk, Decided, Unwritten, record_id_of, without_nulls
from crm_customer.people.rules import FIELDS, checked
from crm_customer.search.rules import normalised

MOBILE, EMAIL, NAME, ID = "mobile", "email", "name", "id"
MATCHABLE = (MOBILE, EMAIL, NAME, ID)
CUSTOMER, OWNER = "customer", "owner"
KNOWN = frozenset({*FIELDS, CUSTOMER, OWNER, ID})

# A field and its value as it is compared.
Key = tuple[str, str]


@dataclass
class Row:
    """One row: texts of the form's fields, by what it is matched, in order, and what is wrong with it.

    `customer_id` as found; `owner_problem` counts only where the row creates. `decided` about the contact
    `decided_on`, in mode ask.
    """

    number: int
    given: Mapping[str, str]
    keys: Sequence[Key]
    customer: str
    owner: str
    problems: list[Problem]
    customer_id: UUID | None = None
    owner_id: UUID | None = None
    owner_problem: Problem | None = None
    decided: Decided | None = None
    decided_on: str = ""

    @property
    def id(self) -> str:
        """The contact's id that it names, or an empty text."""
        return dict(self.keys).get(ID, "")


@dataclass(frozen=True)
class Person:
    """A contact that a row may mean. `refusal`: code of why the importer may not change it, or an empty text."""

    id: UUID
    customer_ids: Collection[UUID]
    values: Mapping[str, Any]
    refusal: str = ""


@dataclass(frozen=True)
class People:
    """Contacts that rows may mean: by customer and key, oldest first; by id; and ids that only others see."""

    found: Mapping[tuple[UUID, Key], Sequence[UUID]]
    by_id: Mapping[str, Person]
    out_of_sight: Collection[str] = ()

    def matching(self, row: Row) -> tuple[str, Sequence[Person]]:
        """By which of its fields the row matches, and whom; an empty text: nobody."""
        for key in row.keys:
            ids = [key[1]] if key[0] == ID else self._within(row.customer_id, key)
            people = [self.by_id[id_] for id_ in ids if id_ in self.by_id]
            if people:
                return key[0], people
        return "", ()

    def _within(self, customer_id: UUID | None, key: Key) -> list[str]:
        return [] if customer_id is None else [str(id_) for id_ in self.found.get((customer_id, key), ())]


@dataclass(frozen=True)
class Create:
    """The row becomes a contact of the customer."""

    number: int
    customer_id: UUID
    owner_id: UUID | None
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Update:
    """The row changes a contact: clean values of the fields that differ, maybe none. `undecided`: it would, if somebody
    decided so (D-21).
    """

    number: int
    person: Person
    matched_by: str
    after: Mapping[str, Any]
    undecided: bool = False

    @property
    def before(self) -> dict[str, Any]:
        """What these fields hold now."""
        return {name: self.person.values[name] for name in self.after}


Decision = Create | Update | Unwritten


def read_row(number: int, written: Mapping[str, str], match_fields: Sequence[str], reference: Reference) -> Row:
    """A row as it is written. What the form says of its fields is found out when it is known whom it means."""
    texts, problems = without_nulls(written)
    keys: list[Key] = []
    for name in match_fields:
        try:
            key = _key(name, texts.get(name, ""), reference)
        except ValueError:
            problems.append(Problem(ID, "uuid_parsing", texts[ID]))
        else:
            keys += [(name, key)] if key else []
    return Row(
        number=number,
        given={name: texts[name] for name in FIELDS if name in texts},
        keys=keys,
        customer=texts.get(CUSTOMER, ""),
        owner=texts.get(OWNER, ""),
        problems=problems,
    )


def _key(name: str, text: str, reference: Reference) -> str:
    """What is compared of a text; empty: nothing. A number that is none is no key: it is wrong anyway."""
    if not text:
        return ""
    if name == ID:
        return str(UUID(text))
    if name == MOBILE:
        try:
            return mobile(text, reference.mobile)
        except Broken:
            return ""
    return comparable(name, text)


def comparable(name: str, value: str | None) -> str:
    """What is compared of a value that is kept."""
    return normalised(value or "") if name in (NAME, EMAIL) else value or ""


@dataclass(frozen=True)
class Setting:
    """What the rows of a chunk are judged by; `made`: contacts that earlier attempts made of its rows (D-44)."""

    chunk: Chunk
    people: People
    made: Collection[UUID]
    reference: Reference
    today: date


@dataclass
class _Taken:
    """What earlier rows of the chunk have taken, with the number of the row."""

    keys: dict[tuple[UUID, Key], int] = field(default_factory=dict)
    people: dict[UUID, int] = field(default_factory=dict)


def decide(rows: Iterable[Row], setting: Setting) -> list[Decision]:
    """What becomes of each row."""
    taken = _Taken()
    return [_decide(row, setting, taken) for row in rows]


def mobile_of(one: Decision) -> str | None:
    """The number that a row would write."""
    return None if isinstance(one, Unwritten) else (one.values if isinstance(one, Create) else one.after).get(MOBILE)


def without_shared(decided: Iterable[Decision], held: dict[str, set[UUID]]) -> list[Decision]:
    """`decided`, but that rows fail whose number a customer has that the contact does not belong to, where no two may
    share one (G-04). `held`: customers by number.
    """
    return [_unshared(one, number, held[number]) if (number := mobile_of(one)) else one for one in decided]


def _unshared(one: Decision, number: str, held: set[UUID]) -> Decision:
    if isinstance(one, Unwritten):
        return one
    own = {one.customer_id} if isinstance(one, Create) else set(one.person.customer_ids)
    if own and not held <= own:
        return Unwritten(one.number, [Problem(MOBILE, "not_unique", number)])
    held |= own
    return one


def _decide(row: Row, setting: Setting, taken: _Taken) -> Decision:
    settled = _settled(row, setting)
    if settled is not None:
        return settled
    if row.decided is Decided.CREATE:
        return _create(row, setting)
    matched_by, found = setting.people.matching(row)
    if row.decided is Decided.UPDATE:
        # The very contact that it was decided about, as long as the row still matches it.
        found = [one for one in found if str(one.id) == row.decided_on]
        return _matched(row, matched_by, found, setting, taken) if found else _skipped(row, "match_changed")
    if found:
        return _matched(row, matched_by, found, setting, taken)
    keys = [(row.customer_id, key) for key in row.keys] if row.customer_id else []
    first = next((taken.keys[key] for key in keys if key in taken.keys), None)
    created = _create(row, setting) if first is None else _repeated(row, first)
    if isinstance(created, Create):
        taken.keys |= dict.fromkeys(keys, row.number)
    return created


def _settled(row: Row, setting: Setting) -> Unwritten | None:
    """What is known of the row without looking for whom it means."""
    id_ = record_id_of(setting.chunk.job_id, row.number)
    if id_ in setting.made:
        return Unwritten(row.number, record_id=id_, made=True)
    if row.problems:
        return Unwritten(row.number, row.problems)
    return _skipped(row, "exists_out_of_scope") if row.id in setting.people.out_of_sight else None


def _matched(row: Row, by: str, found: Sequence[Person], setting: Setting, taken: _Taken) -> Decision:
    chunk, person = setting.chunk, found[0]
    undecided = chunk.ask and row.decided is None
    if not chunk.update or (undecided and not chunk.rehearsal):
        return _skipped(row, "contact_exists", person, by)
    problems = _unchangeable(row, by, found[:1] if undecided else found)
    if not problems and person.id in taken.people:
        return _repeated(row, taken.people[person.id])
    # Empty cells leave what is there, unless they are to clear it (D-31).
    given = {name: text for name, text in row.given.items() if text or chunk.clear_empty}
    values, wrong = checked(given, setting.reference, setting.today, person.values)
    if problems or wrong:
        return Unwritten(row.number, problems or wrong, record_id=person.id, matched_by=by)
    taken.people[person.id] = row.number
    after = {name: value for name, value in values.items() if value != person.values[name]}
    return Update(row.number, person, by, after, undecided)


def _unchangeable(row: Row, by: str, found: Sequence[Person]) -> list[Problem]:
    """Why the row may not change whom it matches."""
    if len(found) > 1:
        return [Problem(by, "ambiguous_match", row.given.get(by, ""))]
    if row.customer_id is not None and row.customer_id not in found[0].customer_ids:
        return [Problem(CUSTOMER, "not_of_this_customer", row.customer)]
    return [Problem("", found[0].refusal)] if found[0].refusal else []


def _create(row: Row, setting: Setting) -> Create | Unwritten:
    values, problems = checked({"name": None, **row.given}, setting.reference, setting.today, {})
    problems += [row.owner_problem] if row.owner_problem else []
    if row.customer_id is None:
        return Unwritten(row.number, [Problem(CUSTOMER, "missing"), *problems])
    return Unwritten(row.number, problems) if problems else Create(row.number, row.customer_id, row.owner_id, values)


def _skipped(row: Row, code: str, person: Person | None = None, by: str = "") -> Unwritten:
    return Unwritten(
        row.number, [Problem("", code)], skipped=True, record_id=person.id if person else None, matched_by=by
    )


def _repeated(row: Row, first: int) -> Unwritten:
    return Unwritten(row.number, [Problem("", "repeated_in_file", parameters={"first_row": first})], skipped=True)
