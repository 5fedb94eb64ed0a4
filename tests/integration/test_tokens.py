"""Tokens that are not what they should be open nothing: in no service, on no stream, in no call (Q-01, Q-03)."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from joserfc.jwk import ECKey

from chassis.identifiers import new_id
from chassis.rpc.errors import refusal_of
from crm_identity.keys.rules import unseal
from highsea_local.demo.gateway import Person, until
from highsea_local.demo.seed import PASSWORD
from tests.support.forging import keyed_with_public_key, signed, unsigned
from tests.support.whole import Whole

pytestmark = pytest.mark.system
PATHS = ("/auth/me", "/customers", "/pools", "/imports", "/notifications", "/notifications/stream")
CALLS = {
    "identity": "/crm.identity.v1.IdentityService/ExportDirectory",
    "customer": "/crm.customer.v1.CustomerService/GetCustomerFacts",
    "pool": "/crm.pool.v1.PoolService/ListPools",
}
STRANGER = ECKey.generate_key("P-256", {"kid": "stranger", "use": "sig"}, private=True)


@pytest.fixture(scope="module")
def signing(whole: Whole) -> ECKey:
    """The very key with which identity signs."""
    sealing_key = base64.b64decode(whole.system.environment("identity")["KEY_ENCRYPTION_KEY"])
    [row] = whole.rows("identity", "SELECT sealed_private_key FROM signing_keys WHERE state = 'current'")
    return unseal(row["sealed_private_key"], sealing_key)


@pytest.fixture(scope="module")
def victim(whole: Whole, signing: ECKey) -> Person:
    """An administrator, whose token would open everything; every service knows the epoch that choosing a password began."""
    person = whole.hire("administrator", "被冒充者")
    for path in PATHS[:-1]:
        until(lambda path=path: person.get(path))  # type: ignore[misc]
    before = signed(signing, claims_of(person, epoch=0))
    until(lambda: set(_answers(whole, before).values()) == {(401, "token_revoked")})
    return person


def claims_of(victim: Person, **other: Any) -> dict[str, Any]:
    """What a genuine access token of the victim says, but for `other`; None leaves a claim out."""
    claims = {
        "iss": "highsea-identity",
        "sub": victim.id,
        "sid": str(new_id()),
        "epoch": 1,
        "aud": "highsea",
        "exp": int(time.time()) + 600,
        **other,
    }
    return {name: value for name, value in claims.items() if value is not None}


Forger = Callable[[ECKey, Person], str]
FORGED: dict[str, tuple[str, Forger]] = {
    "alg none": ("token_invalid", lambda key, who: unsigned({"alg": "none", "kid": key.kid}, claims_of(who)) + "."),
    "alg None, signed": ("token_invalid", lambda key, who: signed(key, claims_of(who), alg="None")),
    "signature left out": ("token_invalid", lambda key, who: signed(key, claims_of(who)).rpartition(".")[0] + "."),
    "HS256 with the public key": ("token_invalid", lambda key, who: keyed_with_public_key(key, claims_of(who))),
    "another key under the right name": (
        "token_invalid",
        lambda key, who: signed(STRANGER, claims_of(who), kid=key.kid),
    ),
    "a key nobody knows": ("token_invalid", lambda _, who: signed(STRANGER, claims_of(who))),
    "a key that comes along": (
        "token_invalid",
        lambda _, who: signed(STRANGER, claims_of(who), jwk=STRANGER.as_dict(private=False)),
    ),
    "a name that is a path": ("token_invalid", lambda _, who: signed(STRANGER, claims_of(who), kid="../../dev/null")),
    "an extension nobody understands": ("token_invalid", lambda key, who: signed(key, claims_of(who), crit=["x"], x=1)),
    "for somebody else": ("token_invalid", lambda key, who: signed(key, claims_of(who, aud="customer"))),
    "for nobody": ("token_invalid", lambda key, who: signed(key, claims_of(who, aud=None))),
    "without an end": ("token_invalid", lambda key, who: signed(key, claims_of(who, exp=None))),
    "an end that is no time": ("token_invalid", lambda key, who: signed(key, claims_of(who, exp="never"))),
    "expired": ("token_expired", lambda key, who: signed(key, claims_of(who, exp=int(time.time()) - 1))),
    "an epoch of before": ("token_revoked", lambda key, who: signed(key, claims_of(who, epoch=0))),
    "without an epoch": ("token_invalid", lambda key, who: signed(key, claims_of(who, epoch=None))),
    "a member who never was": ("token_invalid", lambda key, who: signed(key, claims_of(who, sub=str(new_id())))),
    "a member who is no id": ("token_invalid", lambda key, who: signed(key, claims_of(who, sub="root"))),
    "claims that are a list": ("token_invalid", lambda key, _: signed(key, [1, 2])),  # type: ignore[arg-type]
    "truncated": ("token_invalid", lambda key, who: signed(key, claims_of(who))[:-10]),
    "changed by one letter": ("token_invalid", lambda key, who: _changed(signed(key, claims_of(who)))),
    "huge": ("token_invalid", lambda key, who: signed(key, claims_of(who)) + "A" * 6000),
    "not a token": ("token_invalid", lambda *_: "…".encode().decode("latin-1")),
}


def _changed(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body[:-2]}{'A' if body[-2] != 'A' else 'B'}{body[-1]}.{signature}"


def test_a_token_made_with_the_genuine_key_opens_everything_so_the_forgeries_fail_for_their_fault(
    whole: Whole, signing: ECKey, victim: Person
) -> None:
    assert _answers(whole, signed(signing, claims_of(victim))) == dict.fromkeys(PATHS, (200, ""))


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_token_opens_no_service_and_no_stream(whole: Whole, signing: ECKey, victim: Person, kind: str) -> None:
    code, forge = FORGED[kind]

    assert _answers(whole, forge(signing, victim)) == dict.fromkeys(PATHS, (401, code))


def test_a_token_larger_than_any_header_is_refused_and_harms_nobody(whole: Whole, victim: Person) -> None:
    for path in PATHS:
        with _asked(whole, path, "A" * 200_000) as reply:
            assert 400 <= reply.status_code < 500, path
    assert victim.get("/pools")["total"]


def test_a_service_is_no_member_and_a_member_no_service(whole: Whole, signing: ECKey, victim: Person) -> None:
    for callee in CALLS:
        as_service = _service_token(whole, "customer" if callee == "pool" else "pool", callee)
        assert _called(whole, callee, as_service) != "service_token_required"
        assert _answers(whole, as_service) == dict.fromkeys(PATHS, (401, "token_invalid"))
        for_highsea = signed(_service_key(whole, "pool"), claims_of(victim))
        assert _answers(whole, for_highsea) == dict.fromkeys(PATHS, (401, "token_invalid"))
        for as_member in (signed(signing, claims_of(victim)), signed(signing, claims_of(victim, aud=callee))):
            assert _called(whole, callee, as_member) == "service_token_required"


@pytest.mark.parametrize("callee", CALLS)
def test_a_forged_service_token_calls_nothing(whole: Whole, callee: str) -> None:
    caller = "customer" if callee == "pool" else "pool"
    key, other = _service_key(whole, caller), _service_key(whole, "notify")
    genuine = {"iss": caller, "aud": callee, "exp": int(time.time()) + 300}
    forged = {
        "alg none": unsigned({"alg": "none", "kid": caller}, genuine) + ".",
        "HS256 with the public key": keyed_with_public_key(key, genuine),
        "another key under the right name": signed(STRANGER, genuine, kid=caller),
        "another service's key": signed(other, genuine),
        "a key nobody knows": signed(STRANGER, genuine),
        "for another service": signed(key, {**genuine, "aud": "notify"}),
        "without an end": signed(key, {"iss": caller, "aud": callee}),
        "expired": signed(key, {**genuine, "exp": int(time.time()) - 1}),
        "claims that are a list": signed(key, [1, 2]),  # type: ignore[arg-type]
        "truncated": signed(key, genuine)[:-10],
        "not a token": "token",
    }

    assert _called(whole, callee, signed(key, genuine)) != "service_token_required"
    assert {kind: _called(whole, callee, token) for kind, token in forged.items()} == dict.fromkeys(
        forged, "service_token_required"
    )


def test_a_refresh_token_used_twice_ends_the_session_and_every_token_in_every_service(whole: Whole) -> None:
    login = whole.hire("sales", "失窃者").member["login"]
    begun = _log_in(whole, login)
    second = _refresh(whole, _cookie(begun))
    token = second.json()["access_token"]
    until(lambda: set(_answers(whole, token).values()) == {(200, "")})

    replayed = _refresh(whole, _cookie(begun))

    assert (replayed.status_code, replayed.json()["code"]) == (401, "session_ended")
    assert _refresh(whole, _cookie(second)).status_code == 401
    until(lambda: _answers(whole, token) == dict.fromkeys(PATHS, (401, "token_revoked")))
    assert _log_in(whole, login).status_code == 200


def _answers(whole: Whole, token: str) -> dict[str, tuple[int, str]]:
    """Status and code of each service's answer to a token."""
    found = {}
    for path in PATHS:
        with _asked(whole, path, token) as reply:
            code = "" if reply.status_code == 200 else json.loads(reply.read())["code"]
            found[path] = (reply.status_code, code)
    return found


@contextmanager
def _asked(whole: Whole, path: str, token: str) -> Iterator[httpx.Response]:
    """An answer whose body, which of a stream has no end, is not read yet."""
    url, headers = f"{whole.system.gateway_url}/api/v1{path}", {"Authorization": f"Bearer {token}".encode("latin-1")}
    with httpx.stream("GET", url, headers=headers, timeout=30, trust_env=False) as reply:
        yield reply


def _called(whole: Whole, callee: str, token: str) -> str:
    """The code with which a call is refused; empty when it is answered."""
    with grpc.insecure_channel(whole.system.grpc_address(callee)) as channel:
        try:
            channel.unary_unary(CALLS[callee])(b"", metadata=[("authorization", f"Bearer {token}")], timeout=10)
        except grpc.RpcError as error:
            return refusal_of(error, callee).code
    return ""


def _service_key(whole: Whole, service: str) -> ECKey:
    path = Path(whole.system.environment(service)["SERVICE_KEY_FILE"])
    return ECKey.import_key(json.loads(path.read_text(encoding="utf-8")))


def _service_token(whole: Whole, caller: str, callee: str) -> str:
    return signed(
        _service_key(whole, caller), {"iss": caller, "aud": callee, "exp": int(time.time()) + 300}, kid=caller
    )


def _log_in(whole: Whole, login: str) -> httpx.Response:
    body = {"login": login, "password": PASSWORD}
    return httpx.post(f"{whole.system.gateway_url}/api/v1/auth/login", json=body, trust_env=False, timeout=30)


def _refresh(whole: Whole, cookie: str) -> httpx.Response:
    url = f"{whole.system.gateway_url}/api/v1/auth/refresh"
    return httpx.post(url, headers={"Cookie": cookie}, trust_env=False, timeout=30)


def _cookie(reply: httpx.Response) -> str:
    return reply.headers["Set-Cookie"].partition(";")[0]
