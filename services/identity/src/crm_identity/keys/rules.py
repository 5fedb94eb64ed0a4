"""Key material: made, sealed for the database, opened for signing."""

import json
from datetime import timedelta
from uuid import UUID

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey

from chassis.errors import Unavailable

# A new key is published this long before it signs, so that every service knows it first.
ANNOUNCED = timedelta(seconds=60)
# A retired key verifies this much longer, far beyond the 10 minutes of an access token.
OVERLAP = timedelta(hours=24)


def new_key(key_id: UUID) -> ECKey:
    """A fresh ES256 key pair."""
    return ECKey.generate_key("P-256", {"kid": str(key_id), "use": "sig", "alg": "ES256"}, private=True)


def seal(key: ECKey, sealing_key: bytes) -> str:
    """The private key encrypted and authenticated: a JWE of RFC 7516 with AES-256-GCM."""
    content = json.dumps(key.as_dict(private=True)).encode()
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, content, OctKey.import_key(sealing_key))


def unseal(sealed: str, sealing_key: bytes) -> ECKey:
    """The private key. Raises Unavailable signing_key_unreadable when it was sealed with another key."""
    try:
        content = jwe.decrypt_compact(sealed, OctKey.import_key(sealing_key)).plaintext
    except JoseError as error:
        raise Unavailable("signing_key_unreadable", retry_after_seconds=60) from error
    return ECKey.import_key(json.loads(content or b""))
