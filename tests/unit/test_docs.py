"""The documents say what is there."""

import re
from pathlib import Path

import pytest

from tests.support.repository import ROOT

DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {part for part in path.relative_to(ROOT).parts if part.startswith(".")} and "node_modules" not in path.parts
)
FOLDERS = "libs|services|deploy|docs|proto|tests|bench|requirements"

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))

    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


@each_document
def test_files_that_are_named_exist(document: Path) -> None:
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", document.read_text(encoding="utf-8"))

    assert [name for name in named if not (ROOT / name).exists()] == []


@each_document
def test_make_targets_that_are_named_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    code = " ".join(re.findall(r"```.*?```|`[^`\n]+`", document.read_text(encoding="utf-8"), re.DOTALL))

    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) - targets == set()
