"""What a file is, judged by its first bytes and never by its name alone: format, encoding, delimiter, quotes."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

FORMATS = ("xlsx", "xls", "csv")
HEAD_BYTES = 64 * 1024
DELIMITERS = ",;\t|"
QUOTES = ('"', "'", NO_QUOTE := "none")
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_VBA_PROJECT = "_VBA_PROJECT".encode("utf-16-le")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_MACRO_EXTENSIONS = (".xlsm", ".xltm", ".xlam")


class RefusedFile(Exception):
    """A file that is not read. `code` is stable and worded in messages; `parameters` fill the message."""

    def __init__(self, code: str, **parameters: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.parameters = parameters


def file_format(file_name: str, path: Path) -> str:
    """`xlsx`, `xls` or `csv`. Raises RefusedFile when the kind is not read or the content is not what the name says."""
    extension = Path(file_name).suffix.lower()
    if extension in _MACRO_EXTENSIONS:
        raise RefusedFile("file_has_macros")
    if extension.removeprefix(".") not in FORMATS:
        raise RefusedFile("file_type_not_supported")
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise RefusedFile("file_empty")
    if head.startswith(_OLE):
        _check_ole(path, extension)
        return "xls"
    if head.startswith(b"PK"):
        if extension != ".xlsx" or not head.startswith(_ZIP):
            raise RefusedFile("file_content_mismatch", extension=extension)
        return "xlsx"
    if extension != ".csv":
        raise RefusedFile("file_content_mismatch", extension=extension)
    return "csv"


def _check_ole(path: Path, extension: str) -> None:
    content = path.read_bytes()
    if _ENCRYPTED_PACKAGE in content:
        raise RefusedFile("file_encrypted")
    if extension != ".xls":
        raise RefusedFile("file_content_mismatch", extension=extension)
    if _VBA_PROJECT in content:
        raise RefusedFile("file_has_macros")


def text_encoding(path: Path) -> str:
    """The encoding of a text file. Raises RefusedFile file_encoding_unknown.

    Byte order mark first, then UTF-8 over the whole file because it hardly ever fits by chance, then UTF-16 by its
    zero bytes, then a guess between the Chinese encodings.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        return _utf16(head)
    if _decodes(path, "utf-8"):
        return "utf-8"
    from charset_normalizer import from_bytes  # few files come here, and every file starts a process of its own

    sample = head[: head.rfind(b"\n") + 1] or head
    guess = from_bytes(sample, cp_isolation=["gb18030", "big5"]).best()
    for encoding in (*([guess.encoding] if guess else []), "gb18030", "big5"):
        if _decodes(path, encoding):
            return encoding
    raise RefusedFile("file_encoding_unknown")


def _utf16(head: bytes) -> str:
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros.count(0) * 20 > len(zeros) and not _binary(head[: len(head) & ~1].decode(encoding, "replace")):
            return encoding
    raise RefusedFile("file_content_mismatch", extension=".csv")


def _binary(text: str) -> bool:
    return "\0" in text or text.count("\ufffd") > len(text) // 100


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while piece := file.read(1024 * 1024):
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def delimiter_of(path: Path, encoding: str) -> str:
    """The delimiter that cuts the first lines into the most columns, evenly; a comma when none does."""
    from statistics import median

    with path.open("r", encoding=encoding, errors="replace", newline="") as file:
        sample = file.read(HEAD_BYTES)

    def columns(delimiter: str) -> tuple[float, int]:
        counts = [len(row) for row in _first_rows(sample, delimiter)]
        typical = median(counts or [0])
        return (typical if typical > 1 else 0, sum(count == typical for count in counts))

    return max(DELIMITERS, key=columns)


def quote_of(path: Path, encoding: str, delimiter: str) -> str:
    """What stands around values: ', where it does so and " does not; nothing, where a lone " is part of a value."""
    with path.open("r", encoding=encoding, errors="replace", newline="") as file:
        sample = file.read(HEAD_BYTES)
    between = re.escape(delimiter)
    if '"' not in sample:
        enclosed = re.findall(rf"(?:^|{between})'[^'{between}\n]*'(?={between}|\r?$)", sample, re.MULTILINE)
        return "'" if len(enclosed) > 1 else '"'
    opened = re.findall(rf'(?:^|{between})"', sample, re.MULTILINE)
    closed = re.findall(rf'"(?:{between}|\r?$)', sample, re.MULTILINE)
    return '"' if closed or not opened else NO_QUOTE


def _first_rows(sample: str, delimiter: str) -> Iterator[list[str]]:
    try:
        for number, row in enumerate(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)):
            if number == 20:
                return
            if row:
                yield row
    except csv.Error:
        return
