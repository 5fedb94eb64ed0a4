"""README.md of a chart: its values and the keys of its Secret as tables."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.helm.generate.values import Value

_SHARED = "What all charts share, and what every service has, is in [common](../common/README.md)."


def document(chart: Mapping[str, str], values: Value, secrets: Mapping[str, str]) -> str:
    """The file, of what Chart.yaml says."""
    lines = [f"# {chart['name']}", "", f"{chart['description']}. How to install it: [charts](../README.md).", ""]
    lines += ["## Values", ""] + ([] if chart["name"] == "common" else [_SHARED, ""])
    lines += _table("value | default", _rows(values, "")) if values.children else ["None of its own."]
    if secrets:
        rows = (f"| `{name}` | {_cell(text)} |" for name, text in secrets.items())
        lines += ["", "## Keys of its Secret", "", *_table("key", rows)]
    return "\n".join([*lines, "", "<!-- Written by `make charts`. -->"]) + "\n"


def _table(heads: str, rows: Iterator[str]) -> list[str]:
    return [f"| {heads} | |", "|---" * (heads.count("|") + 2) + "|", *rows]


def _rows(value: Value, path: str) -> Iterator[str]:
    for name, child in value.children.items():
        at = f"{path}.{name}" if path else name
        if child.children:
            if child.description:
                yield f"| `{at}` | | {_cell(child.description)} |"
            yield from _rows(child, at)
        else:
            yield f"| `{at}` | {_default(child.default)} | {_cell(child.description)} |"


def _default(value: Any) -> str:
    return "" if value == "" else _cell(f"`{value if isinstance(value, str) else json.dumps(value)}`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
