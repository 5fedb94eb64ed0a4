"""The mail catcher: takes every mail over SMTP, SMS and what robots say over HTTP, delivers none, shows them
at ``/local/mail``. Loopback only.

``python -m highsea_local.mailcatcher`` with HIGHSEA_HOME, SMTP_BIND and HTTP_BIND (host:port) in the environment.
"""

import os
from email.message import EmailMessage

import flask
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from highsea_local import web
from highsea_local.home import Home, default_home
from highsea_local.mailbox import Mail, Mailbox

PREFIX = "/local/mail"


class Sink:
    """What aiosmtpd calls for each mail."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keeps the mail and says so."""
        content = envelope.original_content or b""
        mail = self._mailbox.add(envelope.mail_from or "", envelope.rcpt_tos, content)
        return f"250 kept as {mail.id}"


def create_app(mailbox: Mailbox) -> flask.Flask:
    """The pages and the JSON interface over a mailbox."""
    app = web.create_app("mail")

    @app.get(f"{PREFIX}/")
    @app.get(PREFIX)
    def index() -> str:
        return flask.render_template("mails.html", mails=mailbox.newest_first(), prefix=PREFIX)

    @app.post(f"{PREFIX}/clear")
    def clear_and_return() -> "flask.typing.ResponseReturnValue":
        mailbox.clear()
        return flask.redirect(f"{PREFIX}?lang={web.language()}", 303)

    @app.get(f"{PREFIX}/<mail_id>")
    def show(mail_id: str) -> "flask.typing.ResponseReturnValue":
        try:
            mail = mailbox.get(mail_id)
        except KeyError:
            flask.abort(404)
        return flask.render_template("mail.html", mail=mail, prefix=PREFIX)

    @app.get(f"{PREFIX}/api/messages")
    def listing() -> flask.Response:
        return flask.jsonify([mail.as_json() for mail in mailbox.newest_first()])

    @app.delete(f"{PREFIX}/api/messages")
    def clear() -> "flask.typing.ResponseReturnValue":
        mailbox.clear()
        return "", 204

    @app.post(f"{PREFIX}/robots/<name>")
    def robot(name: str) -> flask.Response:
        said = flask.request.get_json()
        # 飞书 calls it content.text, the others text.content.
        text = said["content"]["text"] if "content" in said else said["text"]["content"]
        _keep(mailbox, "robot", name, text)
        return flask.jsonify(errcode=0, errmsg="ok", code=0)

    @app.post(f"{PREFIX}/sms/2010-04-01/Accounts/<account>/Messages.json")
    def sms(account: str) -> "flask.typing.ResponseReturnValue":
        """As Twilio answers."""
        form = flask.request.form
        mail = _keep(mailbox, "sms", form["To"], form["Body"])
        return flask.jsonify(sid=mail.id, status="queued", error_code=None), 201

    return app


def _keep(mailbox: Mailbox, sender: str, to: str, text: str) -> Mail:
    """Keeps what is no mail as one, its beginning as the subject."""
    mail = EmailMessage()
    mail["From"], mail["Subject"] = sender, " ".join(text.split())[:60]
    mail.set_content(text)
    return mailbox.add(sender, [to], mail.as_bytes())


def main() -> None:
    """Serves SMTP and HTTP until SIGTERM."""
    home = Home(default_home())
    mailbox = Mailbox(home.mail)
    host, _, port = os.environ["SMTP_BIND"].rpartition(":")
    Controller(Sink(mailbox), hostname=host, port=int(port)).start()
    web.serve(create_app(mailbox), os.environ["HTTP_BIND"])


if __name__ == "__main__":
    main()
