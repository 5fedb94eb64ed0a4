"""What robots of the three vendors take, and what their answers mean. Pure functions."""

import base64
import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode, urlsplit

from crm_notify.deliveries.rules import Failure, Outcome

MOST_ROBOTS = 500
# Lines of one message and its bytes, and characters of a line: one always fits.
MOST_LINES, MOST_BYTES, MOST_CHARACTERS = 20, 2048, 90


class Vendor(StrEnum):
    """Whose robot: 企业微信, 钉钉, 飞书."""

    WECOM = "wecom"
    DINGTALK = "dingtalk"
    FEISHU = "feishu"


_THROTTLED, _BUSY = Failure("robot_throttled", Outcome.THROTTLED), Failure("robot_busy")


@dataclass(frozen=True)
class Api:
    """Where a vendor's robots listen, and what their answers say.

    `throttled`: codes of who sent too much; `busy`: codes of a server that asks to try again.
    """

    hosts: frozenset[str]
    path: str
    code: str
    throttled: frozenset[int]
    busy: frozenset[int]


APIS: Mapping[Vendor, Api] = {
    Vendor.WECOM: Api(
        frozenset({"qyapi.weixin.qq.com"}),
        "/cgi-bin/webhook/send",
        "errcode",
        frozenset({45009, 45033}),
        frozenset({-1}),
    ),
    Vendor.DINGTALK: Api(
        frozenset({"oapi.dingtalk.com"}), "/robot/send", "errcode", frozenset({130101, 410100}), frozenset({-1})
    ),
    Vendor.FEISHU: Api(
        frozenset({"open.feishu.cn", "open.larksuite.com"}),
        "/open-apis/bot/v2/hook/",
        "code",
        frozenset({9499, 11232, 99991400}),
        frozenset({11233}),
    ),
}


@dataclass(frozen=True)
class Request:
    """What is posted: an address and a JSON body."""

    url: str
    body: Mapping[str, Any]


def host_of(url: str) -> str:
    """`host` or `host:port` of an address; empty when it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    return f"{parts.hostname or ''}{f':{port}' if port else ''}"


def webhook_refused(vendor: Vendor, url: str, allowed: Collection[str]) -> str | None:
    """Why `url` is no webhook of the vendor's, as a code; `allowed`: further hosts, also without TLS."""
    host = host_of(url)
    if not host or not url.isascii() or any(character <= " " for character in url):
        return "webhook_malformed"
    parts = urlsplit(url)
    if parts.username is not None or parts.fragment or parts.scheme not in ("http", "https"):
        return "webhook_malformed"
    if host in allowed:
        return None
    if parts.scheme != "https":
        return "webhook_not_https"
    api = APIS[vendor]
    if host not in api.hosts:
        return "webhook_of_another_host"
    return None if parts.path.startswith(api.path) else "webhook_malformed"


def request(vendor: Vendor, webhook: str, secret: str, text: str, at: datetime) -> Request:
    """One message, signed where the robot has a secret."""
    match vendor:
        case Vendor.WECOM:
            return Request(webhook, {"msgtype": "text", "text": {"content": text}})
        case Vendor.DINGTALK:
            body = {"msgtype": "text", "text": {"content": text}}
            return Request(_signed_for_dingtalk(webhook, secret, at) if secret else webhook, body)
        case Vendor.FEISHU:
            body = {"msg_type": "text", "content": {"text": text}}
            return Request(webhook, {**_signature_for_feishu(secret, at), **body} if secret else body)


def _signed_for_dingtalk(webhook: str, secret: str, at: datetime) -> str:
    timestamp = str(int(at.timestamp() * 1000))
    signature = _hmac(secret, f"{timestamp}\n{secret}")
    joint = "&" if urlsplit(webhook).query else "?"
    return f"{webhook}{joint}{urlencode({'timestamp': timestamp, 'sign': signature})}"


def _signature_for_feishu(secret: str, at: datetime) -> dict[str, str]:
    """The text is the key, and nothing is signed: it is theirs to decide."""
    timestamp = str(int(at.timestamp()))
    return {"timestamp": timestamp, "sign": _hmac(f"{timestamp}\n{secret}", "")}


def _hmac(key: str, message: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()).decode()


def failure_of(vendor: Vendor, status: int, answer: Any) -> Failure | None:
    """What an answer means: None, it was taken; otherwise why not."""
    if status == 429:
        return _THROTTLED
    if status >= 500:
        return _BUSY
    api = APIS[vendor]
    code = answer.get(api.code, answer.get("StatusCode")) if isinstance(answer, dict) and status < 300 else None
    if not isinstance(code, int):
        return Failure("robot_answer_unknown", Outcome.FAILED)
    known = {0: None} | dict.fromkeys(api.throttled, _THROTTLED) | dict.fromkeys(api.busy, _BUSY)
    return known.get(code, Failure(f"robot_{code}", Outcome.FAILED))


def line(name: str, title: str) -> str:
    """What one member is told, in one line; what vendors read as a mention of somebody is none any more."""
    flat = " ".join(f"{name}：{title}".split()).replace("<", "＜")
    return flat if len(flat) <= MOST_CHARACTERS else f"{flat[: MOST_CHARACTERS - 1]}…"


def fitting(lines: Sequence[str]) -> int:
    """How many of the first lines one message holds; the shortest that a vendor takes counts."""
    size = 0
    for place, one in enumerate(lines[:MOST_LINES]):
        size += len(one.encode()) + 1
        if size > MOST_BYTES + 1:
            return place
    return min(len(lines), MOST_LINES)
