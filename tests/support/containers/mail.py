"""The mail catcher of `make run`, in the process of the tests, where containers reach it as the host `mail`."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.controller import Controller
from werkzeug.serving import make_server

from highsea_local.mailbox import Mailbox
from highsea_local.mailcatcher import Sink, create_app
from highsea_local.ports import free_port

HOST = "mail"
REACHES_MAIL = {HOST: "host-gateway"}  # `extra_hosts` of a container


class MailCatcher:
    """Takes every mail over SMTP, delivers none, shows them at /local/mail."""

    def __init__(self, folder: Path) -> None:
        mailbox = Mailbox(folder)
        self._smtp = Controller(Sink(mailbox), hostname="0.0.0.0", port=free_port())
        pages = create_app(mailbox)
        pages.config["TRUSTED_HOSTS"] = None  # the gateway is reached at whatever address Docker gives it
        self._pages = make_server("0.0.0.0", 0, pages, threaded=True)

    @property
    def smtp_url(self) -> str:
        """Where notify hands in mails."""
        return f"smtp://{HOST}:{self._smtp.port}"

    @property
    def pages_url(self) -> str:
        """Where the gateway finds the pages."""
        return f"http://{HOST}:{self._pages.port}"

    def __enter__(self) -> Self:
        self._smtp.start()
        threading.Thread(target=self._pages.serve_forever, name="mail", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pages.shutdown()
        self._smtp.stop()
