"""Access tokens of members (signed by identity) and tokens of services (each signed by the service itself). ES256."""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet

from chassis.auth.actors import Actor, ActorSource
from chassis.auth.keys import private_key, public_keys
from chassis.database import Database
from chassis.errors import Unauthenticated, Unavailable

MEMBER_AUDIENCE = "highsea"
_ALGORITHMS = ["ES256"]
_SERVICE_TOKEN_SECONDS = 300
# About half a kilobyte each; ten thousand members who are all at work share several processes.
_MOST_REMEMBERED = 4096


@dataclass(frozen=True)
class Claims:
    """What a verified access token says: the member, the session, and the epoch it was issued in."""

    member_id: UUID
    session_id: UUID
    epoch: int
    expires_at: int


class AccessTokens:
    """Verifies access tokens with the keys in the service's own directory, the signature of each token once.

    What was verified is remembered (by a hash of the token) until it expires, crowds out, or the keys change: a
    forgotten key takes its tokens along. Member and epoch are looked up every time.
    """

    def __init__(self, database: Database, actors: ActorSource) -> None:
        self._database = database
        self._actors = actors
        self._jwks = ""
        self._keys: KeySet | None = None
        self._read_at = 0.0
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()
        self._lock = threading.Lock()

    def authenticate(self, token: str) -> tuple[Claims, Actor]:
        """The claims and the member as the directory knows them this moment.

        Raises Unauthenticated: token_invalid, token_expired, or token_revoked (epoch raised, member inactive).
        """
        claims = self.verify(token)
        with self._database.glance() as session:
            actor = self._actors.actor(session, claims.member_id)
        if actor is None:
            raise Unauthenticated("token_invalid")
        if not actor.active or claims.epoch < actor.epoch:
            raise Unauthenticated("token_revoked")
        return claims, actor

    def verify(self, token: str) -> Claims:
        """The claims of a genuine, unexpired token. Raises Unauthenticated."""
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        keys = self._current_keys()
        claims = self._remembered(digest)
        if claims is None:
            claims, keys = self._judged(token, keys)
            self._remember(digest, claims, keys)
        if claims.expires_at < time.time():
            raise Unauthenticated("token_expired")
        return claims

    def _judged(self, token: str, keys: KeySet) -> tuple[Claims, KeySet]:
        """The claims of a token that these keys, or newer ones, verify."""
        try:
            return _claims(token, keys), keys
        except Unauthenticated as refusal:
            fresh = self._current_keys(refresh=True) if refusal.code == "token_invalid" else keys
            if fresh is keys:
                raise
            return _claims(token, fresh), fresh

    def _remembered(self, digest: bytes) -> Claims | None:
        with self._lock:
            if digest in self._verified:
                self._verified.move_to_end(digest)
            return self._verified.get(digest)

    def _remember(self, digest: bytes, claims: Claims, keys: KeySet) -> None:
        with self._lock:
            if keys is not self._keys:  # another thread read newer ones meanwhile
                return
            self._verified[digest] = claims
            if len(self._verified) > _MOST_REMEMBERED:
                self._verified.popitem(last=False)

    def _current_keys(self, refresh: bool = False) -> KeySet:
        """The keys; read again when asked for, at most once a second, or when a minute old."""
        with self._lock:
            age = time.monotonic() - self._read_at
            if self._keys is None or age > 60 or (refresh and age > 1):
                with self._database.reading() as session:
                    jwks = self._actors.signing_keys(session)
                if jwks is None:
                    raise Unavailable("peer_unavailable", retry_after_seconds=2, peer="identity")
                if self._keys is None or jwks != self._jwks:
                    self._keys, self._jwks = KeySet.import_key_set(json.loads(jwks)), jwks
                    self._verified.clear()
                self._read_at = time.monotonic()
            return self._keys


def _claims(token: str, keys: KeySet) -> Claims:
    try:
        decoded = jwt.decode(token, keys, algorithms=_ALGORITHMS)
        jwt.JWTClaimsRegistry(
            aud={"essential": True, "value": MEMBER_AUDIENCE}, sub={"essential": True}, exp={"essential": True}
        ).validate(decoded.claims)
        claims = decoded.claims
        return Claims(UUID(claims["sub"]), UUID(claims["sid"]), int(claims["epoch"]), int(claims["exp"]))
    except ExpiredTokenError as error:
        raise Unauthenticated("token_expired") from error
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unauthenticated("token_invalid") from error


class ServiceTokens:
    """Signs this service's own tokens and verifies those of the others (design §2.3)."""

    def __init__(self, service: str, own_key: str, all_keys: str) -> None:
        """The settings SERVICE_KEY and SERVICE_KEYS. Raises ValueError when they are no keys."""
        self._service = service
        self._key = private_key(own_key)
        self._keys = public_keys(all_keys)
        self._cache: dict[str, tuple[str, float]] = {}

    def sign(self, audience: str) -> str:
        """A token that lets this service call `audience` for five minutes."""
        token, until = self._cache.get(audience, ("", 0.0))
        if time.time() > until - 60:
            until = time.time() + _SERVICE_TOKEN_SECONDS
            claims = {"iss": self._service, "aud": audience, "exp": int(until)}
            token = jwt.encode({"alg": "ES256", "kid": self._service}, claims, self._key)
            self._cache[audience] = (token, until)
        return token

    def verify(self, token: str) -> str:
        """The name of the calling service. Raises Unauthenticated."""
        try:
            decoded = jwt.decode(token, self._keys, algorithms=_ALGORITHMS)
            jwt.JWTClaimsRegistry(
                aud={"essential": True, "value": self._service}, iss={"essential": True}, exp={"essential": True}
            ).validate(decoded.claims)
        except (JoseError, ValueError, KeyError) as error:
            raise Unauthenticated("service_token_required") from error
        if decoded.header.get("kid") != decoded.claims["iss"]:
            raise Unauthenticated("service_token_required")
        return str(decoded.claims["iss"])
