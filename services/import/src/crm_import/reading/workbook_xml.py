"""What calamine does not tell of a workbook: error cells (#N/A and the like), which it reads as empty and so would
lose silently, from when days are counted, and how columns look.

Runs in the child process alone: its limits hold for whatever the XML expands to (S314).
"""

import posixpath
import re
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_MARK = re.compile(rb"""\bt\s*=\s*["']e["']""")
_REFERENCE = re.compile(r"^([A-Z]{1,3})([0-9]+)$")
_PIECE_BYTES = 1024 * 1024
_WIDEST, _LONGEST_FORMAT, _MOST_COLUMNS = 255, 255, 1000


def error_cells(file: Path | IO[bytes], sheet: str) -> dict[int, dict[int, str]]:
    """Row number (from 1) → column index (from 0) → error text, of an .xlsx sheet. Empty for most files."""
    with zipfile.ZipFile(file) as archive:
        member = member_of(archive, sheet)
        if member is None:
            return {}
        with archive.open(member) as content:
            if not _has_error(content):
                return {}
        found: dict[int, dict[int, str]] = {}
        with archive.open(member) as content:
            for row, column, text in _errors(content):
                found.setdefault(row, {})[column] = text
        return found


def looks(file: Path | IO[bytes], sheet: str, rows: Collection[int]) -> dict[int, dict[str, Any]]:
    """Column index (from 0) → its `width` in characters and the `number_format` of its first filled cell in `rows`, what
    there is of them, of an .xlsx sheet.
    """
    found: dict[int, dict[str, Any]] = {}
    # Whatever is wrong with how a file looks, it can be read.
    with zipfile.ZipFile(file) as archive, suppress(ValueError, ET.ParseError):
        member = member_of(archive, sheet)
        if member is None:
            return {}
        formats = _formats(archive)
        with archive.open(member) as content:
            for event, node in ET.iterparse(content, ("start", "end")):  # noqa: S314
                if event == "start":
                    if node.tag == f"{_MAIN}row" and int(node.get("r") or 0) > max(rows):
                        break
                elif node.tag == f"{_MAIN}col":
                    _keep_width(node, found)
                elif node.tag == f"{_MAIN}row":
                    if int(node.get("r") or 0) in rows:
                        _keep_formats(node, formats, found)
                    node.clear()
    return found


def _keep_width(node: ET.Element, found: dict[int, dict[str, Any]]) -> None:
    width = float(node.get("width") or 0)
    first, last = int(node.get("min") or 1), int(node.get("max") or 1)
    if 0 < width <= _WIDEST and node.get("hidden") not in ("1", "true"):
        for index in range(max(first - 1, 0), min(last, _MOST_COLUMNS)):
            found.setdefault(index, {})["width"] = width


def _keep_formats(row: ET.Element, formats: Sequence[str | int], found: dict[int, dict[str, Any]]) -> None:
    for cell in row:
        reference, style = _REFERENCE.match(cell.get("r", "")), int(cell.get("s") or 0)
        if reference and cell.find(f"{_MAIN}v") is not None and 0 < style < len(formats):
            found.setdefault(_column(reference[1]), {}).setdefault("number_format", formats[style])


def _formats(archive: zipfile.ZipFile) -> list[str | int]:
    """The number format of each style of cells: its code, or the number of one that every spreadsheet knows."""
    if "xl/styles.xml" not in archive.namelist():
        return []
    styles = ET.fromstring(archive.read("xl/styles.xml"))  # noqa: S314
    own = {node.get("numFmtId"): node.get("formatCode", "")[:_LONGEST_FORMAT] for node in styles.iter(f"{_MAIN}numFmt")}
    cells = styles.find(f"{_MAIN}cellXfs")
    numbers = [node.get("numFmtId", "0") for node in cells] if cells is not None else []
    return [own.get(number) or int(number) for number in numbers]


def counts_from_1904(file: Path | IO[bytes]) -> bool:
    """Whether numbers of days in an .xlsx workbook count from 1904, as those of old Macs do."""
    with zipfile.ZipFile(file) as archive:
        workbook = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    terms = workbook.find(f"{_MAIN}workbookPr")
    return terms is not None and terms.get("date1904") in ("1", "true")


def first_sheet(archive: zipfile.ZipFile) -> str | None:
    """The name of the first sheet that is not hidden."""
    workbook = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    return next(
        (node.get("name") for node in workbook.iter(f"{_MAIN}sheet") if node.get("state", "visible") == "visible"), None
    )


def member_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Where in the archive a sheet is, by its name."""
    workbook = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    relation = next((node.get(_RELATION) for node in workbook.iter(f"{_MAIN}sheet") if node.get("name") == sheet), None)
    if relation is None or "xl/_rels/workbook.xml.rels" not in archive.namelist():
        return None
    relations = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    target = next((node.get("Target", "") for node in relations if node.get("Id") == relation), "")
    member = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
    return member if member in archive.namelist() else None


def _has_error(content: IO[bytes]) -> bool:
    tail = b""
    while piece := content.read(_PIECE_BYTES):
        seen = tail + piece
        if (b'"e"' in seen or b"'e'" in seen) and _MARK.search(seen):
            return True
        tail = piece[-32:]
    return False


def _errors(content: IO[bytes]) -> Iterator[tuple[int, int, str]]:
    for _, node in ET.iterparse(content):  # noqa: S314
        if node.tag == f"{_MAIN}row":
            node.clear()
        elif node.tag == f"{_MAIN}c" and node.get("t") == "e":
            reference = _REFERENCE.match(node.get("r", ""))
            if reference:
                yield int(reference[2]), _column(reference[1]), node.findtext(f"{_MAIN}v") or "#ERROR"


def column_letters(index: int) -> str:
    """How a spreadsheet calls the column `index` (from 0): A, B, … Z, AA."""
    rest, place = divmod(index, 26)
    return (column_letters(rest - 1) if rest else "") + chr(ord("A") + place)


def _column(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1
