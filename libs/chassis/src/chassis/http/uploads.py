"""Receiving one file of a form, straight into a temporary file and never beyond a bound."""

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

import flask
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from chassis.errors import FieldError, Malformed, TooLarge, UnsupportedMedia, invalid

MULTIPART = "multipart/form-data"
# What a form may weigh beside its file: boundaries, headers, other fields.
FORM_BYTES = 1024 * 1024
# Of text fields, and of what the parser looks at for the next boundary.
_FIELD_BYTES = 500_000
_MOST_PARTS = 10
_NAME_LENGTH = 200
# Controls, halves of surrogate pairs, and characters that turn the direction of writing: "gpj.exe" must not look like "exe.jpg".
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True)
class Upload:
    """A file that has come whole: where it lies for now, its name without folders, size in bytes, SHA-256."""

    path: Path
    name: str
    size: int
    sha256: bytes

    @property
    def digest(self) -> bytes:
        """Tells this upload from any other, its name included: the `content` of `Call.command`."""
        return hashlib.sha256(self.name.encode() + b"\0" + self.sha256).digest()


class _Received:
    """What the parser writes a part into: it counts and hashes. Raises TooLarge as soon as the bound is passed."""

    def __init__(self, file: IO[bytes], most: int, code: str) -> None:
        self.file, self.most, self.code = file, most, code
        self.size, self.hash = 0, hashlib.sha256()

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self.most:
            raise too_large(self.code, self.most)
        self.hash.update(piece)
        self.file.write(piece)

    def seek(self, position: int) -> None:
        self.file.seek(position)


def too_large(code: str, most: int) -> TooLarge:
    """The refusal of a file of more than `most` bytes, in the words of `code`."""
    mebibytes = most // (1024 * 1024)
    return TooLarge(code, errors=[FieldError("/file", code, {"mebibytes": mebibytes})], mebibytes=mebibytes)


@contextmanager
def uploaded_file(most: int, too_large_code: str) -> Iterator[Upload]:
    """The part `file` of the request's form, of at most `most` bytes, as a temporary file that is gone afterwards.

    Raises UnsupportedMedia, Malformed, TooLarge `too_large_code`, Invalid when there is not exactly this one part. A body
    that ends too early is Malformed as well.
    """
    if flask.request.mimetype != MULTIPART:
        raise UnsupportedMedia("unsupported_media_type", expected=MULTIPART)
    with tempfile.NamedTemporaryFile(prefix="highsea-upload-") as file:
        received = _Received(file, most, too_large_code)
        name = _parsed(received)
        file.flush()
        yield Upload(Path(file.name), name, received.size, received.hash.digest())


def _parsed(received: _Received) -> str:
    """The name of the form's file, whose content goes into `received`."""
    places: list[Any] = [received]

    def place(*_part: Any, **_named: Any) -> Any:
        if not places:
            raise invalid(FieldError("/file", "one_file_only"))
        return places.pop()

    parser = FormDataParser(place, _FIELD_BYTES, silent=False, max_form_parts=_MOST_PARTS)
    request = flask.request
    try:
        _, form, files = parser.parse(request.stream, request.mimetype, request.content_length, request.mimetype_params)
    except RequestEntityTooLarge as error:
        raise too_large(received.code, received.most) from error
    except ValueError as error:
        raise Malformed("malformed_form") from error
    return _file_name(form, files.get("file"))


def _file_name(form: Any, upload: Any) -> str:
    if upload is None or not upload.filename:
        raise invalid(FieldError("/file", "missing"))
    if form:  # a field put here would be missed
        raise invalid(*(FieldError(f"/{name}", "extra_forbidden") for name in form))
    return clean_name(upload.filename)


def clean_name(name: str) -> str:
    """A file's name without folders, invisible characters and what is beyond 200: the extension stays."""
    name = _INVISIBLE.sub("", PurePosixPath(PureWindowsPath(name).name).name).strip().rstrip(". ")
    if len(name) <= _NAME_LENGTH:
        return name
    suffix = PurePosixPath(name).suffix[-20:]
    return name[: _NAME_LENGTH - len(suffix)] + suffix
