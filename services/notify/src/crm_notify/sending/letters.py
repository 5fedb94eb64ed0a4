"""A message to a member as an e-mail: subject, text part always, a simple HTML part."""

from datetime import date
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from jinja2 import PackageLoader, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chassis import clock
from crm_notify.mail.rules import MailChannel, header_address
from crm_notify.notifications.texts import name_of_category
from crm_notify.sending.queries import Receiver
from crm_notify.sending.rules import sections

# Names and file names come from users: HTML parts escape them, and no template can reach beyond its values.
_TEMPLATES = ImmutableSandboxedEnvironment(
    loader=PackageLoader("crm_notify.sending"),
    autoescape=select_autoescape(["html.j2"]),
    keep_trailing_newline=True,
    trim_blocks=True,
)
_SUBJECTS = {"zh": "{day} 的 {count} 条通知", "en": "{count} notifications of {day}"}
_MOST = 200


def compose(channel: MailChannel, message_id: str, receiver: Receiver, today: date) -> EmailMessage:
    """The mail that tells a member one thing, or several as the digest of `today`. Raises ValueError for an address that
    cannot be one.
    """
    url, language = channel.public_url.rstrip("/"), receiver.language
    context: dict[str, object] = {"name": receiver.name, "url": url, "language": language}
    notified = receiver.notified()
    if len(notified) == 1:
        [only] = notified
        return _letter(channel, message_id, receiver, only.words.title, "letter", {**context, "only": only})
    named = {name_of_category(category, language): told for category, told in sections(notified[-_MOST:]).items()}
    subject = _SUBJECTS[language].format(day=today.isoformat(), count=len(notified))
    context |= {"subject": subject, "sections": named, "more": len(notified[:-_MOST])}
    return _letter(channel, message_id, receiver, subject, "digest", context)


def _letter(
    channel: MailChannel, message_id: str, receiver: Receiver, subject: str, template: str, context: dict[str, object]
) -> EmailMessage:
    sender_name, sender = parseaddr(channel.sender)
    letter = EmailMessage()
    letter["Subject"] = subject
    letter["From"] = header_address(sender_name, sender)
    letter["To"] = header_address(receiver.name, receiver.address)
    letter["Date"] = format_datetime(clock.now())
    letter["Message-ID"] = message_id
    # Out-of-office replies and other robots must not answer (RFC 3834).
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(_rendered(receiver.language, f"{template}.txt", context))
    letter.add_alternative(_rendered(receiver.language, f"{template}.html", context), subtype="html")
    return letter


def _rendered(language: str, name: str, context: dict[str, object]) -> str:
    return _TEMPLATES.get_template(f"{language}/{name}.j2").render(context)
