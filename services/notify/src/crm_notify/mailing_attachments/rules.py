"""Which files go with mailings. Pure functions."""

import mimetypes
import re
from datetime import timedelta

MOST_FILE_BYTES = 10 * 1024 * 1024
# A request that is under way may still take a file that has just become too old.
MARGIN = timedelta(hours=1)
# What runs when somebody opens it, on one system or another; Windows overlooks spaces and dots at the end.
_PROGRAM = re.compile(
    r"\.(apk|app|appx|bat|chm|cmd|com|cpl|dll|dmg|exe|gadget|hta|html?|inf|iso|jar|jse?|lnk|ms[cipt]|msix|pif|pkg|ps1|psm1"
    r"|reg|scf|scr|sct|sh|svg|sys|url|vb[es]?|vhdx?|ws[cfh]?|xht(ml)?|xll)[. ]*$",
    re.IGNORECASE,
)
# Windows, Linux, macOS, Java and Android classes, scripts, shortcuts, compiled help, installers.
_BEGINNINGS = (
    *(b"MZ", b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
    *(b"\xca\xfe\xba\xbe", b"dex\n", b"#!", b"L\x00\x00\x00\x01\x14\x02\x00", b"ITSF", b"xar!"),
)
FIRST_BYTES = 16


def is_program(name: str, beginning: bytes) -> bool:
    """Whether a file runs when it is opened, by its name or by its first bytes."""
    return _PROGRAM.search(name) is not None or beginning.startswith(_BEGINNINGS)


def content_type_of(name: str) -> str:
    """What the receiver's program is told of a file, by its name."""
    kind, encoding = mimetypes.guess_type(name)
    plain = kind and not encoding and kind.partition("/")[0] in {"application", "audio", "image", "text", "video"}
    return kind if kind and plain else "application/octet-stream"
