"""Access tokens: each signature is verified once, and nothing that was true then is believed now without a look."""

import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from chassis.auth import tokens
from chassis.errors import Unauthenticated
from crm.identity.v1 import identity_events_pb2 as pb
from directory import store
from tests.support.services import OpenService


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every token whose signature was verified, in order."""
    seen: list[str] = []

    def decode(token: str, *rest: Any, **more: Any) -> Any:
        seen.append(token)
        return jwt.decode(token, *rest, **more)

    monkeypatch.setattr(tokens, "jwt", SimpleNamespace(decode=decode, JWTClaimsRegistry=jwt.JWTClaimsRegistry))
    return seen


def a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.monotonic() + 61
    monkeypatch.setattr(tokens, "time", SimpleNamespace(monotonic=lambda: later, time=time.time))


def publish(sample: OpenService, *keys: ECKey, version: int = 2) -> None:
    jwks = json.dumps({"keys": [key.as_dict(private=False) for key in keys]})
    with sample.database.transaction() as session:
        store.store_signing_keys(session, pb.SigningKeys(version=version, jwks=jwks))


def refusal(sample: OpenService, token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        sample.runtime.access_tokens.authenticate(token)
    return refused.value.code


def test_a_signature_is_verified_once_however_often_the_token_comes(sample: OpenService, decoded: list[str]) -> None:
    headers = sample.headers(sample.organisation.sales)

    statuses = {sample.client.get("/api/v1/notes", headers=headers).status_code for _ in range(5)}

    assert statuses == {200}
    assert len(decoded) == 1


def test_a_remembered_token_is_refused_as_soon_as_the_directory_says_so(
    sample: OpenService, decoded: list[str]
) -> None:
    sales = sample.organisation.sales
    token = sample.keys.access_token(sales.id)
    sample.runtime.access_tokens.authenticate(token)

    state = sample.organisation.member_state(replace(sales, epoch=1), version=2)
    with sample.database.transaction() as session:
        store.store_members(session, [state])

    assert refusal(sample, token) == "token_revoked"
    assert len(decoded) == 1


def test_a_remembered_token_expires(sample: OpenService, monkeypatch: pytest.MonkeyPatch) -> None:
    token = sample.keys.access_token(sample.organisation.sales.id)
    sample.runtime.access_tokens.authenticate(token)

    after = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: after)

    assert refusal(sample, token) == "token_expired"


def test_tokens_of_a_key_are_refused_once_it_is_published_no_more_though_they_were_verified_before(
    sample: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sample.keys.access_token(sample.organisation.sales.id)
    sample.runtime.access_tokens.authenticate(token)
    newer = ECKey.generate_key("P-256", {"kid": "access-2", "use": "sig"}, private=True)

    publish(sample, sample.keys.access, newer)
    a_minute_later(monkeypatch)
    sample.runtime.access_tokens.authenticate(token)
    publish(sample, newer, version=3)
    sample.runtime.access_tokens._read_at -= 61

    assert refusal(sample, token) == "token_invalid"


def test_unchanged_keys_that_are_read_again_forget_nothing(
    sample: OpenService, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sample.keys.access_token(sample.organisation.sales.id)
    sample.runtime.access_tokens.authenticate(token)

    a_minute_later(monkeypatch)
    sample.runtime.access_tokens.authenticate(token)

    assert len(decoded) == 1


def test_what_was_not_used_longest_is_forgotten_first(
    sample: OpenService, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_MOST_REMEMBERED", 2)
    first, second, third = (sample.keys.access_token(sample.organisation.sales.id) for _ in range(3))

    for token in (first, second, first, third, first, second):
        sample.runtime.access_tokens.authenticate(token)

    assert decoded == [first, second, third, second]


def test_what_is_not_genuine_is_judged_anew_each_time_and_never_remembered(
    sample: OpenService, decoded: list[str]
) -> None:
    token = sample.keys.access_token(sample.organisation.sales.id, aud="elsewhere")

    assert [refusal(sample, token) for _ in range(2)] == ["token_invalid"] * 2
    assert decoded.count(token) >= 2
