"""The local pages: mails, landing page, logs."""

import json
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from flask.testing import FlaskClient

from highsea_local import landing, mailcatcher
from highsea_local.files import workspace
from highsea_local.health import AMBER, GREEN, RED, Health, HealthBoard, worst
from highsea_local.home import Home
from highsea_local.mailbox import Mailbox
from highsea_local.ports import free_port


@pytest.fixture
def home() -> Iterator[Home]:
    with workspace() as folder:
        home = Home(folder)
        home.prepare()
        yield home


class Board(HealthBoard):
    """Says what the test wants."""

    def __init__(self, *parts: Health) -> None:
        self._parts = list(parts)

    def now(self) -> list[Health]:
        return self._parts


def page(home: Home, *parts: Health) -> FlaskClient:
    return landing.create_app(home, Board(*parts)).test_client()


def message(subject: str, text: str, html: str = "") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "公海 <crm@example.com>", "fang@example.com", subject
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


def test_mail_over_smtp_shows_in_the_interface(home: Home) -> None:
    mailbox = Mailbox(home.mail)
    controller = Controller(mailcatcher.Sink(mailbox), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        with smtplib.SMTP("127.0.0.1", controller.port) as client:
            client.send_message(message("客户即将回收", "还剩 3 天"), to_addrs=["fang@example.com", "li@example.com"])
    finally:
        controller.stop()

    client = mailcatcher.create_app(mailbox).test_client()
    (mail,) = client.get("/local/mail/api/messages").json or []

    assert mail["from"] == "公海 <crm@example.com>"
    assert mail["to"] == ["fang@example.com", "li@example.com"]
    assert (mail["subject"], mail["text"].strip()) == ("客户即将回收", "还剩 3 天")
    assert mail["date"].endswith("Z")


def test_mails_survive_a_restart_and_the_oldest_are_forgotten(home: Home) -> None:
    mailbox = Mailbox(home.mail, kept=3)
    for number in range(5):
        mailbox.add("a@example.com", ["b@example.com"], message(f"mail {number}", "x").as_bytes())

    again = Mailbox(home.mail, kept=3)

    assert [mail.subject for mail in again.newest_first()] == ["mail 4", "mail 3", "mail 2"]
    assert len(list(home.mail.iterdir())) == 3


def test_delete_clears_all_mails(home: Home) -> None:
    mailbox = Mailbox(home.mail)
    mailbox.add("a@example.com", ["b@example.com"], message("one", "x").as_bytes())
    client = mailcatcher.create_app(mailbox).test_client()

    assert client.delete("/local/mail/api/messages").status_code == 204

    assert client.get("/local/mail/api/messages").json == []
    assert list(home.mail.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"Subject: =?utf-8?b?!!!?=\r\n\r\nx",
        b"Content-Type: text/plain; charset=nope\r\n\r\nx",
        b"To: <<>>;;\r\n\r\n",
    ],
)
def test_broken_mail_is_kept_and_shown(home: Home, content: bytes) -> None:
    mailbox = Mailbox(home.mail)
    mail = mailbox.add("a@example.com", ["b@example.com"], content)
    client = mailcatcher.create_app(mailbox).test_client()

    assert client.get(f"/local/mail/{mail.id}").status_code == 200
    assert client.get("/local/mail").status_code == 200


def test_html_of_a_mail_stays_in_a_sandboxed_frame(home: Home) -> None:
    mailbox = Mailbox(home.mail)
    attack = '<script>alert(1)</script>"></iframe><b>hello</b>'
    mail = mailbox.add("a@example.com", ["b@example.com"], message("<i>x</i>", "text", attack).as_bytes())
    answer = mailcatcher.create_app(mailbox).test_client().get(f"/local/mail/{mail.id}")

    assert "<script>alert(1)" not in answer.text
    assert 'sandbox="allow-popups' in answer.text
    assert "<i>x</i>" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert mailcatcher.create_app(mailbox).test_client().get("/local/mail/nothing").status_code == 404


@pytest.mark.parametrize(
    "said", [{"text": {"content": "张三：新客户\n李四：新客户"}}, {"content": {"text": "张三：新客户"}}]
)
def test_what_a_robot_says_shows_with_the_mails(home: Home, said: dict[str, object]) -> None:
    client = mailcatcher.create_app(Mailbox(home.mail)).test_client()

    answer = client.post("/local/mail/robots/east", json=said).json or {}

    (mail,) = client.get("/local/mail/api/messages").json or []
    assert (answer["errcode"], answer["code"]) == (0, 0)
    assert (mail["from"], mail["to"]) == ("robot", ["east"])
    assert mail["text"].startswith("张三：新客户")


def test_an_sms_shows_with_the_mails(home: Home) -> None:
    client = mailcatcher.create_app(Mailbox(home.mail)).test_client()
    form = {"To": "+8613800138000", "From": "Highsea", "Body": "您好"}

    answer = client.post("/local/mail/sms/2010-04-01/Accounts/highsea/Messages.json", data=form)

    (mail,) = client.get("/local/mail/api/messages").json or []
    assert (answer.status_code, (answer.json or {})["sid"]) == (201, mail["id"])
    assert (mail["from"], mail["to"], mail["text"].strip()) == ("sms", ["+8613800138000"], "您好")


def test_landing_page_shows_health_of_each_process(home: Home) -> None:
    client = page(
        home,
        Health("pool-serve", "pool", "serve", GREEN, "ready"),
        Health("pool-work", "pool", "work", AMBER, "ready", ("nats",), restarts=2),
        Health("nats", "nats", "", RED, "crashed", ("exit code -9",)),
    )

    english = client.get("/?lang=en").text
    assert "running · without nats · 2 restarts" in english
    assert "crashed, about to restart · exit code -9" in english
    assert "Something is down" in english
    assert "有部分不可用" in client.get("/?lang=zh").text
    health = client.get("/local/health?lang=en").json or {}
    assert (health["level"], [part["level"] for part in health["parts"]]) == ("red", ["green", "amber", "red"])


def test_language_follows_the_browser(home: Home) -> None:
    client = page(home)

    assert 'lang="en"' in client.get("/", headers={"Accept-Language": "en-GB,en;q=0.9"}).text
    assert 'lang="zh-CN"' in client.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).text
    assert 'lang="zh-CN"' in client.get("/").text


def test_landing_page_tells_what_the_demo_import_did(home: Home) -> None:
    (home.demo / "errors.xlsx").write_bytes(b"PK")
    demo = {
        "logins": [{"name": {"zh": "王芳", "en": "Wang Fang"}, "login": "wang.fang", "password": "p<w>", "sees": "全部"}],
        "import": {"file": "客户.xlsx", "rows": 1000, "created": 970, "skipped": 20, "failed": 10, "seconds": 3.25,
                   "error_workbook": "errors.xlsx", "reasons": [{"zh": "电话错误", "en": "bad phone", "count": 7}]},
        "story": [{"zh": "领取一个客户", "en": "Claim a customer", "link": "/api/v1/pool/docs"}],
    }  # fmt: skip
    home.demo_report.write_text(json.dumps(demo))
    client = page(home)

    text = client.get("/?lang=en").text

    for part in ("Wang Fang", "wang.fang", "p&lt;w&gt;", "970", "bad phone", "3.2 s", "Claim a customer"):
        assert part in text
    assert client.get("/local/demo/errors.xlsx").data == b"PK"
    assert client.get("/local/demo/..%2Fsecrets%2Fsecrets.json").status_code == 404


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"import": {}, "logins": null}'])
def test_incomplete_demo_report_breaks_nothing(home: Home, text: str) -> None:
    home.demo_report.write_text(text)

    assert page(home).get("/").status_code == 200


def test_log_page_shows_the_end_and_nothing_outside(home: Home) -> None:
    home.log("pool-serve").write_text("\n".join(f"line {number} <b>" for number in range(1000)))
    (home.path / "secret.log").write_text("no")
    client = page(home)

    text = client.get("/local/logs/pool-serve").text

    assert "line 999 &lt;b&gt;" in text
    assert "line 1 &lt;b&gt;" not in text
    assert "pool-serve" in client.get("/local/logs").text
    for name in ("nothing", "..%2Fsecret", "../secret"):
        assert client.get(f"/local/logs/{name}").status_code == 404


def test_api_path_without_owner_answers_a_problem(home: Home) -> None:
    answer = page(home).get("/api/v1/nothing", headers={"Accept-Language": "en"})

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert (answer.json or {})["code"] == "route_not_found"


def test_foreign_host_name_is_refused(home: Home) -> None:
    assert page(home).get("/", headers={"Host": "evil.example"}).status_code == 400


def test_worst_level_counts() -> None:
    assert [worst(levels) for levels in ([], [GREEN], [GREEN, AMBER], [AMBER, RED, GREEN])] == [
        GREEN,
        GREEN,
        AMBER,
        RED,
    ]


def test_board_knows_what_should_run_from_the_state_file(home: Home) -> None:
    (free,) = home.allocate_ports(["pool.serve.metrics"]).values()
    status = {
        "units": [{"name": "pool-serve", "state": "ready", "pid": 1, "restarts": 1}, {"name": "demo", "state": "done"}]
    }
    home.status_file.write_text(json.dumps(status))

    parts = HealthBoard(home).now()

    assert parts == [Health("pool-serve", "pool", "serve", RED, "ready", ("unreachable",), 1)]
    assert free
    assert Path(home.status_file).exists()
