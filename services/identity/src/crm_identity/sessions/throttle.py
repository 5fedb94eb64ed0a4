"""How often a login may be guessed: failures per account and per address; a success costs nothing (design §5)."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import flask

from chassis.errors import Unauthenticated
from chassis.runtime import Runtime
from crm_identity.settings import settings_of

PER_ACCOUNT, PER_ADDRESS = "5/15minutes", "50/15minutes"


@contextmanager
def guarded(runtime: Runtime, login: str) -> Iterator[None]:
    """Count what fails inside as one guess at `login` from the client's address.

    Raises TooManyRequests when either budget is used up, whether or not the guess is right.
    """
    # Only digests go to Valkey: a login may be a person's name, and people type passwords into login boxes.
    account = hashlib.sha256(login.strip().lower().encode()).hexdigest()
    address = _block(client_address(runtime))
    budgets = ((PER_ADDRESS, "login-address", address), (PER_ACCOUNT, "login-account", account))
    for budget in budgets:
        runtime.limiter.require(*budget)
    try:
        yield
    except Unauthenticated:
        for budget in budgets:
            runtime.limiter.spend(*budget)
        raise


def client_address(runtime: Runtime) -> str:
    """The client's address: the peer's, or what the gateway, if it is the peer, saw itself."""
    peer = flask.request.remote_addr or ""
    claimed = flask.request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    known = _parsed(peer)
    if claimed and known and any(known in network for network in settings_of(runtime).trusted_networks):
        return claimed if _parsed(claimed) else peer
    return peer


def _block(address: str) -> str:
    """Who has one IPv6 address has its whole /64."""
    known = _parsed(address)
    return str(ip_network((known, 64), strict=False)) if isinstance(known, IPv6Address) else address


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
