"""Passwords and secrets: made, hashed, compared. Hashing a password takes time: do it outside transactions."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chassis.errors import FieldError, invalid

MIN_PASSWORD, MAX_PASSWORD = 8, 128
# OWASP's argon2id profile with 19 MiB: about 50 ms of one core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
LINK_LIFETIME = timedelta(hours=72)


@dataclass(frozen=True)
class NewLink:
    """A link that sets a password once, as its maker gets it: only the hash of `token` is kept."""

    token: str
    expires_at: datetime


def hash_secret(secret: str) -> str:
    """Its argon2id hash."""
    return _HASHER.hash(secret)


def matches(secret_hash: str | None, secret: str) -> bool:
    """Whether `secret` is the one hashed. Without a hash the same work is done, and the answer is no."""
    try:
        return _HASHER.verify(secret_hash or _nobodys_hash(), secret) and secret_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def renewed_hash(secret_hash: str, secret: str) -> str:
    """The hash to keep from now on: the same, or a new one when the profile has changed since."""
    return hash_secret(secret) if _HASHER.check_needs_rehash(secret_hash) else secret_hash


def client_secret() -> str:
    """A service account's secret; 256 random bits."""
    return secrets.token_urlsafe(32)


def new_link(at: datetime) -> NewLink:
    """A link with a token of 256 random bits."""
    return NewLink(secrets.token_urlsafe(32), at + LINK_LIFETIME)


def link_hash(token: str) -> bytes:
    """What is kept of a link's token. It is random, so one SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()


def check_new_password(login: str, password: str, new_password: str) -> None:
    """Raise Invalid when the new password is the login or the old password. Its length is checked by its type."""
    code = None
    if new_password.casefold() == login.strip().casefold():
        code = "password_equals_login"
    elif new_password == password:
        code = "password_unchanged"
    if code:
        raise invalid(FieldError("/new_password", code))


@cache
def _nobodys_hash() -> str:
    return hash_secret(secrets.token_urlsafe(16))
