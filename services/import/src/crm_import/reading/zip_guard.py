"""What a workbook's zip may hold, checked before anything parses it: bombs, encryption, macros (dependencies F1)."""

import zipfile
import zlib
from pathlib import Path

from crm_import.reading.sniff import RefusedFile

MAX_MEMBERS = 5000
MAX_UNPACKED_BYTES = 600 * 1024 * 1024
MAX_RATIO = 200
_SMALL_BYTES = 1024 * 1024
_PIECE_BYTES = 256 * 1024
_ENCRYPTED = 0x1
_NEEDED = ("[Content_Types].xml", "xl/workbook.xml")


def check_zip(path: Path) -> None:
    """Raise RefusedFile unless the zip is a plain workbook whose content really has a bearable size."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_names(members)
            _check_sizes(members, path.stat().st_size)
            left = MAX_UNPACKED_BYTES
            for member in members:
                left -= _unpacked(archive, member, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
        raise RefusedFile("file_damaged") from error


def _check_names(members: list[zipfile.ZipInfo]) -> None:
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise RefusedFile("file_encrypted")
    names = {member.filename for member in members}
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise RefusedFile("file_has_macros")
    if not names.issuperset(_NEEDED):
        raise RefusedFile("file_not_a_workbook")


def _check_sizes(members: list[zipfile.ZipInfo], packed_bytes: int) -> None:
    declared = sum(member.file_size for member in members)
    ratio = declared / max(packed_bytes, 1)
    too_dense = any(
        member.file_size > _SMALL_BYTES and member.file_size > MAX_RATIO * max(member.compress_size, 1)
        for member in members
    )
    if len(members) > MAX_MEMBERS or declared > MAX_UNPACKED_BYTES or ratio > MAX_RATIO or too_dense:
        raise RefusedFile("file_too_large_unpacked")


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> int:
    """The bytes a member really unpacks to: what it declares may be a lie."""
    size = 0
    with archive.open(member) as content:
        while piece := content.read(_PIECE_BYTES):
            size += len(piece)
            if size > limit or size > member.file_size:
                raise RefusedFile("file_too_large_unpacked")
    return size
