"""Mails on disk, newest last, at most 500: what the mail catcher keeps and shows."""

import email
import email.policy
import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

KEPT = 500
ENVELOPE_FROM, ENVELOPE_TO = "X-Envelope-From", "X-Envelope-To"


@dataclass(frozen=True)
class Mail:
    """One mail as its reader sees it. ``received_at`` is UTC; ``to`` are the addresses it was delivered to."""

    id: str
    received_at: datetime
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """What the interface answers: id, from, to, subject, date, text, html."""
        date = self.received_at.isoformat().replace("+00:00", "Z")
        entry: dict[str, Any] = {"id": self.id, "from": self.sender, "to": list(self.to), "subject": self.subject}
        return entry | {"date": date, "text": self.text, "html": self.html}


class Mailbox:
    """The mails of a folder, one ``.eml`` file each. Safe to use from several threads."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        self._folder, self._kept = folder, kept
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)
        self._mails = {path.stem: read(path.stem, path.read_bytes()) for path in sorted(folder.glob("*.eml"))}

    def add(self, sender: str, to: Sequence[str], content: bytes) -> Mail:
        """Keeps a mail as it came over the wire, and forgets the oldest above the limit. Raises OSError."""
        now = datetime.now(UTC)
        with self._lock:
            name = f"{now:%Y%m%dT%H%M%S%f}-{next(self._numbers) % 1_000_000:06d}"
        envelope = f"{ENVELOPE_FROM}: {_one_line(sender)}\r\n{ENVELOPE_TO}: {_one_line(', '.join(to))}\r\n"
        whole = envelope.encode("utf-8", "replace") + content
        mail = read(name, whole)
        self._path(name).write_bytes(whole)
        with self._lock:
            self._mails[name] = mail
            while len(self._mails) > self._kept:
                self._forget(next(iter(self._mails)))
        return mail

    def newest_first(self) -> list[Mail]:
        """All mails kept."""
        with self._lock:
            return list(reversed(self._mails.values()))

    def get(self, mail_id: str) -> Mail:
        """One mail. Raises KeyError."""
        with self._lock:
            return self._mails[mail_id]

    def clear(self) -> None:
        """Forgets all mails."""
        with self._lock:
            for name in list(self._mails):
                self._forget(name)

    def _forget(self, name: str) -> None:
        del self._mails[name]
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.eml"


def read(mail_id: str, content: bytes) -> Mail:
    """Takes a mail apart; what cannot be decoded shows as replacement signs, never as an error."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    headers = tuple((name, _header(message, name)) for name in dict.fromkeys(message.keys()))
    values = dict(headers)
    to = values.get(ENVELOPE_TO, "")
    return Mail(
        id=mail_id,
        received_at=_received_at(mail_id),
        sender=values.get("From") or values.get(ENVELOPE_FROM, ""),
        to=tuple(part.strip() for part in to.split(",") if part.strip()),
        subject=values.get("Subject", ""),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        headers=headers,
    )


def _received_at(mail_id: str) -> datetime:
    try:
        return datetime.strptime(mail_id.partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message[name])
    except (ValueError, IndexError, AttributeError, TypeError):  # the standard library on malformed headers
        return "?"


def _body(message: EmailMessage, kind: str) -> str:
    try:
        part = message.get_body((kind,))
        return "" if part is None else str(part.get_content())
    except (LookupError, ValueError, AttributeError, TypeError):
        return ""


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
