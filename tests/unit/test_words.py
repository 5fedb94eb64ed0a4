"""Whatever Highsea refuses is said in Chinese and in English."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.repository import ROOT, calls, literal, name_of, package_folders, sources, tree_of, words

OPTIONS = {"errors", "retry_after_seconds", "extra"}
# (called name, place of the code among its arguments, whether other keywords fill the words)
CODED = {"FieldError": 1, "PydanticCustomError": 0}
RESULTS = {"skipped": 1, "failed": 1}  # batch.model.ItemResult


def _placeholders(template: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", template))


def _refusals() -> set[str]:
    """Refusal and everything derived from it, by name."""
    bases = {
        node.name: {name_of(base) for base in node.bases}
        for path in sources()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
    }
    found = {"Refusal"}
    while more := {name for name, parents in bases.items() if parents & found} - found:
        found |= more
    return found


def _package(path: Path) -> Path:
    relative = path.relative_to(ROOT).parts
    return ROOT.joinpath(*relative[: relative.index("src") + 2])


def _known(package: Path) -> dict[str, str]:
    shared = [ROOT / "libs/chassis/src/chassis", ROOT / "libs/batch/src/batch"]
    return {code: text for folder in (*shared, package) for code, text in words(folder, "zh").items()}


@pytest.mark.parametrize("package", package_folders(), ids=lambda path: path.name)
def test_both_languages_have_the_same_codes_with_the_same_parameters(package: Path) -> None:
    chinese, english = words(package, "zh"), words(package, "en")

    assert set(chinese) == set(english)
    assert {code: _placeholders(text) for code, text in chinese.items()} == {
        code: _placeholders(text) for code, text in english.items()
    }


def test_every_code_that_is_raised_has_words_and_fills_them() -> None:
    wrong: list[str] = []
    refusals = _refusals()
    for path in sources():
        known = _known(_package(path))
        for call in calls(path):
            name = name_of(call.func)
            if name in refusals:
                wrong += _wrong(path, call, 0, known, fills=True)
            elif name in CODED:
                wrong += _wrong(path, call, CODED[name], known, fills=False)
            elif name in RESULTS and isinstance(call.func, ast.Attribute) and name_of(call.func.value) == "ItemResult":
                wrong += _wrong(path, call, RESULTS[name], known, fills=True)

    assert wrong == []


def _wrong(path: Path, call: ast.Call, place: int, known: dict[str, str], *, fills: bool) -> list[str]:
    by_name = {keyword.arg: keyword.value for keyword in call.keywords}
    code = literal(call.args[place] if len(call.args) > place else by_name.get("code"))
    if code is None:
        return []
    where = f"{path.relative_to(ROOT)}:{call.lineno}"
    if code not in known and not any(key.endswith(f".{code}") for key in known):
        return [f"{where}: {code} has no words"]
    given = {keyword.arg for keyword in call.keywords} - OPTIONS
    lacking = _placeholders(known.get(code, "")) - given
    if fills and lacking and None not in given:
        return [f"{where}: {code} is not given {sorted(lacking)}"]
    return []
