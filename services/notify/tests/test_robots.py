"""Robots of 企业微信, 钉钉 and 飞书: setting them up, and what they say."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import insert, select, text

from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as identity
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, Outcome, Status
from crm_notify.notifications.model import Notification
from crm_notify.preferences.commands import choose
from crm_notify.robots import clients, rules
from crm_notify.robots.model import Robot
from crm_notify.robots.queries import robots_of
from crm_notify.robots.rules import Vendor
from crm_notify.sending.robots import send_to_robots
from crm_notify.service import SERVICE
from directory import store
from services.notify.tests.support import change, changed, make_due, receive
from services.notify.tests.web import Drop, Posted, WebServer, web_server
from tests.support.services import Opener, OpenService

KEY = base64.b64encode(b"k" * 32).decode()
WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1"
AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.fixture
def vendor() -> Iterator[WebServer]:
    """A vendor on this machine."""
    with web_server() as server:
        yield server


@pytest.fixture
def notify(services: Opener, vendor: WebServer) -> Iterator[OpenService]:
    """Notify, which may have robots on this machine."""
    with services.open(SERVICE, key_encryption_key=KEY, robot_hosts=vendor.host) as opened:
        yield opened


def _request(notify: OpenService, method: str, path: str, body: Any = None, who: str = "admin", **headers: str) -> Any:
    member = getattr(notify.organisation, who)
    given = notify.headers(member, Accept_Language="en", **headers)
    return notify.client.open(f"/api/v1{path}", method=method, headers=given, json=body)


def _robot(notify: OpenService, **fields: Any) -> Any:
    body = {"vendor": "wecom", "name": "东区群", "webhook": WECOM, **fields}
    reply = _request(notify, "POST", "/robots", body)
    assert reply.status_code == 201, reply.text
    return reply.json


def _codes(reply: Any) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in reply.json.get("errors", [])}


def test_a_robot_is_set_up_changed_and_deleted_by_its_version(notify: OpenService) -> None:
    east = str(notify.organisation.east)
    made = _robot(notify, vendor="dingtalk", webhook="https://oapi.dingtalk.com/robot/send?access_token=t", secret="s")

    assert (made["has_secret"], made["version"]) == (True, 1)
    stale = _request(notify, "PATCH", f"/robots/{made['id']}", {"name": "新"}, If_Match='"7"')
    assert (stale.status_code, stale.json["conflicts"][0]["field"]) == (412, "name")
    changed = {"name": "新名", "department_id": east, "secret": None}
    reply = _request(notify, "PATCH", f"/robots/{made['id']}", changed, If_Match='"1"')
    assert (reply.status_code, reply.json["has_secret"], reply.json["department_id"]) == (200, False, east)
    same = _request(notify, "PATCH", f"/robots/{made['id']}", {"name": "新名"}, If_Match='"2"')
    assert same.json["version"] == 2
    (listed,) = _request(notify, "GET", "/robots").json["items"]
    assert (listed["name"], listed["vendor"], listed["version"]) == ("新名", "dingtalk", 2)
    assert _request(notify, "DELETE", f"/robots/{made['id']}", If_Match='"2"').status_code == 204
    assert _request(notify, "GET", "/robots").json["items"] == []
    actions = [one["action"] for one in _request(notify, "GET", "/notify/audit").json["items"]]
    assert actions == ["robot.deleted", "robot.changed", "robot.created"]


def test_webhook_and_secret_lie_sealed_and_are_never_answered(notify: OpenService) -> None:
    webhook = "https://open.feishu.cn/open-apis/bot/v2/hook/xyzzy"
    made = _robot(notify, vendor="feishu", webhook=webhook, secret="plugh")
    body = {"webhook": f"{webhook}2", "secret": "plugh2"}
    changed = _request(notify, "PATCH", f"/robots/{made['id']}", body, If_Match='"1"')

    shown = [changed.text, *(_request(notify, "GET", path).text for path in ("/robots", "/notify/audit"))]
    with notify.database.reading() as session:
        robot = session.scalars(select(Robot)).one()
        stored = robot.webhook + (robot.secret or b"")
    assert changed.json["version"] == 2
    assert not any(word in f"{shown}{stored!r}" for word in ("xyzzy", "plugh"))


@pytest.mark.parametrize(
    ("vendor_name", "webhook", "code"),
    [
        ("wecom", "nothing", "webhook_malformed"),
        ("wecom", "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1", "webhook_not_https"),
        ("wecom", "https://oapi.dingtalk.com/robot/send?access_token=1", "webhook_of_another_host"),
        ("wecom", "https://qyapi.weixin.qq.com.evil.cn/cgi-bin/webhook/send", "webhook_of_another_host"),
        ("wecom", "https://a:b@qyapi.weixin.qq.com/cgi-bin/webhook/send", "webhook_malformed"),
        ("wecom", "https://qyapi.weixin.qq.com:8443/cgi-bin/webhook/send", "webhook_of_another_host"),
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/user/get", "webhook_malformed"),
        ("wecom", "https://qyapi.weixin.qq.com:x/", "webhook_malformed"),
        ("dingtalk", "https://169.254.169.254/robot/send", "webhook_of_another_host"),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/a b", "webhook_malformed"),
        ("feishu", "file:///etc/passwd", "webhook_malformed"),
    ],
)
def test_only_the_vendors_own_addresses_are_webhooks(
    notify: OpenService, vendor_name: str, webhook: str, code: str
) -> None:
    body = {"vendor": vendor_name, "name": "群", "webhook": webhook}

    reply = _request(notify, "POST", "/robots", body)

    assert (reply.status_code, _codes(reply)) == (422, {"/webhook": code})


def test_what_cannot_be_is_refused_with_the_field(notify: OpenService) -> None:
    body = {"vendor": "wecom", "name": "群", "webhook": WECOM, "secret": "s", "department_id": str(new_id())}
    refused = _request(notify, "POST", "/robots", body)
    assert _codes(refused) == {"/secret": "robot_secret_unused", "/department_id": "unknown_department"}
    missing = _request(notify, "POST", "/robots", {"vendor": "slack", "name": ""})
    assert missing.status_code == 422
    assert set(_codes(missing)) == {"/vendor", "/name", "/webhook"}

    east = str(notify.organisation.east)
    _robot(notify, name="东", department_id=east)
    resting = _robot(notify, name="东二", department_id=east, active=False)
    second = _request(
        notify, "POST", "/robots", {"vendor": "wecom", "name": "三", "webhook": WECOM, "department_id": east}
    )
    assert (second.status_code, second.json["code"]) == (409, "robot_department_taken")
    woken = _request(notify, "PATCH", f"/robots/{resting['id']}", {"active": True}, If_Match='"1"')
    assert woken.json["code"] == "robot_department_taken"


def test_the_same_request_twice_makes_one_robot(notify: OpenService) -> None:
    body = {"vendor": "wecom", "name": "群", "webhook": WECOM}
    first, second = (_request(notify, "POST", "/robots", body, Idempotency_Key="k") for _ in range(2))

    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert len(_request(notify, "GET", "/robots").json["items"]) == 1


def test_robots_are_set_up_by_who_configures_notifications(notify: OpenService) -> None:
    made = _robot(notify)
    calls = [
        ("GET", "/robots", None),
        ("POST", "/robots", {"vendor": "wecom", "name": "群", "webhook": WECOM}),
        ("PATCH", f"/robots/{made['id']}", {"name": "x"}),
        ("DELETE", f"/robots/{made['id']}", None),
        ("POST", f"/robots/{made['id']}:test", None),
    ]
    for method, path, body in calls:
        assert _request(notify, method, path, body, "operations", If_Match='"1"').status_code == 403


def test_without_a_key_no_robot_is_added(services: Opener) -> None:
    with services.open(SERVICE) as opened:
        reply = _request(opened, "POST", "/robots", {"vendor": "wecom", "name": "群", "webhook": WECOM})

        assert (reply.status_code, reply.json["code"]) == (409, "sealing_key_missing")


def test_a_member_has_the_robot_of_the_nearest_department_upwards(notify: OpenService) -> None:
    organisation = notify.organisation
    east = _robot(notify, name="东", department_id=str(organisation.east))
    company = _robot(notify, name="公司", department_id=str(organisation.company))
    _robot(notify, name="歇", department_id=str(organisation.south), active=False)
    asked = [organisation.sales.id, organisation.rival.id, organisation.admin.id, new_id()]

    with notify.database.reading() as session:
        found = {member_id: str(robot_id) for member_id, robot_id in robots_of(session, asked).items()}

    assert found == {asked[0]: east["id"], asked[1]: company["id"], asked[2]: company["id"]}


def test_a_robot_without_department_is_everybodys(notify: OpenService) -> None:
    asked = [notify.organisation.sales.id, notify.organisation.rival.id]
    with notify.database.reading() as session:
        assert robots_of(session, asked) == {}
    everybodys = _robot(notify)

    with notify.database.reading() as session:
        assert {str(one) for one in robots_of(session, asked).values()} == {everybodys["id"]}


def _webhook(vendor: WebServer) -> str:
    return f"http://{vendor.host}/hook?key=1"


def _test(notify: OpenService, robot: Any) -> tuple[str, str | None]:
    reply = _request(notify, "POST", f"/robots/{robot['id']}:test")
    assert reply.status_code == 200, reply.text
    assert bool(reply.json["error"]) == bool(reply.json["error_code"])
    return reply.json["status"], reply.json["error_code"]


@pytest.mark.parametrize(
    ("vendor_name", "taken", "refused", "code"),
    [
        ("wecom", {"errcode": 0, "errmsg": "ok"}, {"errcode": 93000, "errmsg": "invalid webhook url"}, "robot_93000"),
        (
            "dingtalk",
            {"errcode": 0, "errmsg": "ok"},
            {"errcode": 310000, "errmsg": "sign not match"},
            "robot_310000",
        ),
        ("feishu", {"code": 0, "msg": "success"}, {"code": 19021, "msg": "sign match fail"}, "robot_19021"),
    ],
)
def test_a_test_says_a_sentence_and_tells_what_came_of_it(
    notify: OpenService, vendor: WebServer, vendor_name: str, taken: Any, refused: Any, code: str
) -> None:
    robot = _robot(notify, vendor=vendor_name, webhook=_webhook(vendor), active=False)

    vendor.answer = lambda _: (200, taken)
    assert _test(notify, robot) == ("sent", None)
    vendor.answer = lambda _: (200, refused)
    assert _test(notify, robot) == ("failed", code)
    assert "Highsea" in str(vendor.posted[0].json)


def test_every_way_to_fail_is_told(notify: OpenService, vendor: WebServer) -> None:
    robot = _robot(notify, webhook=_webhook(vendor))

    def dropping(_: Posted) -> Any:
        raise Drop

    cases: list[tuple[Any, tuple[str, str]]] = [
        (dropping, ("uncertain", "outcome_unknown")),
        (lambda _: (200, {"errcode": 45009}), ("failed", "robot_throttled")),
        (lambda _: (429, {}), ("failed", "robot_throttled")),
        (lambda _: (502, b"<html>"), ("failed", "robot_busy")),
        (lambda _: (200, b"<html>"), ("failed", "robot_answer_unknown")),
        (lambda _: (200, [1]), ("failed", "robot_answer_unknown")),
        (lambda _: (404, {"errcode": 0}), ("failed", "robot_answer_unknown")),
    ]
    for answer, expected in cases:
        vendor.answer = answer
        assert _test(notify, robot) == expected


def test_a_redirect_is_not_followed(notify: OpenService, vendor: WebServer) -> None:
    robot = _robot(notify, webhook=_webhook(vendor))
    vendor.headers, vendor.answer = {"Location": f"http://{vendor.host}/elsewhere"}, lambda _: (302, {})

    assert _test(notify, robot) == ("failed", "robot_answer_unknown")
    assert len(vendor.posted) == 1


def test_whoever_answers_too_late_may_have_said_it(vendor: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_ANSWER_SECONDS", 0.2)

    def late(_: Posted) -> Any:
        vendor.over.wait(30)
        raise Drop

    vendor.answer = late
    failure = clients.post(Vendor.WECOM, _webhook(vendor), "", "x", {vendor.host})

    assert failure is not None
    assert failure.outcome is Outcome.UNCERTAIN


def test_nobody_there_is_tried_again(vendor: WebServer) -> None:
    failure = clients.post(Vendor.WECOM, "http://127.0.0.1:1/", "", "x", {"127.0.0.1:1"})

    assert failure is not None
    assert (failure.code, failure.outcome) == ("robot_unreachable", Outcome.RETRY)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1"])
def test_a_vendors_name_that_leads_into_a_private_network_is_not_called(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(0, 0, 0, "", ("8.8.8.8", 443)), (0, 0, 0, "", (address, 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)

    failure = clients.post(Vendor.WECOM, WECOM, "", "x", set())

    assert failure is not None
    assert failure.code == "robot_webhook_refused"


def test_messages_are_signed_as_each_vendor_wants_it() -> None:
    dingtalk = rules.request(Vendor.DINGTALK, "https://oapi.dingtalk.com/robot/send?access_token=t", "SEC1", "x", AT)
    query = parse_qs(urlsplit(dingtalk.url).query)
    milliseconds = str(int(AT.timestamp() * 1000))
    signature = hmac.new(b"SEC1", f"{milliseconds}\nSEC1".encode(), hashlib.sha256).digest()
    assert query == {"access_token": ["t"], "timestamp": [milliseconds], "sign": [base64.b64encode(signature).decode()]}

    feishu = rules.request(Vendor.FEISHU, "https://open.feishu.cn/open-apis/bot/v2/hook/h", "demo", "x", AT)
    seconds = str(int(AT.timestamp()))
    signature = hmac.new(f"{seconds}\ndemo".encode(), b"", hashlib.sha256).digest()
    assert (feishu.body["timestamp"], feishu.body["sign"]) == (seconds, base64.b64encode(signature).decode())
    assert feishu.body["content"] == {"text": "x"}


def test_messages_hold_twenty_lines_and_what_vendors_take() -> None:
    short, long = rules.line("张三", "新客户"), rules.line("张三", "很长" * 100)

    assert rules.fitting([short] * 30) == 20
    assert 1 <= rules.fitting([long] * 30) < 20
    assert len("\n".join([long] * rules.fitting([long] * 30)).encode()) <= 2048
    assert rules.line("张三", '<at user_id="all">\n所有人') == '张三：＜at user_id="all"> 所有人'


def _queue(notify: OpenService, *names: str) -> None:
    """What members are told by a robot."""
    organisation = notify.organisation
    moves = [change(getattr(organisation, name)) for name in names]
    receive(notify, ASSIGNMENTS, changed(*moves, actor=organisation.admin))
    with notify.database.transaction() as session:
        known = select(Delivery.notification_id).where(Delivery.notification_id.is_not(None))
        for one in session.scalars(select(Notification).where(Notification.id.not_in(known)).order_by(Notification.id)):
            values = {"notification_id": one.id, "member_id": one.member_id, "channel": Channel.ROBOT, "attempts": 0}
            session.execute(
                insert(Delivery).values(id=new_id(), status=Status.QUEUED, message_id=str(one.id), **values)
            )


def _rows(notify: OpenService) -> list[tuple[str, str | None, int]]:
    with notify.database.reading() as session:
        found = session.execute(select(Delivery).order_by(Delivery.id)).scalars()
        return [(one.status, one.last_error_code, one.attempts) for one in found]


def _said(vendor: WebServer) -> list[str]:
    return [one.json["text"]["content"] for one in vendor.posted]


def test_what_members_of_a_department_are_told_is_one_message(notify: OpenService, vendor: WebServer) -> None:
    organisation = notify.organisation
    _robot(notify, webhook=_webhook(vendor), department_id=str(organisation.east))
    _robot(notify, vendor="dingtalk", webhook=f"{_webhook(vendor)}&south", secret="s")
    _queue(notify, "sales", "colleague", "rival")

    assert send_to_robots(notify.runtime) is False

    assert [len(text.splitlines()) for text in sorted(_said(vendor), key=len)] == [1, 2]
    lines = [line for text in _said(vendor) for line in text.splitlines()]
    assert sorted(line.partition("：")[0] for line in lines) == sorted(["张三", "李四", "王五"])
    assert {row[0] for row in _rows(notify)} == {"sent"}
    assert send_to_robots(notify.runtime) is False
    assert len(vendor.posted) == 2


def test_what_a_member_wants_of_a_robot_is_said_in_the_group(notify: OpenService, vendor: WebServer) -> None:
    organisation = notify.organisation
    _robot(notify, webhook=_webhook(vendor))
    with notify.database.transaction() as session:
        choose(session, organisation.sales.id, 0, {"matrix": {"customers_assigned": {"robot": "now"}}})

    moves = [change(one, name="远大科技") for one in (organisation.sales, organisation.colleague)]
    receive(notify, ASSIGNMENTS, changed(*moves, actor=organisation.admin))
    send_to_robots(notify.runtime)

    (said,) = _said(vendor)
    assert said.startswith("张三：")
    assert "李四" not in said


def test_more_than_twenty_lines_are_several_messages(notify: OpenService, vendor: WebServer) -> None:
    _robot(notify, webhook=_webhook(vendor))
    for _ in range(21):
        _queue(notify, "sales")

    send_to_robots(notify.runtime)

    assert [len(text.splitlines()) for text in _said(vendor)] == [20, 1]
    assert {row[0] for row in _rows(notify)} == {"sent"}


def test_a_robot_that_says_too_much_waits(notify: OpenService, vendor: WebServer) -> None:
    robot = _robot(notify, webhook=_webhook(vendor))
    _queue(notify, "sales")
    vendor.answer = lambda _: (200, {"errcode": 45009})

    send_to_robots(notify.runtime)

    assert _rows(notify) == [("queued", "robot_throttled", 0)]
    for _ in range(19):
        notify.runtime.limiter.spend("20/minute", "robot", robot["id"])
    make_due(notify)
    send_to_robots(notify.runtime)
    assert _rows(notify) == [("queued", "robot_throttled", 0)]
    assert len(vendor.posted) == 1


@pytest.mark.parametrize(
    ("answer", "row"),
    [
        ((502, {}), ("queued", "robot_busy", 1)),
        ((200, {"errcode": 93000}), ("failed", "robot_93000", 1)),
        (None, ("uncertain", "outcome_unknown", 1)),
    ],
)
def test_what_was_not_said_is_kept_with_the_reason(
    notify: OpenService, vendor: WebServer, answer: Any, row: tuple[str, str, int]
) -> None:
    _robot(notify, webhook=_webhook(vendor))
    _queue(notify, "sales")

    def answering(_: Posted) -> Any:
        if answer is None:
            raise Drop
        return answer

    vendor.answer = answering
    send_to_robots(notify.runtime)

    assert _rows(notify) == [row]
    send_to_robots(notify.runtime)
    assert len(vendor.posted) == 1


def test_what_no_robot_says_any_more_is_told_in_the_app(notify: OpenService, vendor: WebServer) -> None:
    _queue(notify, "sales")
    with notify.database.transaction() as session:
        session.execute(text("UPDATE notifications SET in_app = false"))

    send_to_robots(notify.runtime)

    assert _rows(notify) == [("suppressed", "robot_missing", 1)]
    with notify.database.reading() as session:
        assert session.scalars(select(Notification.in_app)).all() == [True]


def test_who_has_left_is_not_told_of(notify: OpenService, vendor: WebServer) -> None:
    _robot(notify, webhook=_webhook(vendor))
    _queue(notify, "sales")
    state = notify.organisation.member_state(notify.organisation.sales, version=2)
    state.active = False
    with notify.database.transaction() as session:
        store.store_members(session, [identity.Member.FromString(state.SerializeToString())])

    send_to_robots(notify.runtime)

    assert (_rows(notify), vendor.posted) == ([("suppressed", "robot_missing", 1)], [])
