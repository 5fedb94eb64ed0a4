"""Key material: made, sealed for the database, opened for signing."""

import json
from datetime import timedelta
from uuid import UUID

from joserfc.jwk import ECKey

from chassis import sealing
from chassis.errors import Unavailable

# A new key is published this long before it signs, so that every service knows it first.
ANNOUNCED = timedelta(seconds=60)
# A retired key verifies this much longer, far beyond the 10 minutes of an access token.
OVERLAP = timedelta(hours=24)


def new_key(key_id: UUID) -> ECKey:
    """A fresh ES256 key pair."""
    return ECKey.generate_key("P-256", {"kid": str(key_id), "use": "sig", "alg": "ES256"}, private=True)


def seal(key: ECKey, sealing_key: bytes) -> str:
    """The private key, sealed."""
    return sealing.seal(json.dumps(key.as_dict(private=True)).encode(), sealing_key)


def unseal(sealed: str, sealing_key: bytes) -> ECKey:
    """The private key. Raises Unavailable signing_key_unreadable when it was sealed with another key."""
    try:
        content = sealing.unseal(sealed, sealing_key)
    except sealing.Unreadable as error:
        raise Unavailable("signing_key_unreadable", retry_after_seconds=60) from error
    return ECKey.import_key(json.loads(content))
