"""Settings of notify beyond those of every service."""

from email.utils import parseaddr

from pydantic import Field, ValidationInfo, field_validator

from chassis import sealing
from chassis.settings import ServiceSettings
from crm_notify.mail.rules import MailChannel, Pace, SmtpServer
from crm_notify.sms.rules import SmsProvider


class Settings(ServiceSettings):
    """Read once from the environment; wrong values stop the start with a message."""

    smtp_url: str = Field(
        default="",
        description="smtp://, smtp+starttls:// or smtps://[user:password@]host[:port]; empty: e-mail is off",
    )
    mail_from: str = Field(
        default="Highsea <highsea@localhost>", description="sender of e-mails, an address with or without a name"
    )
    mail_per_minute: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="most e-mails a minute, of all workers together; 0: as many as there are",
    )
    key_encryption_key: str = Field(
        default="",
        description="base64 of 32 random bytes; seals webhooks and secrets of robots; empty: none can be added",
    )
    robot_hosts: str = Field(
        default="",
        description="host or host:port that robots may have besides their vendors', also without TLS; comma separated",
    )
    mailing_recipients_per_day: int = Field(
        default=20_000, ge=1, le=1_000_000, description="most recipients of a member's mailings in a day, by channel"
    )
    # Before the URL, whose check wants it.
    sms_from: str = Field(default="", description="sender of SMS: a number, a name, or a messaging service (MG…)")
    sms_url: str = Field(
        default="",
        description="https://account:token@host of a provider with Twilio's Messages API; empty: SMS are off",
    )
    push_streams: int = Field(default=2000, ge=1, description="most streams of a push process; 503 beyond")

    @field_validator("key_encryption_key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        if value:
            sealing.sealing_key(value)
        return value

    @field_validator("sms_url")
    @classmethod
    def _readable_provider(cls, value: str, others: ValidationInfo) -> str:
        if value:
            SmsProvider.parse(value, others.data.get("sms_from", ""))
        return value

    @field_validator("smtp_url")
    @classmethod
    def _readable_server(cls, value: str) -> str:
        if value:
            SmtpServer.parse(value)
        return value

    @field_validator("mail_from")
    @classmethod
    def _readable_sender(cls, value: str) -> str:
        address = parseaddr(value)[1]
        name, _, domain = address.rpartition("@")
        if not name or not domain or not address.isascii() or len(value.splitlines()) > 1:
            raise ValueError("needs one address such as 'Highsea <highsea@example.com>'")
        return value

    @property
    def mail_domain(self) -> str:
        """The sender's domain, which Message-IDs end with."""
        return parseaddr(self.mail_from)[1].rpartition("@")[2]

    def mail_channel(self) -> MailChannel | None:
        """The e-mail channel, None while it is off."""
        if not self.smtp_url:
            return None
        return MailChannel(SmtpServer.parse(self.smtp_url), self.mail_from, self.public_url)

    def mail_pace(self) -> Pace | None:
        """How fast e-mails may go, None: as fast as they do."""
        return Pace(self.mail_per_minute) if self.mail_per_minute else None

    def sms_provider(self) -> SmsProvider | None:
        """Where SMS are handed over, None while they are off."""
        return SmsProvider.parse(self.sms_url, self.sms_from) if self.sms_url else None

    @property
    def sealing_key(self) -> bytes | None:
        """The 32 bytes that seal secrets; None: there is no key."""
        return sealing.sealing_key(self.key_encryption_key) if self.key_encryption_key else None

    @property
    def allowed_robot_hosts(self) -> frozenset[str]:
        """The hosts in `robot_hosts`."""
        return frozenset(filter(None, (one.strip().lower() for one in self.robot_hosts.split(","))))
