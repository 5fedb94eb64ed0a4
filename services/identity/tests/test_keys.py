"""Signing keys: sealed at rest, rotated without a gap."""

import json
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from chassis import clock
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.foundations import ensure_foundations
from crm_identity.keys import commands, queries, rules
from crm_identity.keys.model import SigningKey


def kids(event: pb.SigningKeysChanged) -> set[str]:
    return {key["kid"] for key in json.loads(event.signing_keys.jwks)["keys"]}


def signing(identity: Any) -> str:
    with identity.service.database.reading() as session:
        return str(queries.signing_key(session, identity.sealing_key).kid)


def test_private_keys_lie_sealed_and_are_never_published(identity: Any) -> None:
    private = identity.service.keys.access.as_dict(private=True)["d"]

    with identity.service.database.reading() as session:
        row = session.scalars(select(SigningKey)).one()
        sealed = row.sealed_private_key
    published = identity.call("GET", "/auth/jwks")

    assert private not in sealed
    assert rules.unseal(sealed, identity.sealing_key).as_dict(private=True)["d"] == private
    assert all("d" not in key for key in published.json["keys"])
    assert published.status_code == 200


def test_a_wrong_sealing_key_refuses_logins_in_words_until_a_new_key_signs(open_identity: Any, populated: Any) -> None:
    import base64

    with open_identity(key_encryption_key=base64.b64encode(b"x" * 32).decode()) as opened:
        identity = populated(opened)
        refused = identity.log_in("sales")
        assert (refused.status_code, refused.json["code"]) == (503, "signing_key_unreadable")

        with opened.database.transaction() as session:
            commands.rotate(session, b"x" * 32, clock.now())
            commands.advance(session, clock.now() + rules.ANNOUNCED)

        assert identity.log_in("sales").status_code == 200


def test_a_rotation_announces_the_new_key_before_it_signs_and_keeps_the_old_for_a_day(identity: Any) -> None:
    database, now = identity.service.database, clock.now()
    token = identity.log_in("sales").json["access_token"]
    with database.transaction() as session:
        new = str(commands.rotate(session, identity.sealing_key, now).id)

    assert kids(identity.service.outbox(pb.SigningKeysChanged)[-1]) == {"access-1", new}
    assert signing(identity) == "access-1"

    with database.transaction() as session:
        commands.advance(session, now + timedelta(seconds=59))
    assert signing(identity) == "access-1"
    with database.transaction() as session:
        commands.advance(session, now + timedelta(seconds=60))
    assert signing(identity) == new
    assert identity.with_token("GET", "/auth/me", token).status_code == 200
    assert identity.with_token("GET", "/auth/me", identity.log_in("sales").json["access_token"]).status_code == 200

    with database.transaction() as session:
        commands.advance(session, now + timedelta(hours=23))
    assert len(identity.call("GET", "/auth/jwks").json["keys"]) == 2
    with database.transaction() as session:
        commands.advance(session, now + timedelta(hours=25))
    last = identity.service.outbox(pb.SigningKeysChanged)[-1]
    assert kids(last) == {new}
    assert last.signing_keys.version == 3


def test_tokens_signed_by_the_old_key_work_through_the_overlap_and_not_after(
    identity: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, now, begun = identity.service.database, clock.now(), time.monotonic()
    token = identity.service.keys.access_token(identity.people.sales.id)

    def after(hours: int) -> Any:
        """A day of processes that read the keys every minute, in which only keys grow old."""
        with database.transaction() as session:
            commands.advance(session, now + timedelta(hours=hours))
        later = SimpleNamespace(monotonic=lambda: begun + hours * 3600, time=time.time)
        monkeypatch.setattr("chassis.auth.tokens.time", later)
        return identity.with_token("GET", "/auth/me", token)

    with database.transaction() as session:
        commands.rotate(session, identity.sealing_key, now)
    assert [after(hours).status_code for hours in (1, 2, 24)] == [200, 200, 200]

    refused = after(26)

    assert (refused.status_code, refused.json["code"]) == (401, "token_invalid")


def test_a_rotation_during_a_rotation_changes_nothing(identity: Any) -> None:
    with identity.service.database.transaction() as session:
        first = commands.rotate(session, identity.sealing_key, clock.now()).id
        second = commands.rotate(session, identity.sealing_key, clock.now()).id

    assert first == second
    assert len(identity.service.outbox(pb.SigningKeysChanged)) == 1


def test_foundations_are_laid_once_and_told(bare: Any) -> None:
    for _ in range(2):
        with bare.database.transaction() as session:
            ensure_foundations(session, bytes(range(32)), clock.now())

    roles = [event.roles[0] for event in bare.outbox(pb.RoleChanged)]
    assert {role.key for role in roles} == {"administrator", "operations", "supervisor", "sales"}
    assert [event.organisation.zone for event in bare.outbox(pb.OrganisationChanged)] == ["Asia/Shanghai"]
    assert [event.departments[0].parent_id for event in bare.outbox(pb.DepartmentChanged)] == [""]
    [keys] = bare.outbox(pb.SigningKeysChanged)
    with bare.database.reading() as session:
        assert kids(keys) == {queries.signing_key(session, bytes(range(32))).kid}
