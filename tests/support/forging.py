"""Tokens as a thief would try them: made by hand, so that no library refuses to make them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

Claims = Mapping[str, Any]


def unsigned(header: Claims, claims: Claims) -> str:
    """Header and claims without a signature."""
    return f"{_part(header)}.{_part(claims)}"


def signed(key: ECKey, claims: Claims, **header: Any) -> str:
    """ES256 by `key`; `header` overrides or adds."""
    content = unsigned({"alg": "ES256", "kid": key.kid, **header}, claims)
    r, s = decode_dss_signature(key.private_key.sign(content.encode(), ECDSA(SHA256())))  # type: ignore[union-attr]
    return f"{content}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def keyed_with_public_key(key: ECKey, claims: Claims) -> str:
    """HS256 whose secret is the public key, which everybody knows."""
    content = unsigned({"alg": "HS256", "kid": key.kid}, claims)
    return f"{content}.{_text(hmac.digest(key.as_pem(private=False), content.encode(), hashlib.sha256))}"


def _part(values: Claims) -> str:
    return _text(json.dumps(values).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
