"""Files as people and attackers upload them, made from one seed: name → what it is called, its content, what becomes of it.

Nothing here depends on the time, or on how a library packs: workbooks are written by hand and stored, not packed.
"""

import codecs
import io
import random
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from openpyxl.utils import get_column_letter

TAKEN = ""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLD = (Path(__file__).parent / "data/old.xls").read_bytes()
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_TEXT = "客户名称,手机,备注\n甲公司,13800138000,一\n乙公司,13800138001,二\n"


@dataclass(frozen=True)
class Sample:
    """A file. `code`: how it is refused, when it is previewed or when it is split; empty: it is taken."""

    file_name: str
    content: bytes
    code: str = TAKEN


def samples() -> dict[str, Sample]:
    """All of them, always the same."""
    made: dict[str, Sample] = {}
    for family in (_cut, _flipped, _sheets, _workbooks, _archives, _foreign, _old, _texts, _encodings):
        for name, sample in family(random.Random(family.__name__)):
            made[f"{family.__name__[1:]}: {name}"] = sample
    return made


def archive(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip that is the same every day."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as made:
        for name, inside in members.items():
            made.writestr(zipfile.ZipInfo(name), inside, method)
    return content.getvalue()


def parts(rows: str = "", head: str = "", **more: bytes | None) -> dict[str, bytes]:
    """What a workbook consists of: `rows` below the header, `head` before them; of `more` __ is /, None leaves out."""
    header = '<row r="1"><c r="A1" t="inlineStr"><is><t>客户名称</t></is></c><c r="B1" t="inlineStr"><is><t>备注</t></is></c></row>'
    rows = rows or '<row r="2"><c r="A2" t="inlineStr"><is><t>甲公司</t></is></c><c r="B2"><v>1</v></c></row>'
    sheet = f"{_XML}<worksheet {_MAIN}>{head}<sheetData>{header}{rows}</sheetData></worksheet>"
    book = f'{_XML}<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets><sheet name="客户" sheetId="1" r:id="rId1"/></sheets></workbook>'
    relation = f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    whole = f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    packages = "http://schemas.openxmlformats.org/package/2006"
    made: dict[str, bytes | None] = {
        "[Content_Types].xml": f'{_XML}<Types xmlns="{packages}/content-types"/>'.encode(),
        "_rels/.rels": f'{_XML}<Relationships xmlns="{packages}/relationships">{whole}</Relationships>'.encode(),
        "xl/workbook.xml": book.encode(),
        "xl/_rels/workbook.xml.rels": f'{_XML}<Relationships xmlns="{packages}/relationships">{relation}</Relationships>'.encode(),
        "xl/worksheets/sheet1.xml": sheet.encode(),
    }
    made |= {f"xl/{name.replace('__', '/')}.xml": content for name, content in more.items()}
    return {name: content for name, content in made.items() if content is not None}


def _xlsx(code: str = TAKEN, rows: str = "", head: str = "", **more: bytes | None) -> Sample:
    return Sample("客户.xlsx", archive(parts(rows, head, **more)), code)


def _csv(text: str | bytes, code: str = TAKEN) -> Sample:
    return Sample("客户.csv", text.encode() if isinstance(text, str) else text, code)


def _row(cells: str, number: int | str = 2) -> str:
    return f'<row r="{number}">{cells}</row>'


Family = Iterator[tuple[str, Sample]]


def _cut(chance: random.Random) -> Family:
    """Downloads that broke off."""
    whole = archive(parts())
    for length in sorted(chance.sample(range(5, len(whole) - 1), 25)):
        yield f"{length} bytes", Sample("客户.xlsx", whole[:length], "file_damaged")


def _flipped(chance: random.Random) -> Family:
    """Bits that a disk has turned round, in what the sheet holds."""
    whole = archive(parts())
    begin = whole.index(b"<worksheet")
    for offset in sorted(chance.sample(range(begin, begin + 300), 25)):
        content = bytearray(whole)
        content[offset] ^= 1 << chance.randrange(8)
        yield f"byte {offset}", Sample("客户.xlsx", bytes(content), "file_damaged")


def _sheets(_chance: random.Random) -> Family:
    """What a sheet may say."""
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    doctype = f'<!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]>'
    sheet = f"<worksheet {_MAIN}><sheetData>{{}}</sheetData></worksheet>"
    name = '<c r="A2" t="inlineStr"><is><t>甲</t></is></c>'
    for label, rows, code in (
        ("a cell of the last row and column", _row('<c r="XFD1048576"><v>1</v></c>', 1048576), "file_unreadable"),
        ("a cell beyond the last row", _row('<c r="A9999999999"><v>1</v></c>'), "file_unreadable"),
        ("a cell beyond the last column", _row('<c r="ZZZZ2"><v>1</v></c>'), "file_damaged"),
        ("a cell of row 0", _row('<c r="A0"><v>1</v></c>'), "file_damaged"),
        ("a cell of no column", _row('<c r="2"><v>1</v></c>'), "file_damaged"),
        ("cells without places", _row("<c><v>1</v></c><c><v>2</v></c>"), TAKEN),
        ("a row of letters", _row(name, "abc"), "file_damaged"),
        ("a row of no number", _row(name, ""), "file_damaged"),
        ("a row less than none", _row(name, -5), "file_damaged"),
        ("rows out of order", _row('<c r="A9"><v>1</v></c>', 9) + _row(name), TAKEN),
        ("one row twice", _row(name) * 2, TAKEN),
        ("a text that is not there", _row('<c r="A2" t="s"><v>99</v></c>'), "file_damaged"),
        ("a text less than none", _row('<c r="A2" t="s"><v>-1</v></c>'), "file_damaged"),
        ("a text of letters", _row('<c r="A2" t="s"><v>x</v></c>'), "file_damaged"),
        ("a number of letters", _row(name + '<c r="B2"><v>abc</v></c>'), TAKEN),
        ("a number without end", _row(name + '<c r="B2"><v>inf</v></c>'), TAKEN),
        ("no number", _row(name + '<c r="B2"><v>nan</v></c>'), TAKEN),
        ("a number as large as can be", _row(name + '<c r="B2"><v>1.7976931348623157E+308</v></c>'), TAKEN),
        ("a number of 5,000 digits", _row(name + f'<c r="B2"><v>{"9" * 5000}</v></c>'), TAKEN),
        ("a kind that there is none of", _row(name + '<c r="B2" t="zzz"><v>1</v></c>'), "file_damaged"),
        ("an error", _row(name + '<c r="B2" t="e"><v>#N/A</v></c>'), TAKEN),
        ("an error of its own", _row(name + '<c r="B2" t="e"><v>#EVIL!</v></c>'), "file_damaged"),
        ("true and something else", _row(name + '<c r="B2" t="b"><v>2</v></c>'), "file_damaged"),
        ("a style that there is none of", _row(name + '<c r="B2" s="9999"><v>1</v></c>'), TAKEN),
        ("a style of letters", _row(name + '<c r="B2" s="x"><v>1</v></c>'), TAKEN),
        ("a formula without a value", _row(name + '<c r="B2"><f>1+1</f></c>'), TAKEN),
        (
            "a formula that calls out",
            _row(name + '<c r="B2" t="str"><f>WEBSERVICE("http://x")</f><v>=cmd|x</v></c>'),
            TAKEN,
        ),
        ("a text of 40,000 characters", _row(f'<c r="A2" t="inlineStr"><is><t>{"长" * 40000}</t></is></c>'), TAKEN),
        ("a text of 2,000,000 characters", _row(f'<c r="A2" t="inlineStr"><is><t>{"x" * 2000000}</t></is></c>'), TAKEN),
        (
            "a text in many pieces",
            _row('<c r="A2" t="inlineStr"><is>' + "<r><t>甲</t></r>" * 5000 + "</is></c>"),
            TAKEN,
        ),
        (
            "characters that XML has none of",
            _row('<c r="A2" t="inlineStr"><is><t>&#0;&#1;</t></is></c>'),
            "file_damaged",
        ),
        ("characters in disguise", _row('<c r="A2" t="inlineStr"><is><t>_x0000_a_x0008_</t></is></c>'), TAKEN),
        ("nothing but blanks", _row('<c r="A2" t="inlineStr"><is><t> \u200b\u00a0 </t></is></c>'), "file_has_no_rows"),
        ("20,000 empty rows", "".join(f'<row r="{number}"/>' for number in range(2, 20000)), "file_has_no_rows"),
        ("201 columns", _row(name) + _row('<c r="GZ3"><v>1</v></c>', 3), TAKEN),
    ):
        yield label, _xlsx(code, rows)
    wide = "".join(f'<c r="{letters}1"><v>1</v></c>' for letters in map(get_column_letter, range(1, 301)))
    for label, content, code in (
        ("an end that is missing", f"<worksheet {_MAIN}><sheetData><row r='1'>".encode(), "file_damaged"),
        ("an end of something else", sheet.format("</row>").encode(), "file_damaged"),
        ("no sheet data", f"<worksheet {_MAIN}/>".encode(), "file_empty"),
        ("an empty sheet", sheet.format("").encode(), "file_empty"),
        ("nothing", b"", "file_damaged"),
        ("noise", bytes(range(256)) * 40, "file_damaged"),
        ("JSON", b'{"rows": []}', "file_damaged"),
        (
            "a billion laughs",
            (doctype + sheet.format(_row('<c r="A1" t="str"><v>&a9;</v></c>', 1))).encode(),
            "file_damaged",
        ),
        (
            "somebody else's file",
            b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
            + sheet.format(_row('<c r="A1" t="str"><v>&f;</v></c>', 1)).encode(),
            "file_damaged",
        ),
        ("20,000 tags in each other", sheet.format("<a>" * 20000 + "</a>" * 20000).encode(), "file_empty"),
        (
            "20,000 attributes",
            sheet.format("<row " + " ".join(f'a{n}="1"' for n in range(20000)) + "/>").encode(),
            "file_empty",
        ),
        (
            "UTF-16",
            f'<?xml version="1.0" encoding="UTF-16"?>{sheet.format(_row(name))}'.encode("utf-16"),
            "file_empty",
        ),
        (
            "bytes that are no UTF-8",
            sheet.format(_row('<c r="A1" t="str"><v>甲</v></c>', 1)).encode("gb18030"),
            "file_damaged",
        ),
        ("300 columns", sheet.format(_row(wide, 1)).encode(), "too_many_columns"),
        ("another namespace", b'<worksheet xmlns="urn:x"><sheetData/></worksheet>', "file_empty"),
    ):
        yield label, _xlsx(code, worksheets__sheet1=content)
    yield "a size of nonsense", _xlsx("file_damaged", head='<dimension ref="hello"/>')
    for label, head in (
        ("a size of millions", '<dimension ref="A1:XFD1048576"/>'),
        ("a width of letters", '<cols><col min="1" max="1" width="wide"/></cols>'),
        ("a width without end", '<cols><col min="1" max="1" width="inf"/></cols>'),
        ("widths of a billion columns", '<cols><col min="1" max="1000000000" width="9"/></cols>'),
        ("widths of columns less than none", '<cols><col min="-9" max="-1" width="9"/></cols>'),
    ):
        yield label, _xlsx(TAKEN, head=head)


def _workbooks(_chance: random.Random) -> Family:
    """What a workbook may say of its sheets."""
    book = f'<workbook {_MAIN} xmlns:r="{_OFFICE}">{{}}</workbook>'
    sheet = '<sheet name="{}" sheetId="{}" r:id="rId1"{}/>'

    def listed(name: str, more: str = "") -> str:
        return f"<sheets>{sheet.format(name, 1, f' {more}')}</sheets>"

    many = "".join(sheet.format(f"第{n}页", n, "") for n in range(1, 4001))
    for label, inside, code in (
        ("no sheets", "", "file_empty"),
        ("a list of no sheets", "<sheets/>", "file_empty"),
        ("a hidden sheet", listed("甲", 'state="hidden"'), "file_empty"),
        ("a sheet hidden well", listed("甲", 'state="veryHidden"'), "file_empty"),
        ("a sheet without a name", '<sheets><sheet sheetId="1" r:id="rId1"/></sheets>', TAKEN),
        ("a sheet without content", '<sheets><sheet name="甲" sheetId="1" r:id="rId9"/></sheets>', "file_damaged"),
        ("a sheet of no relation", '<sheets><sheet name="甲" sheetId="1"/></sheets>', "file_damaged"),
        ("two sheets of one name", listed("甲") * 2, TAKEN),
        ("4,000 sheets", f"<sheets>{many}</sheets>", TAKEN),
        ("a name of 20,000 characters", listed("甲" * 20000), TAKEN),
        ("a name of odd characters", listed("&#x202e;&lt;b&gt;"), TAKEN),
        ("a state of nonsense", listed("甲", 'state="gone"'), "file_damaged"),
        ("days from nonsense", '<workbookPr date1904="x"/>' + listed("甲"), TAKEN),
        ("days from 1904", '<workbookPr date1904="1"/>' + listed("甲"), TAKEN),
    ):
        yield label, _xlsx(code, workbook=book.format(inside).encode())
    for label, more, code in (
        ("nothing in it", {"workbook": b""}, "file_damaged"),
        ("noise", {"workbook": b"\x00\xff" * 500}, "file_damaged"),
        ("styles of noise", {"styles": b"\x00\xff" * 500}, "file_damaged"),
        ("styles without end", {"styles": f"<styleSheet {_MAIN}>".encode()}, "file_damaged"),
        (
            "a format of letters",
            {"styles": f'<styleSheet {_MAIN}><cellXfs><xf numFmtId="x"/></cellXfs></styleSheet>'.encode()},
            TAKEN,
        ),
        (
            "a format of 1,000,000 characters",
            {
                "styles": f'<styleSheet {_MAIN}><numFmts><numFmt numFmtId="200" formatCode="{"0" * 1000000}"/></numFmts><cellXfs><xf numFmtId="200"/></cellXfs></styleSheet>'.encode()
            },
            TAKEN,
        ),
        ("texts of noise", {"sharedStrings": b"\x00\xff" * 500}, "file_damaged"),
        (
            "texts that count wrong",
            {"sharedStrings": f'<sst {_MAIN} count="4000000000" uniqueCount="4000000000"/>'.encode()},
            "file_unreadable",
        ),
        ("no sheet", {"worksheets__sheet1": None}, "file_damaged"),
    ):
        yield label, _xlsx(code, **more)


def _archives(_chance: random.Random) -> Family:
    """What a zip may be."""
    plain = parts()

    def packed(**more: bytes) -> bytes:
        return archive(plain | more, zipfile.ZIP_DEFLATED)

    def patched(content: bytes, mark: bytes, offset: int, form: str, value: int) -> bytes:
        changed = bytearray(content)
        start = changed.find(mark)
        while start != -1:
            struct.pack_into(form, changed, start + offset, value)
            start = changed.find(mark, start + 4)
        return bytes(changed)

    central, whole = b"PK\x01\x02", archive(plain)
    for label, content, code in (
        ("a bomb", packed(bomb=bytes(30 * 1024**2)), "file_too_large_unpacked"),
        (
            "a bomb in a bomb",
            packed(inner=archive({"bomb": bytes(30 * 1024**2)}, zipfile.ZIP_DEFLATED) * 20),
            "file_too_large_unpacked",
        ),
        ("6,000 members", archive(plain | {f"x{n}": b"" for n in range(6000)}), "file_too_large_unpacked"),
        ("a macro", archive(plain | {"xl/vbaProject.bin": b"x"}), "file_has_macros"),
        ("a macro in capitals", archive(plain | {"xl/VBAPROJECT.BIN": b"x"}), "file_has_macros"),
        ("a macro elsewhere", archive(plain | {"a/b/vbaProject.bin": b"x"}), "file_has_macros"),
        ("a way out", archive(plain | {"../../etc/passwd": b"x"}), TAKEN),
        ("an absolute way", archive(plain | {"/etc/passwd": b"x"}), TAKEN),
        ("a name of 60,000 characters", archive(plain | {"x" * 60000: b"x"}), TAKEN),
        ("a folder", archive(plain | {"xl/": b""}), TAKEN),
        ("encrypted members", patched(whole, central, 8, "<H", 1), "file_encrypted"),
        ("a size that is a lie", patched(whole, central, 24, "<I", 10), "file_damaged"),
        ("a size of 4 GB", patched(whole, central, 24, "<I", 0xFFFFFFFE), "file_too_large_unpacked"),
        ("a way of packing that there is none of", patched(whole, central, 10, "<H", 99), "file_damaged"),
        ("members that begin nowhere", patched(whole, central, 42, "<I", 0x7FFFFFFF), "file_damaged"),
        ("a check that is wrong", patched(whole, central, 16, "<I", 1), "file_damaged"),
        ("bzip2", archive(plain, zipfile.ZIP_BZIP2), "file_damaged"),
        ("lzma", archive(plain, zipfile.ZIP_LZMA), "file_damaged"),
        (
            "no content types",
            archive({name: part for name, part in plain.items() if "Types" not in name}),
            "file_not_a_workbook",
        ),
        (
            "no workbook",
            archive({name: part for name, part in plain.items() if "workbook.xml" not in name}),
            "file_not_a_workbook",
        ),
        ("no relations", archive({name: part for name, part in plain.items() if "rels" not in name}), "file_damaged"),
        ("no member", archive({}), "file_content_mismatch"),
        ("an end alone", b"PK\x05\x06" + bytes(18), "file_content_mismatch"),
        ("a beginning alone", b"PK\x03\x04" + bytes(200), "file_damaged"),
        ("something behind it", whole + b"x" * 1000, TAKEN),
        ("something before it", b"x" * 100 + whole, "file_content_mismatch"),
        (
            "a document",
            archive({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<x/>"}),
            "file_not_a_workbook",
        ),
        (
            "a binary workbook",
            archive({"[Content_Types].xml": b"<Types/>", "xl/workbook.bin": b"x"}),
            "file_not_a_workbook",
        ),
        (
            "an OpenDocument",
            archive({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<x/>"}),
            "file_not_a_workbook",
        ),
        (
            "an application",
            archive({"META-INF/MANIFEST.MF": b"x", "A.class": b"\xca\xfe\xba\xbe"}),
            "file_not_a_workbook",
        ),
    ):
        yield label, Sample("客户.xlsx", content, code)


def _foreign(_chance: random.Random) -> Family:
    """Other files under the three names."""
    contents = {
        "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(range(256)) * 8,
        "PNG": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
        "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 8,
        "GIF": b"GIF89a" + bytes(range(256)) * 8,
        "7z": b"7z\xbc\xaf\x27\x1c" + bytes(range(256)) * 8,
        "RAR": b"Rar!\x1a\x07\x01\x00" + bytes(range(256)) * 8,
        "gzip": b"\x1f\x8b\x08\x00" + bytes(range(256)) * 8,
        "a program": b"MZ\x90\x00" + bytes(range(256)) * 8,
        "another program": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 8,
        "SQLite": b"SQLite format 3\x00" + bytes(range(256)) * 8,
        "zeros": bytes(5000),
    }
    for label, content in contents.items():
        for extension in ("xlsx", "xls", "csv"):
            yield f"{label} as {extension}", Sample(f"客户.{extension}", content, "file_content_mismatch")
    for label, text in (
        ("a page", "<html><body><table><tr><td>客户名称</td></tr></table></body></html>"),
        ("XML of 2003", '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>'),
        ("JSON", '{"客户名称": "甲"}'),
    ):
        for extension in ("xlsx", "xls"):
            yield f"{label} as {extension}", Sample(f"客户.{extension}", text.encode(), "file_content_mismatch")
        yield f"{label} as csv", _csv(text, "file_has_no_rows")
    for extension in ("xlsm", "xltm", "xlam"):
        yield extension, Sample(f"客户.{extension}", archive(parts()), "file_has_macros")
    for name in ("客户", "客户.txt", "客户.xlsx.exe", "客户.xlsb", "客户.ods", ".xlsx", "客户.", "xlsx"):
        yield f"called {name}", Sample(name, archive(parts()), "file_type_not_supported")
    yield "a workbook as csv", Sample("客户.csv", archive(parts()), "file_content_mismatch")
    yield "a workbook as xls", Sample("客户.xls", archive(parts()), "file_content_mismatch")
    yield "an old workbook as xlsx", Sample("客户.xlsx", _OLD, "file_content_mismatch")
    yield "capitals", Sample("客户.XLSX", archive(parts()))


def _old(chance: random.Random) -> Family:
    """Workbooks of before 2007, whole and broken."""
    yield "whole", Sample("客户.xls", _OLD)
    for length in sorted(chance.sample(range(8, 512), 5)):
        yield f"{length} bytes", Sample("客户.xls", _OLD[:length], "file_damaged")
    for length in sorted(chance.sample(range(512, len(_OLD) * 9 // 10), 5)):
        yield (
            f"{length} bytes",
            Sample("客户.xls", _OLD[:length], "file_unreadable" if length == 4667 else "file_damaged"),
        )
    for number in range(15):
        content = bytearray(_OLD)
        for offset in chance.sample(range(24, 512), 6):  # what says where everything lies
            content[offset] = chance.randrange(256)
        yield f"head {number}", Sample("客户.xls", bytes(content), "file_damaged")
    for number in range(15):
        content = bytearray(_OLD)
        for offset in chance.sample(range(512, len(_OLD)), 20):
            content[offset] = chance.randrange(256)
        yield f"body {number}", Sample("客户.xls", bytes(content), TAKEN if number in (0, 1, 2, 5) else "file_damaged")
    encrypted = OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    yield "encrypted", Sample("客户.xlsx", encrypted, "file_encrypted")
    yield "macros", Sample("客户.xls", OLE + bytes(600) + "_VBA_PROJECT".encode("utf-16-le"), "file_has_macros")
    yield "noise", Sample("客户.xls", OLE + chance.randbytes(5000), "file_damaged")
    yield "nothing behind its mark", Sample("客户.xls", OLE, "file_damaged")


def _texts(chance: random.Random) -> Family:
    """What a CSV file may hold."""
    head, row = "客户名称,手机,备注\n", "甲公司,13800138000,一\n"
    for label, text, code in (
        ("nothing", "", "file_empty"),
        ("blanks", " \n\t\n \r\n", "file_empty"),
        ("delimiters", ",,,\n,,,\n", "file_empty"),
        ("a header", head, "file_has_no_rows"),
        ("a header and blanks", head + ",,\n" * 1000, "file_has_no_rows"),
        ("one value", "甲", "file_has_no_rows"),
        ("rows that end otherwise", _TEXT.replace("\n", "\r"), TAKEN),
        ("rows that end in every way", head + row[:-1] + "\r" + row[:-1] + "\r\n" + row, TAKEN),
        ("separators of lines", head + "甲\u2028乙\u2029丙\x0b丁\x0c戊\x85,,\n", TAKEN),
        ("control characters", head + "".join(map(chr, range(1, 9))) + "甲,,\n", TAKEN),
        ("a null", head + row * 50 + "甲\0乙,,\n", "file_content_mismatch"),
        ("an open quote at the end", head + row * 50 + '"甲,1,2\n', TAKEN),
        (
            "an open quote in the middle",
            head + row * 50 + '"甲,1,2\n' + row * 300 + '"乙",1,2\n"丙,1,2\n',
            "csv_broken",
        ),
        ("an open quote before 2 MB", head + '"' + "x" * 2_000_000, "csv_broken"),
        ("a quote behind a quote", head + '"甲"乙,1,2\n', TAKEN),
        ("quotes alone", head + '"""""",1,2\n', TAKEN),
        ("a quote in a value", head + '甲 5" 管,1,2\n', TAKEN),
        ("a value of 900,000 characters", head + "甲" * 300_000 + ",1,2\n", "csv_broken"),
        ("a value of 2,000,000 characters", head + "x" * 2_000_000 + ",1,2\n", "csv_broken"),
        ("a line of 5,000,000 characters", head + "x,y," * 1_250_000 + "\n", "row_too_long"),
        ("201 columns", ",".join(f"列{n}" for n in range(201)) + "\n" + "1," * 201 + "\n", "too_many_columns"),
        ("100,000 columns", ",".join(["列"] * 100_000) + "\n1\n", "row_too_long"),
        ("1,000,000 delimiters", "," * 1_000_000 + "客户名称\n" + "," * 1_000_000 + "甲\n", "row_too_long"),
        ("one header many times", "客户名称," * 150 + "\n" + "甲," * 150 + "\n", TAKEN),
        ("headers that nobody sees", "\u200b,\ufeff,\u202e\n甲,乙,丙\n", "file_has_no_rows"),
        ("formulas", '=cmd|"/c calc"!A1,+1,@x\n=HYPERLINK("http://x"),-1,\'=1\n', TAKEN),
        ("SQL", head + "'; DROP TABLE customers; --,1,2\n", TAKEN),
        ("script", head + "<script>alert(1)</script>,1,2\n", TAKEN),
        ("words from right to left", head + "\u202eموش\u202c,1,2\n", TAKEN),
        ("combining marks", head + "甲" + "\u0301" * 5000 + ",1,2\n", TAKEN),
        ("rare characters", head + "𠮷𪚥👨‍👩‍👧,1,2\n", TAKEN),
        ("rows of every length", head + "".join("x," * n + "\n" for n in range(300)), TAKEN),
        ("a header in row 40", "\n" * 39 + _TEXT, TAKEN),
        ("a title of 9 rows", "标题,,\n" * 9 + _TEXT, TAKEN),
        ("a title of 30 rows", "标题,,\n" * 30 + _TEXT, TAKEN),
        ("60 rows too many", "客户名称\n" + "甲\n" * 1060, "too_many_rows"),
        ("no delimiter", "客户名称\n甲\n乙\n", TAKEN),
        ("every delimiter", "客户名称;手机,备注\t邮箱|QQ\n1;2,3\t4|5\n", TAKEN),
        ("a delimiter of its own", "客户名称^手机\n甲^1\n", TAKEN),
        ("sep=", "sep=;\n客户名称;手机\n甲;1\n", TAKEN),
    ):
        yield label, _csv(text, code)
    for number in range(10):
        noise = bytes(chance.choice(b"\",;\t|\n\r'=x1 ") for _ in range(3000))
        yield f"noise {number}", _csv(b"a,b\n1,2\n" + noise, "csv_broken" if number in (0, 8) else TAKEN)


def _encodings(chance: random.Random) -> Family:
    """How a CSV file may be written down."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk"):
        yield encoding, _csv(_TEXT.encode(encoding))
    yield "big5", _csv("客戶名稱,手機,備註\n台灣積體電路製造股份有限公司,13800138000,一\n".encode("big5"))
    yield "UTF-32", _csv(_TEXT.encode("utf-32"), TAKEN)
    yield (
        "UTF-16 with a half character",
        _csv(codecs.BOM_UTF16_LE + _TEXT.encode("utf-16-le") + b"x", "file_encoding_unknown"),
    )
    yield (
        "UTF-16 with half a pair",
        _csv(codecs.BOM_UTF16_LE + _TEXT.encode("utf-16-le") + b"\x00\xd8a\x00", "file_encoding_unknown"),
    )
    yield "two marks", _csv(codecs.BOM_UTF8 * 2 + _TEXT.encode())
    yield "a mark alone", _csv(codecs.BOM_UTF8, "file_empty")
    yield "another mark alone", _csv(codecs.BOM_UTF16_LE, "file_empty")
    yield "UTF-8 with a mark and GB18030", _csv(codecs.BOM_UTF8 + _TEXT.encode("gb18030"), "file_encoding_unknown")
    yield "UTF-8 and then GB18030", _csv(_TEXT.encode() + "丙公司,1,2\n".encode("gb18030"), "file_encoding_unknown")
    yield "UTF-8 cut in a character", _csv(_TEXT.encode() + "丙".encode()[:2], "file_encoding_unknown")
    yield "GB18030 cut in a character", _csv((_TEXT + "丙").encode("gb18030")[:-1], "file_encoding_unknown")
    yield (
        "half pairs as UTF-8",
        _csv((_TEXT + "\ud83d,1,2\n").encode("utf-8", "surrogatepass"), "file_encoding_unknown"),
    )
    yield "a slash written too long", _csv(_TEXT.encode() + b"\xc0\xaf,1,2\n", "file_encoding_unknown")
    yield "Latin", _csv("name,mobile\nCaf\xe9 M\xfcller,1\n".encode("latin-1"), "file_encoding_unknown")
    for number in range(5):
        yield f"noise {number}", _csv(bytes(chance.randrange(1, 256) for _ in range(2000)), "file_encoding_unknown")
