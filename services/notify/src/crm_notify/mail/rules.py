"""What the e-mail channel is."""

from dataclasses import dataclass
from email.utils import parseaddr
from typing import Self
from urllib.parse import unquote, urlsplit

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
