"""Posting to a robot, with every outcome as a value."""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

import httpx

from chassis import clock
from crm_notify.deliveries.rules import UNKNOWN, Failure, Outcome
from crm_notify.robots.rules import Vendor, failure_of, host_of, request, webhook_refused

_CONNECT_SECONDS, _ANSWER_SECONDS = 3.0, 5.0
# Until here nobody was told anything.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.WriteTimeout, httpx.WriteError)


def post(vendor: Vendor, webhook: str, secret: str, text: str, allowed: Collection[str]) -> Failure | None:
    """Say one message in the robot's group. None once it was taken; otherwise why not.

    `allowed`: hosts that an operator lists; others must be the vendor's and no address of a private network. Redirects
    are not followed, proxies of the environment not used.
    """
    if webhook_refused(vendor, webhook, allowed):
        return Failure("robot_webhook_refused", Outcome.FAILED)
    if host_of(webhook) not in allowed:
        found = _addresses(str(urlsplit(webhook).hostname))
        if not found:
            return Failure("robot_unreachable")
        if not all(ipaddress.ip_address(one).is_global for one in found):
            return Failure("robot_webhook_refused", Outcome.FAILED)
    wanted = request(vendor, webhook, secret, text, clock.now())
    try:
        with httpx.Client(timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS), trust_env=False) as client:
            reply = client.post(wanted.url, json=wanted.body)
    except _NOT_SENT:
        return Failure("robot_unreachable")
    except httpx.HTTPError:
        return UNKNOWN
    return failure_of(vendor, reply.status_code, _json(reply))


def _addresses(host: str) -> set[str]:
    try:
        return {str(one[4][0]) for one in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()


def _json(reply: httpx.Response) -> object:
    try:
        answer: object = reply.json()
    except ValueError:
        answer = None
    return answer
