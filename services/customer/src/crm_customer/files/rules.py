"""Which files are taken, what they are called, and who deletes them. Pure functions."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

MIB = 1024 * 1024
MOST_BYTES = 50 * MIB  # F-36
# Unfinished uploads are given up after this; deleted files can be brought back, and lose their content, after that.
UNFINISHED = timedelta(hours=1)
RESTORABLE = timedelta(days=30)

# The types of F-35, and those that a setting may add, with what browsers are told.
TYPES: Mapping[str, str] = MappingProxyType(
    {
        "pdf": "application/pdf",
        "doc": "application/msword",
        "jpg": "image/jpeg",
        "png": "image/png",
        "gif": "image/gif",
        "txt": "text/plain",
        "xls": "application/vnd.ms-excel",
        "zip": "application/zip",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    }
)
MORE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "jpeg": "image/jpeg",
        "ppt": "application/vnd.ms-powerpoint",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    }
)
# What runs when somebody opens it, on one system or another; Windows overlooks spaces and dots at the end.
_PROGRAM = re.compile(
    r"\.(apk|app|appx|bat|chm|cmd|com|cpl|dll|dmg|exe|gadget|hta|inf|jar|jse?|lnk|ms[cipt]|msix|pif|pkg|ps1|psm1|reg|scf"
    r"|scr|sct|sh|sys|url|vb[es]?|ws[cfh]?)[. ]*$",
    re.IGNORECASE,
)
PICTURES = ("jpg", "jpeg", "png", "gif")
PREVIEW_TYPE = "image/webp"


class RefusedFile(Exception):
    """A file that is not taken. `code` is stable and worded in messages; `parameters` fill the message."""

    def __init__(self, code: str, **parameters: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.parameters = parameters


def extension_of(name: str, more: Collection[str]) -> str:
    """The extension, in lower case, of a file that is taken; `more` are types beside those of F-35.

    Raises RefusedFile file_type_not_supported (F-38, F-39).
    """
    stem, dot, extension = name.rpartition(".")
    extension = extension.lower()
    if not (stem and dot and (extension in TYPES or extension in more)):
        raise RefusedFile("file_type_not_supported", name=name)
    return extension


def types_taken(more: Collection[str]) -> str:
    """The extensions that `extension_of` takes, as a list to read."""
    return ", ".join([*TYPES, *sorted(more)])


def is_program(name: str) -> bool:
    """Whether a file of that name runs when it is opened: no part of a zip either."""
    return _PROGRAM.search(name) is not None


def content_type_of(extension: str) -> str:
    """What browsers are told of a checked file."""
    return TYPES.get(extension) or MORE_TYPES[extension]


@dataclass(frozen=True)
class Asking:
    """Who wants to delete a file: whether they uploaded it, own its customer, or may delete customers that they reach."""

    uploaded_it: bool
    owns_customer: bool
    deletes_customers: bool


def may_delete(asking: Asking) -> bool:
    """Whether the file is theirs to delete, and to bring back."""
    return asking.uploaded_it or asking.owns_customer or asking.deletes_customers


def restorable(deleted_at: datetime, purged_at: datetime | None, now: datetime) -> bool:
    """Whether a deleted file can be brought back."""
    return purged_at is None and now - deleted_at <= RESTORABLE
