"""Secrets at rest, sealed with KEY_ENCRYPTION_KEY: a JWE of RFC 7516 with AES-256-GCM, encrypted and authenticated."""

import base64
import binascii

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey


class Unreadable(Exception):
    """It was sealed with another key, or is no sealed content at all."""


def sealing_key(encoded: str) -> bytes:
    """The 32 bytes that KEY_ENCRYPTION_KEY holds. Raises ValueError, which does not repeat it."""
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("must be base64 of exactly 32 bytes, for example from: openssl rand -base64 32")
    return key


def seal(content: bytes, key: bytes) -> str:
    """The content, to be read with the same key alone."""
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, content, OctKey.import_key(key))


def unseal(sealed: str, key: bytes) -> bytes:
    """What was sealed. Raises Unreadable."""
    try:
        return jwe.decrypt_compact(sealed, OctKey.import_key(key)).plaintext or b""
    except (JoseError, ValueError) as error:
        raise Unreadable from error
