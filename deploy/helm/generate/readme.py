"""README.md of a chart: its values as a table."""

import json
from collections.abc import Iterator
from typing import Any

from deploy.helm.generate.values import Value

_SHARED = "Values that all charts share, and those every service has, are in [common](../common/README.md)."


def document(name: str, description: str, values: Value) -> str:
    """The file."""
    rows = list(_rows(values, ""))
    table = ["| value | default | |", "|---|---|---|", *rows] if rows else ["It has no values of its own."]
    lines = [f"# {name}", "", f"{description}. Written by `make charts`; see [how to install](../README.md).", ""]
    lines += [] if name == "common" else [_SHARED, ""]
    return "\n".join([*lines, *table]) + "\n"


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
