"""Handing SMS to the provider, with every outcome as a value."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from crm_notify.deliveries.rules import UNKNOWN, Failure
from crm_notify.sms.rules import SmsProvider, failure_of

_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 15.0
# The whole text was not written, so that nobody can have sent it.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.WriteTimeout, httpx.WriteError)


@contextmanager
def connected(provider: SmsProvider) -> Iterator[httpx.Client]:
    """A client that is logged in; it follows no redirects."""
    timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
    with httpx.Client(auth=(provider.account, provider.token), timeout=timeout) as client:
        yield client


def send(client: httpx.Client, provider: SmsProvider, number: str, text: str) -> Failure | None:
    """Hand over one SMS. None once the provider has taken it; otherwise why not. It is never repeated here."""
    try:
        reply = client.post(provider.messages_url, data=provider.form(number, text))
    except _NOT_SENT:
        return Failure("sms_unreachable", disconnected=True)
    except httpx.HTTPError:
        return UNKNOWN
    try:
        answer = reply.json()
    except ValueError:
        answer = None
    return failure_of(reply.status_code, answer)
