"""The texts of mailings: their variables, and what HTML they may hold (J-07, J-08, decision 0036). Pure functions."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from html.parser import HTMLParser
from typing import Literal

import nh3

from chassis.errors import FieldError, invalid
from crm_notify.deliveries.rules import Channel
from crm_notify.message_templates.plain import text_of

# How customers are written to.
MailingChannel = Literal[Channel.EMAIL, Channel.SMS]
MOST_SUBJECT, MOST_BODY, MOST_SMS = 200, 100_000, 500
_PLACE = re.compile(r"\{\{([^{}]*)\}\}")
_ATTRIBUTES = {**nh3.ALLOWED_ATTRIBUTES, "*": {"style", "title"}}
_STYLES = frozenset(
    [
        "color",
        "background-color",
        "font-size",
        "font-weight",
        "font-style",
        "text-align",
        "text-decoration",
        "line-height",
        "width",
    ]
)
_SCHEMES = {"http", "https", "mailto", "tel"}


class Variable(StrEnum):
    """What a text may name, as `{{customer_name}}`, or with words for when there is none: `{{contact_name|您}}`."""

    CUSTOMER_NAME = "customer_name"
    CONTACT_NAME = "contact_name"
    OWNER_NAME = "owner_name"
    SENDER_NAME = "sender_name"
    COMPANY = "company"
    TODAY = "today"


Values = Mapping[Variable, str]


@dataclass(frozen=True)
class Wording:
    """Subject and body as written, with variables in them. `html` is cleaned and empty for SMS, which have no subject."""

    subject: str
    html: str
    text: str


def written(channel: Channel, subject: str, body: str) -> Wording:
    """The text as it is kept. Raises Invalid that names what cannot be sent."""
    wording = wording_of(channel, subject, cleaned(body) if channel is Channel.EMAIL else body)
    errors = [*_wrong_variables("/subject", wording.subject), *_wrong_variables("/body", wording.html or wording.text)]
    if channel is Channel.EMAIL and not wording.subject:
        errors.append(FieldError("/subject", "missing"))
    if channel is Channel.SMS and wording.subject:
        errors.append(FieldError("/subject", "sms_without_subject"))
    if channel is Channel.SMS and len(body) > MOST_SMS:
        errors.append(FieldError("/body", "string_too_long", {"max_length": MOST_SMS}))
    if len(wording.html) > MOST_BODY:  # what stands for one character may take five
        errors.append(FieldError("/body", "string_too_long", {"max_length": MOST_BODY}))
    if not wording.text and "<img" not in wording.html:
        errors.append(FieldError("/body", "missing"))
    if _variable_in_tag(wording.html):
        errors.append(FieldError("/body", "variable_in_tag"))
    if errors:
        raise invalid(*errors)
    return wording


def wording_of(channel: str, subject: str, body: str) -> Wording:
    """The text that was kept as `subject` and `body`."""
    subject = " ".join(subject.split())
    if channel == Channel.EMAIL:
        return Wording(subject, body, text_of(body))
    return Wording(subject, "", body.strip())


def cleaned(html: str) -> str:
    """HTML without scripts, forms, foreign styles and links to anything but pages, addresses and telephones."""
    return nh3.clean(html, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, filter_style_properties=set(_STYLES))


def filled(wording: Wording, values: Values) -> Wording:
    """The text for one receiver. Values are escaped in HTML, and never hold variables themselves."""
    return Wording(
        " ".join(_filled(wording.subject, values, str).split()),
        _filled(wording.html, values, escape),
        _filled(wording.text, values, str),
    )


def _filled(text: str, values: Values, shown: Callable[[str], str]) -> str:
    def value(place: re.Match[str]) -> str:
        name, _, otherwise = place.group(1).partition("|")
        found = " ".join(values[Variable(name.strip())].split())
        return shown(found) if found else otherwise.strip()

    return _PLACE.sub(value, text)


def _wrong_variables(pointer: str, text: str) -> Iterator[FieldError]:
    known = ", ".join(f"{{{{{one}}}}}" for one in Variable)
    for inside in dict.fromkeys(_PLACE.findall(text)):
        name = inside.partition("|")[0].strip()
        if name not in list(Variable):
            yield FieldError(pointer, "unknown_variable", {"variable": name[:100], "known": known})


def _variable_in_tag(html: str) -> bool:
    """Whether a variable is part of a link or another attribute: what it stands for could be any address."""
    parser = _Attributes()
    parser.feed(html)
    parser.close()
    return parser.found


class _Attributes(HTMLParser):
    found = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found = self.found or any("{{" in (value or "") or "}}" in (value or "") for _, value in attrs)
