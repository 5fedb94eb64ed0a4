"""Zips, and office documents that are zips: what they may hold, found out without writing any of it down."""

import io
import struct
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from crm_customer.files.rules import MIB, RefusedFile, is_program

BEGIN = b"PK\x03\x04"
MAX_MEMBERS = 5000
MAX_UNPACKED_BYTES = 600 * MIB
MAX_INNER_BYTES = 100 * MIB  # of an archive inside an archive, which is held in memory
MAX_DIRECTORY_BYTES = 4 * MIB
MAX_DEPTH = 3
MAX_RATIO = 200
_PIECE_BYTES = 256 * 1024
_END = b"PK\x05\x06"
_END_BYTES = 22
_TAIL_BYTES = _END_BYTES + 65_535
_HEADER_BYTES = 30
_DESCRIPTOR_BYTES = 24
_ENCRYPTED = 0x1
_LINK = 0xA
_LONGEST_NAME = 100
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_MAIN_PARTS = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml", "pptx": "ppt/presentation.xml"}
_MACRO_PARTS = ("vbaproject.bin", "vbadata.xml")


@dataclass
class _Budget:
    """What an archive may still unpack to, those inside it included."""

    members: int = MAX_MEMBERS
    unpacked: int = MAX_UNPACKED_BYTES


def check_archive(path: Path) -> None:
    """Raise RefusedFile unless the zip is nothing but a zip, names its members harmlessly, holds no programs and unpacks to a bearable size."""
    with path.open("rb") as file:
        _look_into(file, _Budget(), 1)


def check_office(path: Path, extension: str) -> None:
    """The same of a docx, xlsx or pptx, which must be that, without macros."""
    check_archive(path)
    with zipfile.ZipFile(path) as archive:
        names = {name.lower() for name in archive.namelist()}
        if "[content_types].xml" not in names or _MAIN_PARTS[extension] not in names:
            raise RefusedFile("file_content_mismatch", extension=extension)
        types = archive.read("[Content_Types].xml").lower()
    folders = any("/macrosheets/" in name for name in names)
    if folders or b"macroenabled" in types or any(name.endswith(_MACRO_PARTS) for name in names):
        raise RefusedFile("file_has_macros")


def _look_into(file: IO[bytes], budget: _Budget, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise RefusedFile("archive_too_large")
    _check_ends(file)
    with zipfile.ZipFile(file) as archive:
        members = sorted(archive.infolist(), key=lambda member: member.header_offset)
        budget.members -= len(members)
        if budget.members < 0:
            raise RefusedFile("archive_too_large")
        for member in members:
            _check_member(member)
        _check_layout(file, members, archive.start_dir)
        for member in members:
            _unpack(archive, member, budget, depth)


def _check_ends(file: IO[bytes]) -> None:
    """Nothing before the first member and nothing behind the end; and a directory that may be read at all."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_BYTES:
        raise RefusedFile("file_unreadable")
    members, directory, start, comment = struct.unpack("<HLLH", tail[end + 10 : end + _END_BYTES])
    if members > MAX_MEMBERS or directory > MAX_DIRECTORY_BYTES:
        raise RefusedFile("archive_too_large")
    if comment or len(tail) - end != _END_BYTES or start + directory + _END_BYTES != size:
        raise RefusedFile("file_mixed")


def _check_member(member: zipfile.ZipInfo) -> None:
    # `orig_filename` is what was written; zipfile cuts it at a null character.
    name = member.orig_filename.replace("\\", "/")
    if name.startswith("/") or ":" in name or ".." in name.split("/") or any(char < " " for char in name):
        raise RefusedFile("archive_unsafe_name")
    if member.external_attr >> 28 == _LINK:
        raise RefusedFile("archive_unsafe_name")
    if is_program(name):
        raise RefusedFile("file_type_not_supported", name=name.rpartition("/")[2][-_LONGEST_NAME:])
    if member.flag_bits & _ENCRYPTED:
        raise RefusedFile("file_encrypted")
    if member.compress_type not in _METHODS:
        raise RefusedFile("file_unreadable")
    if member.file_size > MIB and member.file_size > MAX_RATIO * max(member.compress_size, 1):
        raise RefusedFile("archive_too_large")


def _check_layout(file: IO[bytes], members: Sequence[zipfile.ZipInfo], directory: int) -> None:
    """Members lie one behind the other: those that share bytes are a bomb, and gaps hide something else."""
    at = 0
    for member in members:
        if not 0 <= member.header_offset - at <= (_DESCRIPTOR_BYTES if at else 0):
            raise RefusedFile("archive_too_large" if member.header_offset < at else "file_mixed")
        file.seek(member.header_offset)
        name, extra = struct.unpack("<26xHH", file.read(_HEADER_BYTES))
        at = member.header_offset + _HEADER_BYTES + name + extra + member.compress_size
    if not 0 <= directory - at <= _DESCRIPTOR_BYTES:
        raise RefusedFile("file_mixed")


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _Budget, depth: int) -> None:
    """Unpack a member, keeping nothing of it; but an archive is looked into as well."""
    inner = io.BytesIO()
    is_archive: bool | None = None
    for piece in _pieces(archive, member, budget):
        if is_archive is None:
            is_archive = piece.startswith(BEGIN)
        if is_archive:
            inner.write(piece)
            if inner.tell() > MAX_INNER_BYTES:
                raise RefusedFile("archive_too_large")
    if is_archive:
        _look_into(inner, budget, depth + 1)


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _Budget) -> Iterator[bytes]:
    with archive.open(member) as content:
        while piece := content.read(_PIECE_BYTES):
            budget.unpacked -= len(piece)
            if budget.unpacked < 0:
                raise RefusedFile("archive_too_large")
            yield piece
