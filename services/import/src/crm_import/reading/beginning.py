"""The beginning of a long .xlsx sheet, as a workbook of its own: the first look at a file shows no more of it, and to
read all of it takes most of the time of an upload. Runs in the child process.
"""

import io
import re
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from crm_import.reading.workbook_xml import first_sheet, member_of

ROWS = 300
_PIECE_BYTES, _MOST_BYTES = 64 * 1024, 4 * 1024 * 1024
_MOST_COPIED_BYTES = 64 * 1024 * 1024
_LEFT_OUT = ("xl/worksheets/", "xl/media/")
_DATA = re.compile(rb"<((?:\w+:)?)sheetData[\s>]")
_DIMENSION = re.compile(rb"""<(?:\w+:)?dimension\s+ref\s*=\s*["'][A-Z]+[0-9]+:[A-Z]+([0-9]+)["']""")


@dataclass(frozen=True)
class Beginning:
    """A workbook with the first rows of `sheet`, of which the file says that it has `rows`."""

    sheet: str
    rows: int
    workbook: io.BytesIO


def beginning(path: Path, sheet: str | None) -> Beginning | None:
    """The beginning of a sheet, None: the first one shown. None when it is short, or does not say truthfully how long it
    is; what is wrong with a file is for whoever reads all of it to say.
    """
    with suppress(ET.ParseError, KeyError), zipfile.ZipFile(path) as archive:
        name = sheet or first_sheet(archive)
        member = member_of(archive, name) if name else None
        parts = [name for name in archive.namelist() if not name.startswith(_LEFT_OUT)]
        is_small = sum(archive.getinfo(part).file_size for part in parts) <= _MOST_COPIED_BYTES
        found = _first_rows(archive, member) if member and is_small else None
        if name and member and found:
            content, rows = found
            return Beginning(name, rows, _workbook(archive, parts, member, content))
    return None


def _first_rows(archive: zipfile.ZipFile, member: str) -> tuple[bytes, int] | None:
    """The XML of a sheet with its first rows alone, and how many it has."""
    content = b""
    with archive.open(member) as file:
        while content.count(b"row>") < ROWS and len(content) < _MOST_BYTES and (piece := file.read(_PIECE_BYTES)):
            content += piece
    data, dimension = _DATA.search(content), _DIMENSION.search(content)
    if data is None or dimension is None:
        return None
    prefix, rows = data[1], int(dimension[1])
    content, end, _ = content.rpartition(b"</%srow>" % prefix)
    count = content.count(end) + 1
    expected = rows * len(content) / count
    if not end or rows <= count or not expected / 2 <= archive.getinfo(member).file_size <= expected * 2:
        return None
    return content + end + b"</%ssheetData></%sworksheet>" % (prefix, prefix), rows


def _workbook(archive: zipfile.ZipFile, parts: list[str], member: str, content: bytes) -> io.BytesIO:
    """The workbook of these parts, with that content of its sheet."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as copy:
        copy.writestr(member, content)
        for name in parts:
            copy.writestr(name, archive.read(name))
    made.seek(0)
    return made
