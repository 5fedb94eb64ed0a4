"""What the e-mail channel is, and when a mail is tried again."""

from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from typing import Self
from urllib.parse import unquote, urlsplit
from uuid import UUID

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
# Waits after each temporary failure; after the last, in two days and some hours, the mail is given up.
_BACKOFF = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 480, 960, 1440)]


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

    def message_id(self, delivery_id: UUID) -> str:
        """The Message-ID of a delivery: the same at each attempt, so that receivers can tell a repetition."""
        return f"<{delivery_id}@{parseaddr(self.sender)[1].rpartition('@')[2]}>"


@dataclass(frozen=True)
class Failure:
    """Why a mail was not taken. `permanent`: never try again; `disconnected`: the connection is of no more use."""

    code: str
    permanent: bool = False
    disconnected: bool = False


def wait_after(attempts: int) -> timedelta | None:
    """How long to wait after the failure of the `attempts`-th try; None: give up."""
    return _BACKOFF[attempts - 1] if attempts <= len(_BACKOFF) else None
