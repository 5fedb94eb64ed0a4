"""Who is told of what, and what became of it, in words."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def texts(language: str) -> Mapping[str, Mapping[str, str]]:
    """The words of a language (zh, en), by chapter and name."""
    return tomllib.loads(files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8"))


def receivers_of(kind: str, language: str) -> str:
    """Who is told of a kind; empty for one of a newer release."""
    return texts(language)["receivers"].get(kind, "")
