"""The keys with which services sign and verify their own tokens: JSON Web Keys, or PEM as Kubernetes tools make it."""

import json
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate, load_pem_x509_certificates
from cryptography.x509.oid import NameOID
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

_CURVE = "P-256"


def private_key(text: str) -> ECKey:
    """The key in a private JWK or in a PEM file. Raises ValueError when it is not a private EC P-256 key."""
    try:
        key = ECKey.import_key(_json(text) or text)
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("must be a private EC P-256 key, as a JWK or PEM") from error
    if not key.is_private or key.curve_name != _CURVE:
        raise ValueError("must be a private EC P-256 key, as a JWK or PEM")
    return key


def public_keys(text: str) -> KeySet:
    """The keys in a JWKS, or in PEM certificates in a row whose common names are the services' names.

    A certificate carries a key and a name here, nothing more: neither its issuer nor its dates are looked at.
    Raises ValueError.
    """
    try:
        known = _json(text)
        if known is not None:
            return KeySet.import_key_set(known)
        return KeySet([_certified(certificate) for certificate in load_pem_x509_certificates(text.encode())])
    except (JoseError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError("must be a JWKS, or PEM certificates of EC keys named by their common name") from error


def _certified(certificate: Certificate) -> ECKey:
    name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    pem = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return ECKey.import_key(pem, {"kid": str(name), "use": "sig"})


def _json(text: str) -> Any:
    return json.loads(text) if text.lstrip().startswith("{") else None
