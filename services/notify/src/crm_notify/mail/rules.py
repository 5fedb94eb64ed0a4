"""What the e-mail channel is."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Self
from urllib.parse import unquote, urlsplit

from crm_notify.deliveries.rules import Failure, Outcome

_CLOSING = 421
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\d)")
# RFC 3463: no such mailbox or host, not an address, moved away; 5.1.7 and 5.1.8 are about the sender.
_UNKNOWN_ADDRESS = re.compile(r"5\.1\.(?![78]$)\d+")
_BURST_SECONDS = 10
_PAUSE, _LONGEST_PAUSE = timedelta(seconds=60), timedelta(minutes=15)
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True)
class SmtpServer:
    """Where mail is handed over. `scheme` smtp takes STARTTLS when offered, smtp+starttls insists, smtps is TLS from the
    start. `user` is empty without login.
    """

    scheme: str
    host: str
    port: int
    user: str
    password: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read SMTP_URL. Raises ValueError, which never repeats the URL: it may hold a password."""
        wanted = "needs smtp://, smtp+starttls:// or smtps:// and a host"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ValueError(wanted) from error
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError(wanted)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password)


@dataclass(frozen=True)
class MailChannel:
    """E-mail as configured: server, sender (`Name <address>`), and the address of the app for links."""

    server: SmtpServer
    sender: str
    public_url: str

    @property
    def domain(self) -> str:
        """The sender's domain, which Message-IDs end with."""
        return parseaddr(self.sender)[1].rpartition("@")[2]

    @property
    def name(self) -> str:
        """What the mail server is called in `mail_servers`."""
        return f"{self.server.host}:{self.server.port}"


def header_address(name: str, address: str) -> Address:
    """An address as the headers of a mail and its envelope have it: a domain in other letters as DNS has it (IDNA). Raises
    ValueError for what cannot be one.
    """
    local, _, domain = address.rpartition("@")
    try:
        return Address(" ".join(name.split()), addr_spec=f"{local}@{domain.encode('idna').decode()}")
    # What the standard library makes of rubbish.
    except (MessageError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise ValueError("not an address") from error


def refusal(code: int, text: str, *, of_receiver: bool = False) -> Failure:
    """What a reply that is none of success means; `of_receiver`: it is the reply to RCPT."""
    found = _ENHANCED.match(text.strip())
    enhanced = found.group() if found else ""
    if code == _CLOSING or (
        code in (450, 451, 452) and (enhanced.startswith("4.7.") or enhanced in ("4.3.2", "4.4.5"))
    ):
        outcome = Outcome.THROTTLED
    elif code < 500:
        outcome = Outcome.RETRY
    elif of_receiver and _names_no_mailbox(code, enhanced):
        outcome = Outcome.BOUNCED
    else:
        outcome = Outcome.FAILED
    return Failure(f"smtp_{code}", outcome, disconnected=code == _CLOSING)


def _names_no_mailbox(code: int, enhanced: str) -> bool:
    if not enhanced:
        return code == 550
    return code in (550, 551, 553) and bool(_UNKNOWN_ADDRESS.fullmatch(enhanced))


@dataclass(frozen=True)
class Pace:
    """How many mails a minute a server takes. Ten seconds' worth may go at once (GCRA)."""

    per_minute: int

    def free(self, next_mail_at: datetime, now: datetime) -> int:
        """How many mails may go now, when those sent so far are paid for at `next_mail_at`."""
        return max(0, int((now + self._between * self._burst - max(next_mail_at, now)) / self._between))

    def after(self, mails: int, next_mail_at: datetime, now: datetime) -> datetime:
        """The moment at which these mails too are paid for."""
        return max(next_mail_at, now) + self._between * mails

    @property
    def _between(self) -> timedelta:
        return timedelta(minutes=1) / self.per_minute

    @property
    def _burst(self) -> int:
        return max(1, self.per_minute * _BURST_SECONDS // 60)


def pause(repeated: int) -> timedelta:
    """How long to leave a server alone that asked for it `repeated` times in a row before this one."""
    return min(_PAUSE * (1 << min(repeated, 10)), _LONGEST_PAUSE)
