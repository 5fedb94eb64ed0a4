"""A values.yaml as a tree: each value with its default, the comment above it, and what `# @ {…}` adds to its schema."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

_SCHEMA = "# @ "


@dataclass(frozen=True)
class Value:
    """One value. `children` are those of a mapping that has entries and no schema of its own."""

    default: Any = None
    description: str = ""
    annotation: dict[str, Any] = field(default_factory=dict)
    children: dict[str, "Value"] = field(default_factory=dict)

    def __getitem__(self, key: str) -> "Value":
        return self.children[key]


def parse(path: Path) -> Value:
    """The tree of a file. Raises OSError, yaml.YAMLError."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, yaml.SafeLoader)
    assert root is not None
    return _value(root, yaml.safe_load(text), text.splitlines(), 0)


def merged(*trees: Value) -> Value:
    """One tree of several: later defaults win, a comment is inherited where there is none."""
    result = Value({})
    for tree in trees:
        result = _merged(result, tree)
    return result


def _merged(below: Value, above: Value) -> Value:
    names = [*below.children, *(name for name in above.children if name not in below.children)]
    children = {
        name: _merged(below.children[name], above.children[name])
        if name in below.children and name in above.children
        else above.children.get(name) or below.children[name]
        for name in names
    }
    return replace(
        above,
        description=above.description or below.description,
        annotation=below.annotation | above.annotation,
        children=children,
    )


def _value(node: yaml.Node, default: Any, lines: list[str], line: int) -> Value:
    description, annotation = _comment(lines, line)
    children = {}
    if isinstance(node, yaml.MappingNode) and not annotation:
        for key, below in node.value:
            children[key.value] = _value(below, default[key.value], lines, key.start_mark.line)
    return Value(default, description, annotation, children)


def _comment(lines: list[str], line: int) -> tuple[str, dict[str, Any]]:
    """The comment that ends right above a line, and its schema."""
    first = line
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    comment = [text.strip() for text in lines[first:line]]
    annotation: dict[str, Any] = {}
    for text in comment:
        if text.startswith(_SCHEMA):
            annotation |= yaml.safe_load(text.removeprefix(_SCHEMA))
    return " ".join(text.removeprefix("#").strip() for text in comment if not text.startswith(_SCHEMA)), annotation
