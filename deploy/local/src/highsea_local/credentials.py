"""Secrets of one installation: made once, kept in files only their owner reads, completed when a service is added."""

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from highsea_local.files import write_json
from highsea_local.home import HomeDamaged


@dataclass(frozen=True)
class Credentials:
    """Passwords by service name, and where the signing keys lie."""

    postgres: str
    valkey: str
    key_encryption_key: str
    databases: dict[str, str]
    nats: dict[str, str]
    folder: Path

    def key_file(self, service: str) -> Path:
        """The private EC P-256 key (JWK, ``kid`` = service name) with which a service signs its own tokens."""
        return self.folder / f"{service}.key.json"

    @property
    def public_keys_file(self) -> Path:
        """The public keys of all services, a JWKS."""
        return self.folder / "services.jwks.json"


def load_or_create(folder: Path, services: Sequence[str]) -> Credentials:
    """Reads the secrets of the folder and makes what is missing.

    Raises:
        HomeDamaged: A file is there but is not what this program wrote. It is never replaced: the databases know
            the passwords in it.
    """
    file = folder / "secrets.json"
    known = _read(file)
    complete: dict[str, Any] = {
        "postgres": known.get("postgres") or secrets.token_urlsafe(24),
        "valkey": known.get("valkey") or secrets.token_urlsafe(24),
        "key_encryption_key": known.get("key_encryption_key") or base64.b64encode(secrets.token_bytes(32)).decode(),
        "databases": _passwords(known.get("databases", {}), services),
        "nats": _passwords(known.get("nats", {}), (*services, "admin")),
    }
    if complete != known:
        write_json(file, complete, 0o600)
    credentials = Credentials(**complete, folder=folder)
    _ensure_keys(credentials, services)
    return credentials


def _passwords(known: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    return {**known, **{name: secrets.token_urlsafe(24) for name in names if name not in known}}


def _ensure_keys(credentials: Credentials, services: Sequence[str]) -> None:
    public = []
    for service in services:
        file = credentials.key_file(service)
        if not file.exists():
            key = ECKey.generate_key("P-256", {"kid": service, "use": "sig", "alg": "ES256"}, private=True)
            write_json(file, key.as_dict(private=True), 0o600)
        key = ECKey.import_key(_read(file))
        public.append(key.as_dict(private=False))
    write_json(credentials.public_keys_file, {"keys": public}, 0o600)


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise HomeDamaged(file, f"it is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise HomeDamaged(file, "it is not what this program wrote")
    return value
