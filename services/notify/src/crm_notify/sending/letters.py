"""A notification as an e-mail: subject, text part always, a simple HTML part."""

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from jinja2 import PackageLoader, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chassis import clock
from crm_notify.mail.rules import MailChannel
from crm_notify.notifications.texts import Words

# Names and file names come from users: HTML parts escape them, and no template can reach beyond its values.
_TEMPLATES = ImmutableSandboxedEnvironment(
    loader=PackageLoader("crm_notify.sending"), autoescape=select_autoescape(["html.j2"]), keep_trailing_newline=True
)


def compose(
    channel: MailChannel, message_id: str, *, name: str, address: str, words: Words, language: str
) -> EmailMessage:
    """The mail to one member. Raises ValueError for an address that cannot be one."""
    context = {"name": name, "words": words, "url": channel.public_url}
    sender_name, sender = parseaddr(channel.sender)
    letter = EmailMessage()
    letter["Subject"] = words.title
    letter["From"] = _address(sender_name, sender)
    letter["To"] = _address(name, address)
    letter["Date"] = format_datetime(clock.now())
    letter["Message-ID"] = message_id
    # Out-of-office replies and other robots must not answer (RFC 3834).
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(_TEMPLATES.get_template(f"{language}/letter.txt.j2").render(context))
    letter.add_alternative(_TEMPLATES.get_template(f"{language}/letter.html.j2").render(context), subtype="html")
    return letter


def _address(name: str, address: str) -> Address:
    try:
        return Address(" ".join(name.split()), addr_spec=address)
    except (
        MessageError,
        LookupError,
        AttributeError,
        TypeError,
    ) as error:  # what the standard library makes of rubbish
        raise ValueError("not an address") from error
