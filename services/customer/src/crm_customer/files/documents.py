"""PDF, the office formats before 2007, and plain text: that they are this, and that nothing in them acts by itself."""

import codecs
import re
import struct
import zlib
from pathlib import Path

import olefile

from crm_customer.files.rules import MIB, RefusedFile

_PIECE_CHARACTERS = 1_000_000
_PDF_TAIL = 1024
_PDF_SNIFFED = 1024
# Objects lie in streams that begin with numbers, as few others do; of these as much is looked at, and as much of all.
_STREAM_BYTES = 4 * MIB
_STREAMS_BYTES = 256 * MIB
_BEGINNING_BYTES = 1024
_OBJECTS_BEGIN = re.compile(rb"\s*(?:%|\d+\s)")
_DICTIONARY_BYTES = 4096
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_ESCAPED = re.compile(rb"#([0-9a-fA-F]{2})")
_PAGE = re.compile(rb"<(?:script|iframe|html|\?php|!doctype|svg|body|head)", re.IGNORECASE)
_TEXT_PAGE = re.compile(r"<(?:script|iframe|html|\?php|\?xml|!doctype|svg|body|head)", re.IGNORECASE)
_TEXT_SCRIPT = re.compile(r"<script|<\?php", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufffe\uffff]")
_MAIN_STREAMS = {"doc": {"worddocument"}, "xls": {"workbook", "book"}, "ppt": {"powerpoint document"}}
_MACRO_FOLDERS = {"macros", "_vba_project_cur", "_vba_project", "vba"}
_PPT_MACROS = re.compile(rb"\x02\x00\x00\x04\x0c\x00\x00\x00.{4}\x01", re.DOTALL)
_SHEET, _MACRO_SHEET, _END_OF_SUBSTREAM = 0x85, 1, 0x0A


def _pdf_name(word: bytes) -> bytes:
    """A pattern of a name, any character of which may be written as #xx."""
    return b"/" + b"".join(b"(?:%c|#(?i:%02x))" % (char, char) for char in word) + rb"(?![A-Za-z0-9])"


_PDF_ACTS = re.compile(_pdf_name(b"JavaScript") + b"|" + _pdf_name(b"Launch"))
_PDF_ENCRYPTED = re.compile(_pdf_name(b"Encrypt"))
_PDF_OBJECTS = re.compile(rb"/ObjStm(?![A-Za-z0-9])")


def check_pdf(path: Path) -> None:
    """Raise RefusedFile unless it is a whole PDF and nothing else, without password, scripts and programs to start."""
    content = path.read_bytes()
    end = content.rfind(b"%%EOF")
    if end < max(0, len(content) - _PDF_TAIL):
        raise RefusedFile("file_unreadable")
    if content[end + 5 :].strip(b"\0\t\n\f\r ") or _PAGE.search(content, 0, _PDF_SNIFFED):
        raise RefusedFile("file_mixed")
    if _PDF_ENCRYPTED.search(content):
        raise RefusedFile("file_encrypted")
    if _PDF_ACTS.search(content) or _acts_compressed(content):
        raise RefusedFile("file_active")


def _acts_compressed(content: bytes) -> bool:
    """Whether an action stands in a compressed stream. Where the streams are is asked of the bytes, not of the document:
    what it does not mention is looked at, too.
    """
    left = _STREAMS_BYTES
    for found in _STREAM.finditer(content):
        unpacked, is_whole = _inflated(content, found.end())
        left -= len(unpacked)
        if left < 0:
            raise RefusedFile("archive_too_large")
        if _PDF_ACTS.search(unpacked):
            return True
        dictionary = content[max(0, found.start() - _DICTIONARY_BYTES) : found.start()]
        dictionary = dictionary[dictionary.rfind(b" obj") + 1 :]
        dictionary = _ESCAPED.sub(lambda escaped: bytes([int(escaped[1], 16)]), dictionary)
        if _PDF_OBJECTS.search(dictionary) and b"/Filter" in dictionary and not is_whole:
            raise RefusedFile("file_unreadable")
    return False


def _inflated(content: bytes, at: int) -> tuple[bytes, bool]:
    """A stream that may hold objects, unpacked, and whether that is all of it; nothing for other compressions."""
    end = content.find(b"endstream", at, at + _STREAM_BYTES)
    packed = content[at : end if end >= 0 else at + _STREAM_BYTES]
    inflating = zlib.decompressobj()
    try:
        beginning = zlib.decompressobj().decompress(packed[:_BEGINNING_BYTES], _BEGINNING_BYTES)
        if not _OBJECTS_BEGIN.match(beginning):
            return b"", False
        unpacked = inflating.decompress(packed, _STREAM_BYTES)
    except zlib.error:
        return b"", False
    return unpacked, inflating.eof


def check_ole(path: Path, extension: str) -> None:
    """Raise RefusedFile unless it is a doc, xls or ppt, without password and macros."""
    with olefile.OleFileIO(path) as document:
        parts = {part.lower() for entry in document.listdir(streams=True, storages=True) for part in entry}
        if "encryptedpackage" in parts:
            raise RefusedFile("file_encrypted")
        main = next(iter(parts & _MAIN_STREAMS.get(extension, set())), None)
        if main is None:
            raise RefusedFile("file_content_mismatch", extension=extension)
        content = document.openstream(main).read()
    if parts & _MACRO_FOLDERS:
        raise RefusedFile("file_has_macros")
    if (extension == "xls" and _has_macro_sheet(content)) or (extension == "ppt" and _PPT_MACROS.search(content)):
        raise RefusedFile("file_has_macros")


def _has_macro_sheet(workbook: bytes) -> bool:
    """Whether one of the sheets holds macros as Excel 4 had them."""
    at = 0
    while at + 4 <= len(workbook):
        kind, length = struct.unpack_from("<HH", workbook, at)
        if kind == _SHEET and length >= 6 and workbook[at + 9] == _MACRO_SHEET:
            return True
        if kind == _END_OF_SUBSTREAM:
            return False
        at += 4 + length
    return False


def check_text(path: Path) -> None:
    """Raise RefusedFile unless it is text, in UTF-8, UTF-16 with its mark, or GB18030, and no page with scripts."""
    with path.open("rb") as file:
        mark = file.read(2)
    encodings = ("utf-16",) if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            _check_characters(path, encoding)
        except UnicodeDecodeError:
            continue
        return
    raise RefusedFile("file_content_mismatch", extension="txt")


def _check_characters(path: Path, encoding: str) -> None:
    before = ""
    is_first = True
    with path.open(encoding=encoding, newline="") as file:
        while piece := file.read(_PIECE_CHARACTERS):
            if _CONTROLS.search(piece):
                raise RefusedFile("file_content_mismatch", extension="txt")
            is_page = is_first and (_TEXT_PAGE.search(piece[:_PDF_SNIFFED]) or piece.startswith("#!"))
            if is_page or _TEXT_SCRIPT.search(before + piece):
                raise RefusedFile("file_active")
            before, is_first = piece[-10:], False
