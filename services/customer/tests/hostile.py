"""Files as people and attackers send them, made from one seed: name → what it is called, its content, and what becomes of it."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SCRIPT = b"<script>alert(document.domain)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
TAKEN = ""
_SEED = random.Random(20261126)


@dataclass(frozen=True)
class Sample:
    """A file. `code`: how it is refused; empty: it is taken."""

    file_name: str
    content: bytes
    code: str = TAKEN


def picture(form: str = "PNG", size: tuple[int, int] = (640, 480), **options: object) -> bytes:
    """A picture with some pixels of its own."""
    made = Image.new("RGB", size, (200, 30, 60))
    made.paste(Image.frombytes("RGB", (32, 32), _SEED.randbytes(32 * 32 * 3)), (5, 5))
    content = io.BytesIO()
    made.save(content, form, **options)
    return content.getvalue()


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as made:
        for name, inside in members.items():
            made.writestr(zipfile.ZipInfo(name), inside, method)
    return content.getvalue()


def office(kind: str, **more: bytes) -> bytes:
    """The least that is a docx, xlsx or pptx."""
    main = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml", "pptx": "ppt/presentation.xml"}[kind]
    parts = {
        "[Content_Types].xml": b"<Types/>",
        "_rels/.rels": b"<Relationships/>",
        main: b"<x>" + b"text " * 50 + b"</x>",
    }
    return archive(parts | {name.replace("__", "/"): content for name, content in more.items()})


def ole(*streams: str, folder: str = "", content: bytes = b"\x09\x08\x10\x00" + bytes(5000)) -> bytes:
    """A compound file with streams of that content, and a folder."""
    sector, entries = 512, []

    def entry(name: str, kind: int, start: int, size: int, child: int = -1, right: int = -1) -> bytes:
        written = name.encode("utf-16-le") + b"\0\0"
        head = written.ljust(64, b"\0") + struct.pack("<HBB", len(written), kind, 1)
        return head + struct.pack("<iii", -1, right, child) + bytes(36) + struct.pack("<iQ", start, size)

    padded = content.ljust(-(-max(len(content), 4096) // sector) * sector, b"\0")
    sectors_each = len(padded) // sector
    names = [*streams, *([folder] if folder else [])]
    directory_sectors = -(-(len(names) + 1) // 4)
    entries.append(entry("Root Entry", 5, -2, 0, child=1))
    chains, at = [-3], 1 + directory_sectors
    chains += [number + 2 for number in range(directory_sectors - 1)] + [-2]
    for number, name in enumerate(names, 1):
        right = number + 1 if number < len(names) else -1
        if name == folder:
            entries.append(entry(name, 1, 0, 0, right=right))
            continue
        entries.append(entry(name, 2, at, len(padded), right=right))
        chains += [at + step + 1 for step in range(sectors_each - 1)] + [-2]
        at += sectors_each
    directory = b"".join(entries).ljust(directory_sectors * sector, b"\0")
    table = struct.pack(f"<{len(chains)}i", *chains).ljust(sector, b"\xff")
    head = OLE + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIiIiI", 0, 1, 1, 0, 4096, -2, 0, -2, 0) + struct.pack("<i", 0)
    return head.ljust(sector, b"\xff") + table + directory + padded * len(streams)


def pdf(*objects: bytes, end: bytes = b"%%EOF\n", trailer: bytes = b"<< /Root 1 0 R >>") -> bytes:
    """Something that readers take for a PDF."""
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, one) for number, one in enumerate(objects, 2))
    catalogue = b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    return b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + catalogue + body + b"trailer\n" + trailer + b"\nstartxref\n9\n" + end


def stream(content: bytes, dictionary: bytes = b"/Type /ObjStm /N 1 /First 4") -> bytes:
    """A compressed stream of a PDF."""
    packed = zlib.compress(content)
    head = b"<< %s /Filter /FlateDecode /Length %d >>" % (dictionary, len(packed))
    return head + b"\nstream\n" + packed + b"\nendstream"


def sheet(kind: int) -> bytes:
    """The beginning of a workbook with one sheet: 0 of cells, 1 of macros."""
    bound = struct.pack("<HHIBB", 0x85, 14, 0, 0, kind) + b"\x06\x00Sheet1"
    return struct.pack("<HH", 0x809, 16) + bytes(16) + bound + struct.pack("<HH", 0x0A, 0) + bytes(4096)


def _encrypted() -> bytes:
    content = bytearray(archive({"a.txt": b"secret"}))
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def _overlapping() -> bytes:
    """Members that share the same bytes, each declaring them as its own."""
    content = archive({"a": bytes(2**20), "b": b"x"})
    start = content.find(b"PK\x01\x02")
    end = content.find(b"PK\x05\x06")
    first = content[start : content.find(b"PK\x01\x02", start + 4)]
    directory = first * 50
    tail = struct.pack("<HHHHIIH", 0, 0, 50, 50, len(directory), start, 0)
    return content[:start] + directory + content[end : end + 4] + tail


def _nested(depth: int) -> bytes:
    content = archive({"a.txt": b"deep"})
    for level in range(depth - 1):
        content = archive({f"{level}.zip": content})
    return content


def _link() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        member = zipfile.ZipInfo("link")
        member.create_system, member.external_attr = 3, 0o120777 << 16
        made.writestr(member, "/etc/passwd")
    return content.getvalue()


def _huge_png() -> bytes:
    """Some hundred bytes that claim 100,000 × 100,000 pixels."""
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


PNG, JPG, GIF = picture("PNG"), picture("JPEG"), picture("GIF")
ZIP, DOCX = archive({"报价.txt": "一百元".encode(), "照片/1.png": PNG}), office("docx")
PDF = pdf(b"<< /Type /Pages /Kids [] /Count 0 >>")
BOMB = archive({"zeros": bytes(100 * 2**20)})


def _sent() -> Iterator[tuple[str, Sample]]:
    """What people send."""
    yield "png", Sample("照片.PNG", PNG)
    yield "jpg", Sample("a.jpg", JPG)
    yield "jpg of a telephone", Sample("a.jpg", JPG + bytes(8) + picture("JPEG", (64, 64)))
    yield "progressive jpg", Sample("a.jpg", picture("JPEG", progressive=True))
    yield "gif", Sample("a.gif", GIF)
    yield "zip", Sample("a.zip", ZIP)
    yield "stored zip", Sample("a.zip", archive({"a": b"1", "b/": b""}, zipfile.ZIP_STORED))
    yield "zip in a zip", Sample("a.zip", _nested(3))
    yield "docx", Sample("合同.docx", DOCX)
    yield "docx in a zip", Sample("a.zip", archive({"合同.docx": DOCX}))
    yield "doc", Sample("a.doc", ole("WordDocument", "1Table"))
    yield "xls", Sample("a.xls", ole("Workbook", content=sheet(0)))
    yield "pdf", Sample("a.pdf", PDF)
    yield "pdf with compressed objects", Sample("a.pdf", pdf(stream(b"1 0 << /Type /Page >>")))
    yield "pdf with a large picture", Sample("a.pdf", pdf(stream(bytes(8 * 2**20), b"/Subtype /Image")))
    yield "utf-8", Sample("a.txt", "客户说 <好>\r\n".encode())
    yield "utf-8 with a mark", Sample("a.txt", "客户".encode("utf-8-sig"))
    yield "utf-16", Sample("a.txt", "客户\r\n".encode("utf-16"))
    yield "gb18030", Sample("a.txt", "客户的付款条件\r\n".encode("gb18030"))


def _other_types() -> Iterator[tuple[str, Sample]]:
    """Types."""
    yield "xlsx without the setting", Sample("a.xlsx", office("xlsx"), "file_type_not_supported")
    yield "exe", Sample("a.exe", b"MZ\x90\x00", "file_type_not_supported")
    yield "svg", Sample("a.svg", SVG, "file_type_not_supported")
    yield "html", Sample("a.pdf.html", SCRIPT, "file_type_not_supported")
    yield "no extension", Sample("pdf", PDF, "file_type_not_supported")
    yield "only an extension", Sample(".pdf", PDF, "file_type_not_supported")
    yield (
        "exe in a zip",
        Sample("a.zip", archive({"报价.txt": b"1", "工具/Setup.EXE": b"MZ"}), "file_type_not_supported"),
    )
    yield (
        "script in a zip in a zip",
        Sample("a.zip", archive({"a.zip": archive({"a.pdf.js": b""})}), "file_type_not_supported"),
    )
    yield "shortcut for windows in a zip", Sample("a.zip", archive({"合同.pdf.lnk .": b"L"}), "file_type_not_supported")
    yield "a folder named like a program", Sample("a.zip", archive({"node.js/说明.txt": b"1", "my.app/": b""}))
    yield "exe turned round", Sample("合同\u202efdp.exe", b"MZ", "file_type_not_supported")


def _otherwise() -> Iterator[tuple[str, Sample]]:
    """Content that is not what the name says."""
    yield "empty", Sample("a.txt", b"", "file_empty")
    yield "exe as pdf", Sample("a.pdf", b"MZ\x90\x00" + bytes(100), "file_content_mismatch")
    yield "exe as txt", Sample("a.txt", b"MZ\x90\x00" + bytes(100), "file_content_mismatch")
    yield "svg as png", Sample("a.png", SVG, "file_content_mismatch")
    yield "svg as txt", Sample("a.txt", b'\n <?xml version="1.0"?>' + SVG, "file_active")
    yield "page as txt", Sample("a.txt", "\ufeff<!DOCTYPE html><p>".encode("utf-16"), "file_active")
    yield "script far down in txt", Sample("a.txt", b"a" * 3_000_000 + SCRIPT, "file_active")
    yield "shell script as txt", Sample("a.txt", b"#!/bin/sh\nrm -rf /\n", "file_active")
    yield "png as jpg", Sample("a.jpg", PNG, "file_content_mismatch")
    yield "zip as docx", Sample("a.docx", ZIP, "file_content_mismatch")
    yield "xlsx as docx", Sample("a.docx", office("xlsx"), "file_content_mismatch")
    yield "xls as doc", Sample("a.doc", ole("Workbook"), "file_content_mismatch")
    yield "rtf as doc", Sample("a.doc", b"{\\rtf1 x}", "file_content_mismatch")
    yield "junk before pdf", Sample("a.pdf", b"\r\n" + PDF, "file_content_mismatch")


def _mixed() -> Iterator[tuple[str, Sample]]:
    """Two things in one."""
    yield "png with a page", Sample("a.png", PNG + SCRIPT, "file_mixed")
    yield "png with a zip", Sample("a.png", PNG + ZIP, "file_mixed")
    yield "jpg with a zip", Sample("a.jpg", JPG + ZIP, "file_mixed")
    yield "jpg with a page in its comment", Sample("a.jpg", picture("JPEG", comment=SCRIPT), "file_mixed")
    yield "jpg with a program", Sample("a.jpg", JPG + b"MZ\x90\x00" + bytes(100), "file_mixed")
    yield "gif with javascript", Sample("a.gif", GIF + b"*/=1;alert(1)//", "file_mixed")
    yield (
        "pdf in a png",
        Sample("a.png", PNG[:8] + struct.pack(">I", len(PDF)) + b"tEXt" + PDF + bytes(4) + PNG[8:], "file_mixed"),
    )
    yield "pdf with a page behind", Sample("a.pdf", PDF + SCRIPT, "file_mixed")
    yield "pdf with a page in front", Sample("a.pdf", b"%PDF-1.4 <html>" + SCRIPT + PDF, "file_mixed")
    yield "pdf with a zip", Sample("a.pdf", PDF + ZIP + b"\n%%EOF", "file_mixed")
    yield "page before a zip", Sample("a.zip", archive({"a": SCRIPT}) + ZIP, "file_mixed")
    yield "page behind a zip", Sample("a.zip", ZIP + SCRIPT, "file_mixed")
    yield "doc with a zip", Sample("a.doc", ole("WordDocument") + ZIP, "file_mixed")


def _bombs() -> Iterator[tuple[str, Sample]]:
    """Bombs."""
    yield "zip bomb", Sample("a.zip", BOMB, "archive_too_large")
    yield "zip bomb in a zip", Sample("a.zip", archive({"a.zip": BOMB}), "archive_too_large")
    yield "zip too deep", Sample("a.zip", _nested(4), "archive_too_large")
    yield "zip of 6,000 files", Sample("a.zip", archive({f"{one}": b"" for one in range(6000)}), "archive_too_large")
    yield "zip whose files overlap", Sample("a.zip", _overlapping(), "archive_too_large")
    yield "docx bomb", Sample("a.docx", office("docx", word__media=bytes(100 * 2**20)), "archive_too_large")
    yield "png of 10,000,000,000 pixels", Sample("a.png", _huge_png(), "image_too_large")
    yield (
        "pdf bomb",
        Sample("a.pdf", pdf(*[stream(b"1 0 " + bytes(8 * 2**20), b"/Length 1")] * 70), "archive_too_large"),
    )


def _leading_out() -> Iterator[tuple[str, Sample]]:
    """Names and links that lead out."""
    yield "zip that climbs", Sample("a.zip", archive({"../../etc/cron.d/x": b"x"}), "archive_unsafe_name")
    yield "zip that climbs in windows", Sample("a.zip", archive({"..\\..\\x.dll": b"x"}), "archive_unsafe_name")
    yield "zip with an absolute name", Sample("a.zip", archive({"/etc/passwd": b"x"}), "archive_unsafe_name")
    yield "zip with a drive", Sample("a.zip", archive({"C:x.txt": b"x"}), "archive_unsafe_name")
    yield "zip with a link", Sample("a.zip", _link(), "archive_unsafe_name")


def _locked() -> Iterator[tuple[str, Sample]]:
    """Passwords."""
    yield "encrypted zip", Sample("a.zip", _encrypted(), "file_encrypted")
    yield "encrypted docx", Sample("a.docx", ole("EncryptionInfo", "EncryptedPackage"), "file_encrypted")
    yield "encrypted pdf", Sample("a.pdf", pdf(trailer=b"<< /Root 1 0 R /Encrypt 5 0 R >>"), "file_encrypted")


def _acting() -> Iterator[tuple[str, Sample]]:
    """What acts by itself."""
    yield "docx with macros", Sample("a.docx", office("docx", **{"word__vbaProject.bin": OLE}), "file_has_macros")
    yield "doc with macros", Sample("a.doc", ole("WordDocument", folder="Macros"), "file_has_macros")
    yield "xls with macros", Sample("a.xls", ole("Workbook", folder="_VBA_PROJECT_CUR"), "file_has_macros")
    yield "xls with a macro sheet", Sample("a.xls", ole("Workbook", content=sheet(1)), "file_has_macros")
    yield "pdf with javascript", Sample("a.pdf", pdf(b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"), "file_active")
    yield "pdf with written-round javascript", Sample("a.pdf", pdf(b"<< /S /J#61vaScr#69pt >>"), "file_active")
    yield "pdf with compressed javascript", Sample("a.pdf", pdf(stream(b"1 0 << /S /JavaScript >>")), "file_active")
    yield "pdf that starts a program", Sample("a.pdf", pdf(b"<< /S /Launch /F (cmd.exe) >>"), "file_active")
    yield (
        "pdf with hidden objects",
        Sample("a.pdf", pdf(b"<< /Type /Obj#53tm /Filter /LZWDecode >>\nstream\nxxxx\nendstream"), "file_unreadable"),
    )


def _damaged() -> Iterator[tuple[str, Sample]]:
    """Damage."""
    yield "half a png", Sample("a.png", PNG[: len(PNG) // 2], "file_unreadable")
    yield "half a jpg", Sample("a.jpg", JPG[: len(JPG) // 2], "file_unreadable")
    yield "half a zip", Sample("a.zip", ZIP[: len(ZIP) // 2], "file_unreadable")
    yield "half a pdf", Sample("a.pdf", PDF[: len(PDF) // 2], "file_unreadable")
    yield "doc of nothing", Sample("a.doc", OLE + bytes(2000), "file_unreadable")
    yield "noise", Sample("a.gif", b"GIF89a" + _SEED.randbytes(4000), "file_unreadable")


_PARTS = (_sent, _other_types, _otherwise, _mixed, _bombs, _leading_out, _locked, _acting, _damaged)
SAMPLES = {name: sample for part in _PARTS for name, sample in part()}
