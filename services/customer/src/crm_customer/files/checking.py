"""Whether a file is what its name says, and harmless (F-38). Runs where nothing is at stake: in a process of its own."""

import zipfile
from pathlib import Path

from crm_customer.files.archives import BEGIN, check_archive, check_office
from crm_customer.files.documents import check_ole, check_pdf, check_text
from crm_customer.files.pictures import preview_of
from crm_customer.files.rules import PICTURES, RefusedFile

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_JPEG = b"\xff\xd8\xff"
_SIGNATURES = {
    "pdf": (b"%PDF-",),
    "doc": (_OLE,),
    "xls": (_OLE,),
    "ppt": (_OLE,),
    "jpg": (_JPEG,),
    "jpeg": (_JPEG,),
    "png": (b"\x89PNG\r\n\x1a\n",),
    "gif": (b"GIF87a", b"GIF89a"),
    "zip": (BEGIN,),
    "docx": (BEGIN,),
    "xlsx": (BEGIN,),
    "pptx": (BEGIN,),
}
_SNIFFED = 1024  # programs look for a PDF as far as that


def check(path: Path, extension: str) -> bytes | None:
    """Raise RefusedFile unless the content is what the extension says and nothing besides. Returns a picture's preview."""
    try:
        _check_signature(path, extension)
        if extension in PICTURES:
            return preview_of(path, extension)
        if extension == "pdf":
            check_pdf(path)
        elif extension == "txt":
            check_text(path)
        elif extension == "zip":
            check_archive(path)
        elif extension.endswith("x"):
            check_office(path, extension)
        else:
            check_ole(path, extension)
    except RefusedFile:
        raise
    except Exception as error:  # whatever a parser says of a broken file
        raise RefusedFile("file_unreadable") from error
    return None


def _check_signature(path: Path, extension: str) -> None:
    with path.open("rb") as file:
        head = file.read(_SNIFFED)
    if not head:
        raise RefusedFile("file_empty")
    wanted = _SIGNATURES.get(extension, ())
    if wanted and not head.startswith(wanted):
        if head.startswith(_OLE) and wanted == (BEGIN,):
            check_ole(path, extension)  # an office document with a password is packed so
        raise RefusedFile("file_content_mismatch", extension=extension)
    is_another = extension != "pdf" and b"%PDF-" in head
    if is_another or (wanted != (BEGIN,) and zipfile.is_zipfile(path)):
        raise RefusedFile("file_mixed")
