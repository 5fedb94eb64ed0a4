"""Tokens and their times."""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER, AUDIENCE = "highsea-identity", "highsea"
ACCESS_TOKEN_SECONDS = 600
SLIDING, ABSOLUTE = timedelta(days=14), timedelta(days=90)
_SELECTOR_BYTES, _SECRET_BYTES = 16, 32
_USER_AGENT_CHARACTERS = 120
# Enough to recognise where one was, too little to point at one line.
_NETWORK_BITS = {4: 24, 6: 48}


@dataclass(frozen=True)
class Device:
    """Whence a session is used, as far as its member is shown it."""

    user_agent: str
    network: str

    @classmethod
    def of(cls, user_agent: str, address: str) -> "Device":
        """What is kept of a client: the beginning of its name, and the network of its address."""
        return cls(user_agent[:_USER_AGENT_CHARACTERS], network_of(address))


def network_of(address: str) -> str:
    """The network around an address: its /24, of IPv6 its /48; empty when it is no address."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    return str(ip_network((known, _NETWORK_BITS[known.version]), strict=False))


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token: `selector` finds the session, `secret` (256 random bits) opens it once."""

    selector: bytes
    secret: bytes

    @property
    def secret_hash(self) -> bytes:
        """What is kept of the secret. It is random, so one SHA-256 is enough."""
        return hashlib.sha256(self.secret).digest()

    @property
    def text(self) -> str:
        """As the cookie carries it."""
        return base64.urlsafe_b64encode(self.selector + self.secret).decode()

    def opens(self, secret_hash: bytes) -> bool:
        """Whether its secret is the one kept."""
        return hmac.compare_digest(self.secret_hash, secret_hash)


def new_token(selector: bytes | None = None) -> RefreshToken:
    """A token with a fresh secret, for the session of `selector` or a new one."""
    return RefreshToken(selector or secrets.token_bytes(_SELECTOR_BYTES), secrets.token_bytes(_SECRET_BYTES))


def read_token(text: str) -> RefreshToken | None:
    """The token in a cookie, None when it is not one of ours."""
    try:
        content = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    if len(content) != _SELECTOR_BYTES + _SECRET_BYTES:
        return None
    return RefreshToken(content[:_SELECTOR_BYTES], content[_SELECTOR_BYTES:])


def expiry(created_at: datetime, at: datetime) -> datetime:
    """When a session refreshed at `at` ends: 14 days later, at most 90 days after its beginning."""
    return min(at + SLIDING, created_at + ABSOLUTE)


def access_token(key: ECKey, member_id: UUID, session_id: UUID, epoch: int, at: datetime) -> str:
    """An access token: who, in which session, from which epoch, until when; rights are never in it (design §2.5)."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "sub": str(member_id),
        "sid": str(session_id),
        "epoch": epoch,
        "aud": AUDIENCE,
        "exp": int(at.timestamp()) + ACCESS_TOKEN_SECONDS,
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
