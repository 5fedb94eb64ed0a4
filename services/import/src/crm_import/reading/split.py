"""Cutting a file into chunks of rows, in-file repeats marked. Runs in the child process.

A chunk is JSON lines, one row each: `{"row": 12, "cells": [...], "errors": {"3": "#N/A"}, "beyond": 1, "repeats":
[field, row]}`, the last three left out when empty; `beyond`: filled cells of a CSV row that no column is left for. The same file and settings always give the same chunks, so that splitting again
after a crash changes nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crm_import.mapping.rules import ID, match_key
from crm_import.reading.sniff import RefusedFile
from crm_import.reading.tables import Layout, Row, Table

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Cut:
    """How a file is cut. `first` and `last` column index; `match_columns`: field → column; `mobile`: the one of these
    fields that is compared as a mobile number; `within`: field → column that must be the same, too.
    """

    header_row: int
    first: int
    last: int
    match_columns: Mapping[str, int]
    within: Mapping[str, int]
    mobile: str | None
    required_columns: Sequence[int]
    max_rows: int
    chunk_rows: int
    chunk_bytes: int


@dataclass
class Repeats:
    """Finds rows whose value of any match field stood in an earlier row (X-44), of the id alone where a row has one:
    different records may be called the same. Rows lacking a required value do not count as earlier ones, because they
    will not be imported.
    """

    cut: Cut
    seen: dict[str, dict[str, int]] = field(default_factory=dict)

    def of(self, row: Row) -> tuple[str, int] | None:
        """The field and the earlier row's number, or None for a first occurrence, which is remembered."""
        keys = {
            name: self._within(name, row) + key
            for name, column in self.cut.match_columns.items()
            if (key := match_key(_cell(row, column), is_mobile=name == self.cut.mobile))
        }
        for name, key in {ID: keys[ID]}.items() if ID in keys else keys.items():
            earlier = self.seen.setdefault(name, {}).get(key)
            if earlier is not None:
                return name, earlier
        if all(_cell(row, column) for column in self.cut.required_columns):
            for name, key in keys.items():
                self.seen.setdefault(name, {}).setdefault(key, row.number)
        return None

    def _within(self, name: str, row: Row) -> str:
        column = self.cut.within.get(name)
        return "" if column is None else match_key(_cell(row, column), is_mobile=False) + "\n"


def split(path: Path, layout: Layout, cut: Cut, folder: Path) -> Iterator[dict[str, Any]]:
    """Write chunk files into `folder` and yield `{"chunk": number, "rows": count}` for each as soon as it is whole.

    Raises RefusedFile, too_many_rows among others.
    """
    lines: list[bytes] = []
    size = number = 0
    for total, line in enumerate(_lines(path, layout, cut), 1):
        if total > cut.max_rows:
            raise RefusedFile("too_many_rows", limit=cut.max_rows)
        if lines and (len(lines) == cut.chunk_rows or size + len(line) > cut.chunk_bytes):
            number += 1
            yield _written(folder, number, lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield _written(folder, number + 1, lines)


def chunk_file(folder: Path, number: int) -> Path:
    """Where a chunk is written."""
    return folder / f"{number:06d}.jsonl"


def _written(folder: Path, number: int, lines: list[bytes]) -> dict[str, Any]:
    chunk_file(folder, number).write_bytes(b"".join(lines))
    return {"chunk": number, "rows": len(lines)}


def _lines(path: Path, layout: Layout, cut: Cut) -> Iterator[bytes]:
    repeats = Repeats(cut)
    width = cut.last + 1 - cut.first
    for row in Table(path, layout).rows():
        if row.number <= cut.header_row:
            continue
        cells = row.cells[cut.first : cut.last + 1]
        cells += [""] * (width - len(cells))
        errors = {str(index): text for index, text in row.errors.items() if cut.first <= index <= cut.last}
        if not errors and not any(cells):
            continue
        line: dict[str, Any] = {"row": row.number, "cells": cells}
        if errors:
            line["errors"] = errors
        if layout.format == "csv" and (beyond := sum(map(bool, row.cells[cut.last + 1 :]))):
            line["beyond"] = beyond
        if repeated := repeats.of(row):
            line["repeats"] = repeated
        yield _ENCODE(line).encode() + b"\n"


def _cell(row: Row, index: int) -> str:
    return row.cells[index] if index < len(row.cells) else ""
