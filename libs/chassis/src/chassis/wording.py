"""Messages in Chinese and English by stable code, out of every package's ``messages/{zh,en}.toml``."""

import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("zh", "en")


def language_of(header: str) -> str:
    """`zh` or `en`, whichever an Accept-Language header or language tag asks for first; `zh` when unsure."""
    for part in header.lower().replace(";", ",").split(","):
        for language in LANGUAGES:
            if part.strip().startswith(language):
                return language
    return "zh"


@cache
def catalogue(packages: tuple[str, ...], language: str) -> dict[str, str]:
    """Code → template of the given packages; a later package overrides an earlier one."""
    texts: dict[str, str] = {}
    for package in packages:
        resource = files(package).joinpath("messages", f"{language}.toml")
        if resource.is_file():
            texts.update(tomllib.loads(resource.read_text(encoding="utf-8")))
    return texts


class Messages:
    """Finds and fills messages of one service."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = ("chassis", *packages)

    def text(self, codes: str | Iterable[str], language: str, parameters: dict[str, Any]) -> str:
        """The message of the first of `codes` that has one, filled with `parameters`; the last code itself if none has."""
        texts = catalogue(self._packages, language)
        wanted = [codes] if isinstance(codes, str) else list(codes)
        for code in wanted:
            if code in texts:
                return _fill(texts[code], parameters)
        return wanted[-1]

    def field_text(self, pointer: str, code: str, language: str, parameters: dict[str, Any]) -> str:
        """Like `text`, but `<field>.<code>` (indexes left out of the field) goes before the bare code."""
        field = ".".join(part for part in pointer.split("/") if part and not part.isdigit())
        return self.text((f"{field}.{code}", code), language, parameters)


def _fill(template: str, parameters: dict[str, Any]) -> str:
    try:
        return template.format_map(parameters)
    except (KeyError, IndexError):
        return template
