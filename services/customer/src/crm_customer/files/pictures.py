"""Pictures: nothing but one, of a size that may be decoded, and a small preview made of its pixels anew."""

import io
import re
from pathlib import Path

from PIL import Image, ImageOps

from crm_customer.files.rules import RefusedFile

MAX_PIXELS = 50_000_000
PREVIEW_PIXELS = 400
_FORMATS = {"jpg": ("JPEG", "MPO"), "jpeg": ("JPEG", "MPO"), "png": ("PNG",), "gif": ("GIF",)}
_MARKUP = re.compile(rb"<(?:script|iframe|html|\?php|!doctype|svg\s+xmlns)", re.IGNORECASE)
_PNG_HEAD = 8
_JPEG_BEGIN = b"\xff\xd8\xff"
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_PICTURES = 10


def preview_of(path: Path, extension: str) -> bytes:
    """Check a picture, decode it wholly and answer a preview (WebP, at most 400 pixels a side) without its metadata.

    Raises RefusedFile; what the decoder raises for a damaged picture passes.
    """
    check_alone(path.read_bytes(), extension)
    Image.MAX_IMAGE_PIXELS = None  # the bound is ours
    with Image.open(path, formats=_FORMATS[extension][:1]) as picture:
        if picture.format not in _FORMATS[extension]:
            raise RefusedFile("file_content_mismatch", extension=extension)
        if picture.width * picture.height > MAX_PIXELS:
            raise RefusedFile("image_too_large", megapixels=MAX_PIXELS // 1_000_000)
        # Colours of a palette cannot be mixed.
        drawn = picture.convert("RGBA") if picture.mode == "P" else picture
        drawn.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
        upright = ImageOps.exif_transpose(drawn)
        mode = "RGBA" if upright.has_transparency_data else "RGB"
        preview = Image.new(mode, upright.size)
        preview.paste(upright.convert(mode))
    content = io.BytesIO()
    preview.save(content, "WEBP", quality=80)
    return content.getvalue()


def check_alone(content: bytes, extension: str) -> None:
    """Raise RefusedFile file_mixed when a picture holds a page or a program as well, or something lies behind its end."""
    if _MARKUP.search(content):
        raise RefusedFile("file_mixed")
    if extension == "png":
        behind = content[_png_end(content) :]
    elif extension == "gif":
        behind = content[_gif_end(content) :]
    else:
        behind = _behind_jpeg(content)
    if behind.strip(b"\0"):
        raise RefusedFile("file_mixed")


def _png_end(content: bytes) -> int:
    at = _PNG_HEAD
    while at + 8 <= len(content):
        kind = content[at + 4 : at + 8]
        at += 12 + int.from_bytes(content[at : at + 4], "big")
        if kind == b"IEND":
            return at
    raise RefusedFile("file_unreadable")


def _gif_end(content: bytes) -> int:
    at = 13 + _gif_colours(content[10])
    while at < len(content):
        kind = content[at]
        if kind == 0x3B:
            return at + 1
        if kind == 0x2C:
            at = _behind_blocks(content, at + 11 + _gif_colours(content[at + 9]))
        elif kind == 0x21:
            at = _behind_blocks(content, at + 2)
        else:
            break
    raise RefusedFile("file_unreadable")


def _gif_colours(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_blocks(content: bytes, at: int) -> int:
    while content[at]:
        at += content[at] + 1
    return at + 1


def _behind_jpeg(content: bytes) -> bytes:
    """What lies behind a picture. Telephones append further pictures and, from Samsung, a block of their own."""
    for _ in range(_JPEG_PICTURES):
        content = content[_jpeg_end(content) :].lstrip(b"\0")
        if not content.startswith(_JPEG_BEGIN):
            break
    return b"" if content.endswith(b"SEFT") else content


def _jpeg_end(content: bytes) -> int:
    at = 2
    while at + 2 <= len(content):
        if content[at] != 0xFF:
            raise RefusedFile("file_unreadable")
        marker = content[at + 1]
        at += 1 if marker == 0xFF else 2
        if marker == 0xD9:
            return at
        if marker == 0xFF or marker in _JPEG_ALONE:
            continue
        at += int.from_bytes(content[at : at + 2], "big")
        if marker == 0xDA:
            following = _JPEG_MARKER.search(content, at)
            at = following.start() if following else len(content)
    raise RefusedFile("file_unreadable")
