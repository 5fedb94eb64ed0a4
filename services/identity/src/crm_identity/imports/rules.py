"""Rows of an import of members: what they say. Pure functions, no clock, no I/O."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crm_identity.members.rules import (
    EMAIL,
    EMAIL_CHARACTERS,
    LOGIN,
    LOGIN_CHARACTERS,
    MOST_ROLES,
    PHONE,
    PHONE_CHARACTERS,
)

FIELDS = ("login", "name", "email", "phone", "department", "roles", "language")
TO_CREATE = ("login", "name", "email", "department")
_CLEARABLE = frozenset({"phone", "roles"})
_MOST = {"login": LOGIN_CHARACTERS, "name": 50, "email": EMAIL_CHARACTERS, "phone": PHONE_CHARACTERS}
_LOOKS = {
    "login": (re.compile(LOGIN), "login_invalid"),
    "email": (re.compile(EMAIL), "email_invalid"),
    "phone": (re.compile(PHONE), "phone_invalid"),
}
_LANGUAGES = {
    **dict.fromkeys(("zh-cn", "zh", "中文", "简体中文", "汉语"), "zh-CN"),
    **dict.fromkeys(("en", "english", "英文", "英语"), "en"),
}
_LANGUAGE_NAMES = {"zh-CN": "中文", "en": "English"}
_BETWEEN_ROLES = re.compile(r"[、,，;；\n\r]+")


@dataclass(frozen=True)
class Chunk:
    """One chunk of an import job as asked for. `update`: mode create-and-update (D-14). `rehearsal`: write nothing.
    `fields`: what the texts of each row are.
    """

    id: UUID
    job_id: UUID
    actor_id: UUID
    update: bool
    clear_empty: bool
    rehearsal: bool = False
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field: a stable code, the text as given and the parameters of the message."""

    field: str
    code: str
    value: str = ""
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """What rows name. `departments`: ids by name and by every end of their paths; `roles`: ids by name."""

    departments: Mapping[tuple[str, ...], Sequence[UUID]]
    roles: Mapping[str, UUID]


@dataclass(frozen=True)
class Row:
    """One row: `values` as columns of a member, of the cells that say something; `empty`: cells that are mapped and empty."""

    number: int
    login: str
    values: Mapping[str, Any]
    empty: frozenset[str]
    problems: Sequence[Problem]

    def lacking(self) -> list[Problem]:
        """What a new member needs and the row does not say. A wrong cell is reported as such, not as empty."""
        wrong = {problem.field for problem in self.problems}
        given = {"department" if name == "department_id" else name for name in self.values}
        return [Problem(name, "missing") for name in TO_CREATE if name not in given | wrong]

    def cleared(self) -> tuple[dict[str, Any], list[Problem]]:
        """What empty cells empty when they are to, and those that cannot be empty."""
        kept = self.empty - _CLEARABLE - {"login", "language"}
        values: dict[str, Any] = {}
        if "phone" in self.empty:
            values["phone"] = None
        if "roles" in self.empty:
            values["role_ids"] = []
        return values, [Problem(name, "missing") for name in FIELDS if name in kept]


def tree_reference(departments: Iterable[tuple[UUID, Sequence[str]]], roles: Mapping[str, UUID]) -> Reference:
    """A reference of departments, each with the names from the root to itself.

    A path that says all from the root, or from below it, means that department alone.
    """
    ends: dict[tuple[str, ...], list[UUID]] = {}
    whole: dict[tuple[str, ...], list[UUID]] = {}
    for id_, path in departments:
        for start in range(len(path)):
            ends.setdefault(tuple(path[start:]), []).append(id_)
        for start in (0, 1):
            if len(path) - start > 1:
                whole[tuple(path[start:])] = [id_]
    return Reference(ends | whole, roles)


def read_row(number: int, texts: Mapping[str, str], reference: Reference) -> Row:
    """A row by the rules of the form, with everything that is wrong with it."""
    given = {name: text.strip() for name, text in texts.items()}
    filled = {name: text for name, text in given.items() if text}
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in FIELDS:
        if name in filled:
            column, value, wrong = _read(name, filled[name], reference)
            problems += wrong
            if not wrong:
                values[column] = value
    if not filled.get("login"):
        problems.insert(0, Problem("login", "missing"))
    return Row(number, filled.get("login", "").lower(), values, frozenset(given) - frozenset(filled), problems)


def _read(name: str, text: str, reference: Reference) -> tuple[str, Any, list[Problem]]:
    """The column a cell fills, its value, and what is wrong with it."""
    if "\0" in text:
        return name, None, [Problem(name, "null_character")]
    if name == "department":
        return "department_id", *_department(text, reference)
    if name == "roles":
        return "role_ids", *_roles(text, reference)
    if name == "language":
        language = _LANGUAGES.get(text.lower())
        return name, language, [] if language else [Problem(name, "language_unknown", text)]
    return name, text.lower() if name == "login" else text, _text_problems(name, text)


def _text_problems(name: str, text: str) -> list[Problem]:
    if len(text) > _MOST[name]:
        return [Problem(name, "string_too_long", text, {"max_length": _MOST[name]})]
    looks, code = _LOOKS.get(name, (None, ""))
    return [Problem(name, code, text)] if looks and not looks.fullmatch(text) else []


def _department(text: str, reference: Reference) -> tuple[UUID | None, list[Problem]]:
    parts = tuple(part.strip() for part in text.split("/") if part.strip())
    found = reference.departments.get((text,)) or reference.departments.get(parts, ())
    if len(found) != 1:
        return None, [Problem("department", "ambiguous_department" if found else "unknown_department", text)]
    return found[0], []


def _roles(text: str, reference: Reference) -> tuple[list[UUID], list[Problem]]:
    names = [text] if text in reference.roles else [name.strip() for name in _BETWEEN_ROLES.split(text)]
    names = list(dict.fromkeys(name for name in names if name))
    problems = [Problem("roles", "unknown_role", name) for name in names if name not in reference.roles]
    if len(names) > MOST_ROLES:
        problems = [Problem("roles", "too_many_roles", text, {"max_items": MOST_ROLES})]
    return [reference.roles[name] for name in names if name in reference.roles], problems


def worded(column: str, value: Any, reference: Reference) -> tuple[str, str]:
    """The field that fills a column of a member, and what a person would type for its value."""
    if column == "department_id":
        paths = ["/".join(path) for path, ids in reference.departments.items() if list(ids) == [value]]
        return "department", max(paths, key=len, default="")
    if column == "role_ids":
        names = {id_: name for name, id_ in reference.roles.items()}
        return "roles", "、".join(names[id_] for id_ in value if id_ in names)
    return column, _LANGUAGE_NAMES.get(value, value) if column == "language" else value or ""
