"""What one recipient of a mailing gets, as a draft for any channel, and the mail made of it (J-07, decision 0036)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from html import escape
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis import clock
from chassis.http.app import PREFIX
from chassis.objects import ObjectStore
from chassis.runtime import Runtime
from crm_notify.mail.rules import MailChannel, header_address
from crm_notify.mailings.model import Mailing, MailingAttachment, MailingRecipient
from crm_notify.mailings.rules import Status
from crm_notify.message_templates.queries import CommonValues, common_values
from crm_notify.message_templates.rules import Wording, filled, wording_of
from directory.tables import members

_FOOTER = "不想再收到此类邮件？退订 / No more such mails? Unsubscribe"


@dataclass
class Files:
    """Contents of attachments: those of one mailing are held at a time, whose mails come one after the other."""

    store: ObjectStore | None
    _held: tuple[UUID, Sequence[bytes]] = field(default=(UUID(int=0), ()))

    def of(self, mailing_id: UUID, attachments: Sequence[MailingAttachment]) -> Sequence[bytes]:
        """In the same order. Raises Unavailable, FileNotFoundError."""
        if attachments and self.store is not None and self._held[0] != mailing_id:
            self._held = (mailing_id, [self.store.get(one.object_key) for one in attachments])
        return self._held[1] if attachments else ()


@dataclass(frozen=True)
class Draft:
    """What a recipient gets. `reply_to` is the sender's own address, or empty; `unsubscribe_url` is empty for SMS."""

    mailing_id: UUID
    address: str
    name: str
    sender_name: str
    reply_to: str
    wording: Wording
    unsubscribe_url: str
    attachments: Sequence[MailingAttachment]
    files: Files


def drafts(runtime: Runtime, recipient_ids: Collection[UUID]) -> Mapping[UUID, Draft]:
    """By recipient; those whose mailing was cancelled or failed, or whose address was blanked, are left out."""
    with runtime.database.reading() as session:
        rows = session.execute(
            select(MailingRecipient, Mailing)
            .join(Mailing, Mailing.id == MailingRecipient.mailing_id)
            .where(MailingRecipient.id.in_(recipient_ids), MailingRecipient.address != "")
            .where(Mailing.status.not_in([Status.CANCELLED, Status.FAILED]))
        ).all()
        made = _Drafts(runtime, session, [mailing for _, mailing in rows])
        owners = {recipient.owner_id for recipient, _ in rows if recipient.owner_id}
        commons = {id_: common_values(session, id_, owners, clock.now()) for id_ in {row[1].actor_id for row in rows}}
        return {recipient.id: made.of(recipient, mailing, commons[mailing.actor_id]) for recipient, mailing in rows}


class _Drafts:
    """What the recipients of a mailing have in common is made once."""

    def __init__(self, runtime: Runtime, session: Session, mailings: Sequence[Mailing]) -> None:
        self._url = f"{runtime.settings.public_url.rstrip('/')}{PREFIX}/mailings/unsubscribe/"
        self._files = Files(runtime.objects)
        known = {mailing.id: mailing for mailing in mailings}
        self._wordings = {id_: wording_of(one.channel, one.subject, one.body) for id_, one in known.items()}
        attached = select(MailingAttachment).where(MailingAttachment.mailing_id.in_(known))
        self._attachments = session.scalars(attached.order_by(MailingAttachment.id)).all()
        senders = select(members.c.id, members.c.email).where(members.c.id.in_({one.actor_id for one in mailings}))
        self._emails: Mapping[UUID, str] = {row.id: row.email for row in session.execute(senders)}

    def of(self, recipient: MailingRecipient, mailing: Mailing, common: CommonValues) -> Draft:
        values = common.of(recipient.customer_name, recipient.contact_name, recipient.owner_id)
        token = recipient.unsubscribe_token
        return Draft(
            mailing_id=mailing.id,
            address=recipient.address,
            name=recipient.contact_name or recipient.customer_name,
            sender_name=common.sender_name,
            reply_to=self._emails.get(mailing.actor_id, ""),
            wording=filled(self._wordings[mailing.id], values),
            unsubscribe_url=f"{self._url}{token}" if token and self._wordings[mailing.id].html else "",
            attachments=[one for one in self._attachments if one.mailing_id == mailing.id],
            files=self._files,
        )


def compose(channel: MailChannel, message_id: str, draft: Draft) -> EmailMessage:
    """The mail. Raises ValueError for an address that cannot be one, Unavailable or FileNotFoundError for its files."""
    letter = EmailMessage()
    letter["Subject"] = draft.wording.subject
    letter["From"] = header_address(draft.sender_name, parseaddr(channel.sender)[1])
    letter["To"] = header_address(draft.name, draft.address)
    if draft.reply_to:
        letter["Reply-To"] = header_address(draft.sender_name, draft.reply_to)
    letter["Date"] = format_datetime(clock.now())
    letter["Message-ID"] = message_id
    text, html = draft.wording.text, draft.wording.html
    if draft.unsubscribe_url:
        url = draft.unsubscribe_url
        letter["List-Unsubscribe"] = _Whole(f"<{url}>")
        letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        text = f"{text}\n\n-- \n{_FOOTER}: {url}\n"
        html = f'{html}<hr><p style="font-size:12px"><a href="{escape(url)}">{_FOOTER}</a></p>'
    letter.set_content(text)
    letter.add_alternative(html, subtype="html")
    contents = draft.files.of(draft.mailing_id, draft.attachments)
    for one, content in zip(draft.attachments, contents, strict=True):
        maintype, _, subtype = one.content_type.partition("/")
        letter.add_attachment(content, maintype=maintype, subtype=subtype, filename=one.file_name)
    return letter


class _Whole(str):
    """A List-Unsubscribe that stays as it is: longer ones are encoded by the standard library, which no reader decodes."""

    __slots__ = ()
    name = "List-Unsubscribe"

    def fold(self, *, policy: EmailPolicy) -> str:
        return f"{self.name}: {self}{policy.linesep}"
