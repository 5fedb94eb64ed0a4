"""What the SMS provider is, what it answers, and how many parts a text has (J-15, J-17). Pure functions.

Spoken is the Messages API of Twilio, which several gateways understand: the text is free, the login goes with each request.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from crm_notify.deliveries.rules import UNKNOWN, Failure, Outcome

MOST_CHARACTERS = 500
_NUMBER = re.compile(r"\+[1-9][0-9]{7,14}")
# GSM 03.38: a text of these has 160 characters in one part, any other one 70; the second row counts twice.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("\f^{}\\[~]|€")
_THROTTLED = Failure("sms_throttled", Outcome.THROTTLED)
# No such number, or one that is no mobile.
_NO_NUMBER = Failure("sms_number_refused", Outcome.BOUNCED)
_BY_STATUS = {
    401: Failure("sms_login_refused"),
    403: Failure("sms_login_refused"),
    429: _THROTTLED,
    503: Failure("sms_busy"),
}
_BY_CODE: Mapping[int, Failure] = {
    20429: _THROTTLED,
    21611: _THROTTLED,
    21211: _NO_NUMBER,
    21217: _NO_NUMBER,
    21614: _NO_NUMBER,
    21610: Failure("address_unsubscribed", Outcome.SUPPRESSED),
}


@dataclass(frozen=True)
class SmsProvider:
    """Where SMS are handed over: `url` without the login; `sender` is a number, a name, or a messaging service (MG…)."""

    url: str
    account: str
    token: str
    sender: str

    @classmethod
    def parse(cls, url: str, sender: str) -> Self:
        """Read SMS_URL. Raises ValueError, which never repeats the URL: it holds a password."""
        wanted = "needs https://account:token@host"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ValueError(wanted) from error
        if parts.scheme not in ("http", "https") or not (parts.hostname and parts.username and parts.password):
            raise ValueError(wanted)
        if parts.query or parts.fragment:
            raise ValueError(wanted)
        if not sender:
            raise ValueError("needs SMS_FROM beside it")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        base = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
        return cls(base, unquote(parts.username), unquote(parts.password), sender)

    @property
    def messages_url(self) -> str:
        """Where messages are made."""
        return f"{self.url}/2010-04-01/Accounts/{self.account}/Messages.json"

    def form(self, number: str, text: str) -> dict[str, str]:
        """What is posted there."""
        kind = "MessagingServiceSid" if self.sender.startswith("MG") else "From"
        return {"To": number, kind: self.sender, "Body": text}


def unsendable(number: str, text: str) -> Failure | None:
    """Why a text cannot be sent to a number at all; None: it can."""
    if not _NUMBER.fullmatch(number):
        return Failure("sms_number_refused", Outcome.FAILED)
    if len(text) > MOST_CHARACTERS:
        return Failure("sms_too_long", Outcome.FAILED)
    return None


def segments(text: str) -> int:
    """How many parts a text is sent, and paid for, as."""
    if all(character in _GSM or character in _GSM_TWICE for character in text):
        size, one, several = sum(1 + (character in _GSM_TWICE) for character in text), 160, 153
    else:
        size, one, several = len(text.encode("utf-16-be")) // 2, 70, 67
    return math.ceil(size / several) if size > one else min(size, 1)


def failure_of(status: int, answer: Any) -> Failure | None:
    """What an answer means: None, it was taken; otherwise why not."""
    found: dict[str, Any] = answer if isinstance(answer, dict) else {}
    if 200 <= status < 300:
        return None if found.get("sid") else UNKNOWN
    if status >= 500 and status != 503:
        # Whoever stands in between may have lost the answer.
        return UNKNOWN
    code = found.get("code")
    number = code if isinstance(code, int) else status
    return _BY_STATUS.get(status) or _BY_CODE.get(number) or Failure(f"sms_{number}", Outcome.FAILED)
