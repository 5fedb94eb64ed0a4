"""The key that signs, and the keys that verify."""

import json

from joserfc.jwk import ECKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import Unavailable
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.keys import rules
from crm_identity.keys.model import KeySetVersion, SigningKey


def jwks(session: Session) -> str:
    """Every public key that verifies now, as an RFC 7517 JWK Set in JSON; an empty set before the first key."""
    return json.dumps({"keys": list(session.scalars(select(SigningKey.public_jwk).order_by(SigningKey.id)))})


def key_set_state(session: Session) -> pb.SigningKeys:
    """The set as other services read it."""
    return pb.SigningKeys(version=session.scalar(select(KeySetVersion.version)) or 0, jwks=jwks(session))


def signing_key(session: Session, sealing_key: bytes) -> ECKey:
    """The private key that signs now. Raises Unavailable before the first one is made."""
    sealed = session.scalar(select(SigningKey.sealed_private_key).where(SigningKey.state == "current"))
    if sealed is None:
        raise Unavailable("signing_key_missing", retry_after_seconds=2)
    return rules.unseal(sealed, sealing_key)
