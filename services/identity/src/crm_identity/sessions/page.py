"""The page that a link opens: whole in itself, so that a person gets in even where no web client is installed."""

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files

from chassis.wording import LANGUAGES, catalogue
from crm_identity.credentials.rules import MAX_PASSWORD, MIN_PASSWORD

_WORDS = ("title", "rules", "new", "again", "send", "other", "no_link", "different", "away", "done")


@cache
def rendered(language: str) -> tuple[str, dict[str, str]]:
    """The page in `language`, and headers that let it run and load nothing but what is in it."""
    style, script, page = _file("password.css"), _file("password.js"), _file("password.html")
    values = {
        "language": language,
        "style": style,
        "script": script,
        "words": json.dumps(_words(), ensure_ascii=False).replace("<", "\\u003c"),
        "least": str(MIN_PASSWORD),
        "most": str(MAX_PASSWORD),
    }
    for name, value in values.items():
        page = page.replace("{" + name + "}", value, 1)
    return page, _headers(style, script)


def _words() -> dict[str, dict[str, str]]:
    lengths = {"{min_length}": str(MIN_PASSWORD), "{max_length}": str(MAX_PASSWORD)}
    found: dict[str, dict[str, str]] = {}
    for language in LANGUAGES:
        texts = catalogue(("crm_identity",), language)
        found[language] = {name: texts[f"password_page_{name}"] for name in _WORDS}
        for placeholder, length in lengths.items():
            found[language]["rules"] = found[language]["rules"].replace(placeholder, length)
    return found


def _headers(style: str, script: str) -> dict[str, str]:
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
    }


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _file(name: str) -> str:
    return files("crm_identity.sessions").joinpath(name).read_text(encoding="utf-8")
