"""Names of uploaded files."""

import pytest

from chassis.http.uploads import clean_name


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("报价单.PDF", "报价单.PDF"),
        (r"C:\Users\李\合同.docx", "合同.docx"),
        ("../../etc/passwd", "passwd"),
        ("a\x00b\r\n\x1b.txt", "ab.txt"),
        ("合同\u202efdp.exe", "合同fdp.exe"),
        ("\u200b \ufeff照片.jpg ", "照片.jpg"),
        ("\ud800.gif", ".gif"),
        ("长" * 300 + ".docx", "长" * 195 + ".docx"),
        ("..", ""),
        ("/", ""),
    ],
)
def test_a_name_keeps_its_extension_and_nothing_that_misleads(sent: str, kept: str) -> None:
    assert clean_name(sent) == kept
