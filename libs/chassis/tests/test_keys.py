"""Keys of services: JSON Web Keys as `make run` makes them, PEM as Kubernetes tools do."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chassis.auth.keys import private_key, public_keys
from chassis.auth.tokens import ServiceTokens
from chassis.errors import Unauthenticated
from tests.support.services import Keys

START = datetime(2026, 1, 1, tzinfo=UTC)


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def certificate_of(key: ec.EllipticCurvePrivateKey, service: str) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, service)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, START, START + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def test_services_believe_each_other_by_pem_keys_and_certificates() -> None:
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("pool", "customer")}
    certificates = "".join(certificate_of(key, name) for name, key in keys.items())
    pool, customer = (ServiceTokens(name, pem_of(key), certificates) for name, key in keys.items())

    assert customer.verify(pool.sign("customer")) == "pool"

    impostor = ServiceTokens("pool", pem_of(keys["customer"]), certificates)
    with pytest.raises(Unauthenticated):
        customer.verify(impostor.sign("customer"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "{}",
        json.dumps(Keys.generate().services["pool"].as_dict(private=False)),
        pem_of(ec.generate_private_key(ec.SECP384R1())),
        pem_of(rsa.generate_private_key(65537, 2048)),
    ],
    ids=["empty", "no key", "empty JSON", "public", "other curve", "RSA"],
)
def test_what_is_no_private_key_of_the_right_kind_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="private EC P-256 key"):
        private_key(text)


@pytest.mark.parametrize("text", ["", "secret", "{", '{"keys": [{"kty": "EC"}]}'])
def test_what_holds_no_public_keys_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a JWKS, or PEM certificates"):
        public_keys(text)
