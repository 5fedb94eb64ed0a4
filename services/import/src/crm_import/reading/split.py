"""Cutting a file into chunks of rows, in-file repeats marked. Runs in the child process.

A chunk has its rows by column (decision 0037): JSON, `{"numbers": [12, …], "odd": {"12": {"errors": {"3": "#N/A"}, "beyond": 1,
"repeats": [field, row]}}}`, then the cells of each column; between them stand characters that no clean text holds. `odd` has
the rows of which one of these is to be said; `beyond`: filled cells of a CSV row that no column is left for. The same file
and settings always give the same chunks, so that splitting again after a crash changes nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, dropwhile, islice, zip_longest
from pathlib import Path
from typing import Any

from crm_import.mapping.rules import ID, match_keys
from crm_import.reading.cells import BETWEEN_CELLS, BETWEEN_COLUMNS, clean, texts_of
from crm_import.reading.sniff import RefusedFile
from crm_import.reading.tables import Layout, Table, Values

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


@dataclass(frozen=True)
class Piece:
    """Rows by column, from column `first` on; `odd` as in a chunk, by row number."""

    first: int
    numbers: Sequence[int]
    columns: Sequence[Sequence[str]]
    odd: dict[int, dict[str, Any]]

    def column(self, index: int) -> Sequence[str]:
        """The texts of the column `index`."""
        at = index - self.first
        return self.columns[at] if 0 <= at < len(self.columns) else [""] * len(self.numbers)

    def only(self, chosen: Sequence[bool]) -> "Piece":
        """Those of its rows that are chosen."""
        numbers = list(compress(self.numbers, chosen))
        kept = set(numbers)
        odd = {number: said for number, said in self.odd.items() if number in kept}
        return Piece(self.first, numbers, [list(compress(column, chosen)) for column in self.columns], odd)


@dataclass
class Repeats:
    """Finds rows whose value of any match field stood in an earlier row (X-44), of the id alone where a row has one:
    different records may be called the same. Rows lacking a required value do not count as earlier ones, because they
    will not be imported.
    """

    cut: Cut
    seen: dict[str, dict[str, int]] = field(default_factory=dict)

    def of(self, piece: Piece) -> dict[int, tuple[str, int]]:
        """By row number the field and the earlier row's number of those that repeat one; the others are remembered."""
        keys = {name: self._keys(name, piece) for name in self.cut.match_columns}
        seen = {name: self.seen.setdefault(name, {}) for name in keys}
        required = [piece.column(column) for column in self.cut.required_columns]
        are_complete = [all(cells) for cells in zip(*required, strict=True)] or [True] * len(piece.numbers)
        repeats = {}
        for number, is_complete, *own in zip(piece.numbers, are_complete, *keys.values(), strict=True):
            filled = {name: key for name, key in zip(keys, own, strict=True) if key}
            for name, key in {ID: filled[ID]}.items() if ID in filled else filled.items():
                if key in seen[name]:
                    repeats[number] = (name, seen[name][key])
                    break
            else:
                for name, key in filled.items() if is_complete else ():
                    seen[name].setdefault(key, number)
        return repeats

    def _keys(self, name: str, piece: Piece) -> list[str]:
        keys = match_keys(piece.column(self.cut.match_columns[name]), is_mobile=name == self.cut.mobile)
        if name not in self.cut.within:
            return keys
        within = match_keys(piece.column(self.cut.within[name]), is_mobile=False)
        return [key and f"{other}\n{key}" for other, key in zip(within, keys, strict=True)]


def split(path: Path, layout: Layout, cut: Cut, folder: Path) -> Iterator[dict[str, Any]]:
    """Write chunk files into `folder` and yield `{"chunk": number, "rows": count}` for each as soon as it is whole.

    Raises RefusedFile, too_many_rows among others.
    """
    total = number = 0
    for piece in _pieces(path, layout, cut):
        total += len(piece.numbers)
        if total > cut.max_rows:
            raise RefusedFile("too_many_rows", limit=cut.max_rows)
        for rows, content in _contents(piece, cut.chunk_bytes):
            number += 1
            chunk_file(folder, number).write_bytes(content)
            yield {"chunk": number, "rows": rows}


def chunk_file(folder: Path, number: int) -> Path:
    """Where a chunk is written."""
    return folder / f"{number:06d}"


def _contents(piece: Piece, most_bytes: int) -> Iterator[tuple[int, bytes]]:
    """How many rows, and the content of their chunk; of too many bytes in halves."""
    count = len(piece.numbers)
    columns = map(BETWEEN_CELLS.join, piece.columns)
    content = BETWEEN_COLUMNS.join([_ENCODE({"numbers": piece.numbers, "odd": piece.odd}), *columns]).encode()
    if count <= 1 or len(content) <= most_bytes:
        yield count, content
        return
    is_first = [at < count // 2 for at in range(count)]
    yield from _contents(piece.only(is_first), most_bytes)
    yield from _contents(piece.only([not first for first in is_first]), most_bytes)


def _pieces(path: Path, layout: Layout, cut: Cut) -> Iterator[Piece]:
    """The rows that are not blank, those of each `chunk_rows` rows of the file together."""
    table, repeats = Table(path, layout), Repeats(cut)
    rows = dropwhile(lambda row: row[0] <= cut.header_row, table.values())
    while taken := list(islice(rows, cut.chunk_rows)):
        piece = _filled(_piece(table, taken, cut))
        for number, repeated in repeats.of(piece).items():
            piece.odd.setdefault(number, {})["repeats"] = repeated
        if piece.numbers:
            yield piece


def _piece(table: Table, rows: Iterable[Values], cut: Cut) -> Piece:
    numbers, values = zip(*rows, strict=True)
    columns = [
        texts_of(column) for column in zip_longest(*(row[cut.first : cut.last + 1] for row in values), fillvalue="")
    ]
    empty = [[""] * len(numbers) for _ in range(cut.last + 1 - cut.first - len(columns))]
    odd: dict[int, dict[str, Any]] = {}
    for number in sorted(table.errors.keys() & numbers):
        errors = table.errors[number]
        if within := {str(index): text for index, text in errors.items() if cut.first <= index <= cut.last}:
            odd[number] = {"errors": within}
    if table.layout.format == "csv":
        for number, row in zip(numbers, values, strict=True):
            if beyond := sum(bool(clean(str(cell))) for cell in row[cut.last + 1 :]):
                odd.setdefault(number, {})["beyond"] = beyond
    return Piece(cut.first, numbers, [*columns, *empty], odd)


def _filled(piece: Piece) -> Piece:
    """Without blank rows."""
    if any(map(all, piece.columns)):  # one column is filled in every row
        return piece
    has_error = {number for number, said in piece.odd.items() if "errors" in said}
    cells = zip(*piece.columns, strict=True)
    return piece.only([any(row) or number in has_error for number, row in zip(piece.numbers, cells, strict=True)])
