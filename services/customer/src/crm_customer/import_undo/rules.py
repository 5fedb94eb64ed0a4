"""What the undo of an import does to a record: from what the import did to it, and what others did since (design §4).

Pure functions.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from chassis.audit import AuditEntry
from crm_customer.customers.rules import ABOUT, FIELDS, Problem, is_custom
from crm_customer.dictionaries.rules import Regions
from crm_customer.imports.rules import TAGS

Values = Mapping[str, Any]
# A field's value in words.
Say = Callable[[str, Any], str]

# Who looked at a number has not touched the contact. What comes with a change of place, and contacts that came and went,
# are looked for where they are kept.
_LOOKED = "contact.revealed"
_TOLD_ELSEWHERE = frozenset(
    {
        "customer.handed_over",
        "contact.owner_changed",
        *(f"customer.contact_{act}" for act in ("added", "removed", "deleted", "restored")),
    }
)


class Outcome(StrEnum):
    """What became of a row: as before the import, in part, or not at all."""

    UNDONE = "undone"
    PARTLY = "partly"
    LEFT = "left"


@dataclass(frozen=True)
class Verdict:
    """What became of a record, and why something of it was left."""

    outcome: Outcome
    problems: Sequence[Problem] = ()


UNDONE = Verdict(Outcome.UNDONE)


def left(*problems: Problem) -> Verdict:
    """Nothing was touched, for these reasons."""
    return Verdict(Outcome.LEFT, problems)


def left_because(code: str, **parameters: Any) -> Verdict:
    """Nothing was touched, for a reason that concerns the whole record."""
    return left(Problem("", code, parameters=parameters))


@dataclass(frozen=True)
class Trail:
    """What stands in the audit of one record. `steps`: what the import changed, oldest first; `undone`: fields that its
    undo has restored before; `binned`: the undo was the last to delete it; `versions`: how many versions are theirs;
    `others`: what anyone else did.
    """

    steps: Sequence[AuditEntry] = ()
    undone: frozenset[str] = frozenset()
    binned: bool = False
    versions: int = 0
    others: Sequence[AuditEntry] = ()

    @property
    def fields(self) -> list[str]:
        """What the import changed and its undo has not restored yet."""
        return list(dict.fromkeys(name for step in self.steps for name in _fields(step) if name not in self.undone))

    @property
    def contact_ids(self) -> set[str]:
        """The contacts that the import made for a customer, or changed through it."""
        return {step.after["source_contact"] for step in self.steps if step.after and "source_contact" in step.after}

    @property
    def makes_contact(self) -> bool:
        """Whether the customer had no primary contact before the import."""
        return any(_side(step.after).get(_NAME) and not _side(step.before).get(_NAME) for step in self.steps)


_NAME = "contact.name"


def trail_of(entries: Iterable[AuditEntry], job_id: str) -> Trail:
    """The trail of one record; `entries` oldest first."""
    trail = Trail()
    for entry in entries:
        after = _side(entry.after)
        if entry.action.endswith(".deleted"):
            trail = replace(trail, binned=after.get("undone_job") == job_id)
        if after.get("source_job") == job_id:
            trail = replace(trail, steps=[*trail.steps, entry], versions=trail.versions + 1)
        elif after.get("undone_job") == job_id:
            trail = replace(trail, undone=trail.undone.union(_fields(entry)), versions=trail.versions + 1)
        elif entry.action != _LOOKED:
            trail = replace(trail, others=[*trail.others, entry])
    return trail


def with_known_tags(trail: Trail, known: Collection[str]) -> Trail:
    """The same, with ids in place of the names of tags, without those that do not exist any more."""

    def identified(step: AuditEntry) -> AuditEntry:
        ids = _side(step.after).get("source_tags")
        if ids is None:
            return step
        sides = (
            {**_side(side), TAGS: [id_ for id_ in ids[when] if id_ in known]}
            for side, when in ((step.before, "before"), (step.after, "after"))
        )
        before, after = sides
        return replace(step, before=before, after=after)

    return replace(trail, steps=[identified(step) for step in trail.steps])


@dataclass(frozen=True)
class Restoration:
    """What of a record is restored, and why the rest is not."""

    values: Values
    problems: Sequence[Problem] = ()

    def without(self, *problems: Problem) -> "Restoration":
        """The same, without the fields of these problems."""
        wrong = {problem.field for problem in problems}
        kept = {name: value for name, value in self.values.items() if name not in wrong}
        return Restoration(kept, [*self.problems, *problems])

    def verdict(self, trail: Trail) -> Verdict:
        """What became of the record; what an earlier attempt restored counts, too."""
        if not self.problems:
            return UNDONE
        outcome = Outcome.PARTLY if self.values or trail.undone else Outcome.LEFT
        return Verdict(outcome, self.problems)


def restoration(trail: Trail, current: Values, say: Say) -> Restoration:
    """Each field that still holds what the import wrote gets back what it held before."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in trail.fields:
        changes = [(_side(step.before).get(name), _side(step.after).get(name)) for step in _changing(trail, name)]
        present = current.get(name)
        found, whole = _taken_back(present, changes)
        if found != present:
            values[name] = found
        if not whole:
            problems.append(_changed(name, changes[-1][1], present, say))
    return Restoration(values, problems)


def _taken_back(value: Any, changes: Sequence[tuple[Any, Any]]) -> tuple[Any, bool]:
    """How far the changes, before and after each, can be taken back; whether that is as before all of them."""
    first = changes[0][0]
    for before, after in reversed(changes):
        if value != after:
            break
        value = before
    return value, value == first


def within_province(found: Restoration, current: Values, regions: Regions, say: Say) -> Restoration:
    """A city is not restored without its province, nor the province without it, where the other was changed since."""
    after = {**current, **found.values}
    province, city = after.get("province"), after.get("city")
    if not city or (province and regions.city(province, city)):
        return found
    pair = [name for name in ("province", "city") if name in found.values]
    return found.without(*(_changed(name, current.get(name), after.get(name), say) for name in pair))


def touched(trail: Trail, version: int, say: Say) -> list[Problem]:
    """What others changed of a record that the import made and that is at `version`; empty: nothing, or nothing but
    another import that has been undone.
    """
    first: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for entry in trail.others:
        for name in filter(_is_field, _fields(entry)):
            first.setdefault(name, _side(entry.before).get(name))
            last[name] = _side(entry.after).get(name)
    changed = [_changed(name, first[name], value, say) for name, value in last.items() if value != first[name]]
    undone = [entry for entry in trail.others if _is_of_an_import(entry)]
    counted = sum("version" in _side(entry.after) for entry in undone)
    by_people = [entry for entry in trail.others if entry not in undone and entry.action not in _TOLD_ELSEWHERE]
    if changed or (not by_people and version == 1 + trail.versions + counted):
        return changed
    return [Problem("", "touched_since")]


def has_records(counts: Mapping[str, int]) -> list[Problem]:
    """One problem for each kind of records that anyone has added."""
    return [
        Problem("", "has_records", parameters={"record": kind, "count": count})
        for kind, count in sorted(counts.items())
    ]


def _changed(name: str, imported: Any, current: Any, say: Say) -> Problem:
    text = say(name, current)
    return Problem(name, "changed_since", text, {"imported": say(name, imported), "current": text})


def _changing(trail: Trail, name: str) -> list[AuditEntry]:
    return [step for step in trail.steps if name in _fields(step)]


def _fields(entry: AuditEntry) -> list[str]:
    return [name for name in {**_side(entry.before), **_side(entry.after)} if name not in ABOUT]


def _is_of_an_import(entry: AuditEntry) -> bool:
    return not {"source_job", "undone_job"}.isdisjoint(_side(entry.after))


def _is_field(name: str) -> bool:
    return name in FIELDS or f"contact.{name}" in FIELDS or name == TAGS or is_custom(name)


def _side(values: Values | None) -> Values:
    return values or {}
