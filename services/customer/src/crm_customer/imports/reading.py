"""Reading rows of an import, by column: what a cell means depends on its field and text alone, and few rules look at a row.
Pure functions.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crm_customer.contacts.rules import filled_rows
from crm_customer.customers.rules import (
    Problem,
    Reference,
    all_offered,
    checked_columns,
    part_columns,
    refuse_inactive,
    refuse_postcodes,
    refuse_remark_alone,
    require_filled,
)
from crm_customer.imports.rules import DELETED, ID, NAME, OWNER, OWNER_ID, SIMILAR, TAGS, Key, Likely, Row
from crm_customer.search.rules import all_normalised

_NOT_DELETED = frozenset({"", "0", "否", "no", "false"})


@dataclass(frozen=True)
class Cells:
    """Rows that have the same fields: their numbers, and the texts of each field in their order."""

    numbers: Sequence[int]
    columns: Mapping[str, Sequence[str]]


def read_rows(cells: Cells, match_fields: Sequence[str], reference: Reference) -> list[Row]:
    """Rows by the rules of the form (D-29)."""
    values, problems = checked_columns(cells.columns, len(cells.numbers), reference)
    keys = _keys(cells, match_fields, values, problems)
    rows = [*map(Row, cells.numbers, values, problems, keys)]
    for name, setting in _BESIDES.items():
        if name in cells.columns:
            for row, text in zip(rows, cells.columns[name], strict=True):
                setting(row, text)
    _judge_births(rows, cells.columns.keys(), reference)
    return rows


def _keys(
    cells: Cells, match_fields: Sequence[str], values: Sequence[Mapping[str, Any]], problems: Sequence[list[Problem]]
) -> list[list[Key]]:
    """By what each row is matched."""
    texts = [_key_texts(name, cells, values, problems) for name in match_fields]
    if not texts:
        return [[] for _ in values]
    return [[key for key in zip(match_fields, own, strict=True) if key[1]] for own in zip(*texts, strict=True)]


def _key_texts(
    name: str, cells: Cells, values: Sequence[Mapping[str, Any]], problems: Sequence[list[Problem]]
) -> list[str]:
    if name == ID:
        texts = cells.columns.get(ID) or [""] * len(values)
        return [_id(text.strip(), wrong) for text, wrong in zip(texts, problems, strict=True)]
    if name == SIMILAR:
        return [str(Likely.of(row.get(NAME) or "", row.get("city") or "") or "") for row in values]
    given = [row.get(name) or "" for row in values]
    return all_normalised(given) if name == NAME else given


def _id(text: str, problems: list[Problem]) -> str:
    try:
        return str(UUID(text)) if text else ""
    except ValueError:
        problems.append(Problem(ID, "uuid_parsing", text))
        return ""


def _refuse_deleted(row: Row, text: str) -> None:
    if text.strip().lower() not in _NOT_DELETED:
        row.problems.append(Problem(DELETED, "deleted_refused", text))


def _owned(row: Row, text: str) -> None:
    row.owner = text.strip()


def _owned_by_id(row: Row, text: str) -> None:
    row.owner_ref = text.strip()


def _tagged(row: Row, text: str) -> None:
    row.tags = text


_BESIDES = {DELETED: _refuse_deleted, OWNER: _owned, OWNER_ID: _owned_by_id, TAGS: _tagged}


def _judge_births(rows: Sequence[Row], fields: Collection[str], reference: Reference) -> None:
    """What is wrong with rows where they create; of those that are wrong anyway nobody asks."""
    for row in rows:
        if not all(map(row.values.get, reference.required)):
            require_filled(row.values, reference, row.unborn, creating=True)
    if not all_offered(fields, reference):
        for row in rows:
            refuse_inactive(row.values, {}, reference, row.unborn)
    if "contact.remark" in fields:
        contacts = part_columns("contact", [row.values for row in rows])
        for row, filled in zip(rows, filled_rows(contacts, len(rows)), strict=True):
            if not filled and row.values.get("contact.remark"):
                refuse_remark_alone(row.parts.contact, row.unborn)
    if any(name.endswith("_postcode") for name in fields):
        for row in rows:
            refuse_postcodes(row.parts.profile, row.parts.profile, row.unborn)
