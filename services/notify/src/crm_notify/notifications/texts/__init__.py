"""Makes the words of a notification, in the language of whoever reads it, at the moment it is read."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

# Words are plain text; whoever puts them into HTML escapes them.
_PLAIN = ImmutableSandboxedEnvironment(autoescape=False)


@dataclass(frozen=True)
class Words:
    """A notification in words: plain text, `title` on one line."""

    title: str
    text: str


def named_members(parameters: Mapping[str, Any]) -> set[UUID]:
    """The members whose names the words need."""
    return {UUID(id_) for id_ in _member_ids(parameters)}


def words(kind: str, parameters: Mapping[str, Any], names: Mapping[UUID, str], language: str) -> Words:
    """The words of one notification. `names` holds the names of `named_members`; `language` is zh or en. A sample says so,
    in the language that it was asked for in.

    A kind written by a newer release has no words here yet: its own name stands in for them.
    """
    language = parameters.get("sample_language") or language
    templates = _templates(language)
    if kind not in templates:
        return Words(kind, "")
    context = _context(parameters, names, language)
    phrases = {name: template.render(context) for name, template in templates["phrases"].items()}
    title, text = (templates[kind][part].render({**context, **phrases}) for part in ("title", "text"))
    mark = phrases["sample"] if parameters.get("sample") else ""
    return Words(mark + " ".join(title.split()), text)


def name_of_kind(kind: str, language: str) -> str:
    """What preferences call a kind; its own name when a newer release wrote it."""
    return _source(language)["kinds"].get(kind, kind)


def name_of_category(category: str, language: str) -> str:
    """What users call a category of kinds."""
    return _source(language)["categories"][category]


def _context(parameters: Mapping[str, Any], names: Mapping[UUID, str], language: str) -> dict[str, Any]:
    def name(id_: str) -> str:
        return names.get(UUID(id_), "?")

    return {
        **parameters,
        "actor": name(parameters["actor_id"]) if parameters.get("actor_id") else "",
        "left": [name(id_) for id_ in parameters.get("left_member_ids", ())],
        "expiring": [
            {**line, "owner": name(line["owner_id"]) if line["owner_id"] else ""}
            for line in parameters.get("expiring", ())
        ],
        "due": [
            {**group, "name": _source(language)["due_kinds"].get(group["kind"], group["kind"])}
            for group in parameters.get("due", ())
        ],
        "reasons": [_source(language)["reasons"].get(reason, reason) for reason in parameters.get("reasons", ())],
        "cause": _source(language)["causes"].get(parameters.get("cause", ""), ""),
    }


def _member_ids(parameters: Mapping[str, Any]) -> Sequence[str]:
    actor, owners = parameters.get("actor_id"), (line["owner_id"] for line in parameters.get("expiring", ()))
    return [id_ for id_ in (actor, *parameters.get("left_member_ids", ()), *owners) if id_]


@cache
def _source(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads(files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8"))


@cache
def _templates(language: str) -> dict[str, dict[str, Template]]:
    return {
        name: {part: _PLAIN.from_string(source) for part, source in parts.items()}
        for name, parts in _source(language).items()
    }
