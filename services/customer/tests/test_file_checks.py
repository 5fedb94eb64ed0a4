"""What is taken as a file and what is refused, each in its own words and within its bounds (F-35, F-38, X-24)."""

import io
import multiprocessing
import resource
from pathlib import Path

import pytest
from PIL import Image

from chassis.wording import Messages
from crm_customer.files.inspecting import MEMORY_BYTES, inspect_file
from crm_customer.files.rules import MORE_TYPES, RefusedFile, extension_of, is_program
from crm_customer.settings import Settings
from services.customer.tests.hostile import SAMPLES, Sample, office, ole, picture


def _refusal(folder: Path, sample: Sample, *more: str) -> str:
    path = folder / "upload"
    path.write_bytes(sample.content)
    try:
        inspect_file(path, extension_of(sample.file_name, more))
    except RefusedFile as refused:
        return refused.code
    return ""


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_is_taken_or_refused_for_its_own_reason(tmp_path: Path, name: str) -> None:
    assert _refusal(tmp_path, SAMPLES[name]) == SAMPLES[name].code


def _check_the_worst(folder: Path) -> int:
    """The most bytes that any checking child of this process used."""
    for sample in SAMPLES.values():
        if sample.code in ("archive_too_large", "image_too_large"):
            assert _refusal(folder, sample) == sample.code
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def test_checking_the_worst_costs_no_more_than_a_process_may_use(tmp_path: Path) -> None:
    # Linux counts the memory of whoever starts a process as the new one's peak: these are started by a small one.
    with multiprocessing.get_context("spawn").Pool(1) as small_process:
        assert small_process.apply(_check_the_worst, (tmp_path,)) < MEMORY_BYTES / 2


def test_every_refusal_has_words_in_both_languages() -> None:
    messages = Messages(("crm_customer",))

    for code in {sample.code for sample in SAMPLES.values()} - {""}:
        words = {messages.field_text("/file", code, language, {}) for language in ("zh", "en")}
        assert len(words) == 2, code
        assert code not in words


@pytest.mark.parametrize(
    ("file_name", "content", "code"),
    [
        ("a.xlsx", office("xlsx"), ""),
        ("a.pptx", office("pptx"), ""),
        ("a.jpeg", picture("JPEG"), ""),
        ("a.ppt", ole("PowerPoint Document"), ""),
        (
            "a.ppt",
            ole("PowerPoint Document", content=b"\x02\0\0\x04\x0c\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0"),
            "file_has_macros",
        ),
        ("a.xlsx", office("xlsx", xl__macrosheets__sheet1=b"<x/>"), "file_has_macros"),
        ("a.pptx", office("docx"), "file_content_mismatch"),
    ],
)
def test_a_setting_adds_types_that_are_checked_as_well(
    tmp_path: Path, file_name: str, content: bytes, code: str
) -> None:
    assert _refusal(tmp_path, Sample(file_name, content), *MORE_TYPES) == code


def test_a_type_that_cannot_be_checked_is_no_setting(keys, monkeypatch, capsys) -> None:
    monkeypatch.setenv("FILE_TYPES", "xlsx, exe")

    with pytest.raises(SystemExit):
        Settings.load()

    assert "setting FILE_TYPES: Value error, cannot check exe" in capsys.readouterr().err


def test_a_preview_is_small_upright_and_without_what_the_picture_told(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "GPS of a customer"  # turned by 90°
    path = tmp_path / "a.jpg"
    path.write_bytes(picture("JPEG", (2000, 1000), exif=exif))

    content = inspect_file(path, "jpg")

    assert content is not None
    with Image.open(io.BytesIO(content)) as preview:
        assert (preview.format, preview.size) == ("WEBP", (200, 400))
        assert not preview.getexif()
    assert b"GPS" not in content


def test_a_process_that_breaks_down_is_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RefusedFile, match="file_unreadable"):
        inspect_file(tmp_path / "missing", "png")


@pytest.mark.parametrize(
    "ending", ["exe", "BAT", "js", "vbs", "scr", "msi", "jar", "lnk", "cmd", "ps1", "wsf", "exe. ."]
)
def test_a_program_is_known_by_its_name(ending: str) -> None:
    assert is_program(f"报价.pdf.{ending}")
    assert not is_program(ending.rstrip(". "))
    assert not is_program(f"报价.{ending}.pdf")
