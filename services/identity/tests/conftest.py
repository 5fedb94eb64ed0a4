"""Identity opened for a test: bare, or with the test organisation in its own tables."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from chassis import clock
from chassis.identifiers import new_id
from crm_identity.credentials import rules as secrets
from crm_identity.credentials.model import Credential
from crm_identity.keys import rules as keys
from crm_identity.keys.model import KeySetVersion, SigningKey
from crm_identity.organisation.model import Department, Member, Organisation, Role
from crm_identity.service import SERVICE
from directory.permissions import BUILT_IN_ROLES, Permission
from directory.scope import DataScope
from tests.support import organisation as support
from tests.support.services import Opener, OpenService

PASSWORD = "correct horse"
SEALING_KEY = bytes(range(32))
HASH = secrets.hash_secret(PASSWORD)
SETTINGS = {"key_encryption_key": base64.b64encode(SEALING_KEY).decode()}


@dataclass(frozen=True)
class Identity:
    """Identity with the test organisation; every member's login is their name in it, the password always the same."""

    service: OpenService
    password: str = PASSWORD
    sealing_key: bytes = SEALING_KEY

    def call(
        self, method: str, path: str, by: support.Member | None = None, body: Any = None, **headers: str
    ) -> TestResponse:
        """A request under /api/v1, with no cookies but those in `headers`."""
        client = self.service.client.application.test_client(use_cookies=False)
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        signed = self.service.headers(by) if by else {}
        return client.open(f"/api/v1{path}", method=method, json=body, headers={**signed, **sent})

    def log_in(self, login: str, password: str = PASSWORD, **headers: str) -> TestResponse:
        """An attempt to log in."""
        return self.call("POST", "/auth/login", body={"login": login, "password": password}, **headers)

    def with_token(self, method: str, path: str, token: str, body: Any = None, **headers: str) -> TestResponse:
        """A request with an access token that identity itself issued."""
        return self.call(method, path, body=body, Authorization=f"Bearer {token}", **headers)

    def redeem(self, link: str, new_password: str = "set by a link", **headers: str) -> TestResponse:
        """An attempt to set a password with a link."""
        body = {"token": link.partition("#")[2], "new_password": new_password}
        return self.call("POST", "/auth/password:redeem", body=body, **headers)

    def version(self, member: support.Member) -> str:
        """The If-Match of a member now."""
        with self.service.database.reading() as session:
            return f'"{session.get_one(Member, member.id).version}"'

    @property
    def people(self) -> support.Organisation:
        """Who works here."""
        return self.service.organisation


@pytest.fixture
def open_identity(services: Opener) -> Callable[..., Any]:
    """Opens identity with further settings and nothing in its tables."""
    return lambda **settings: services.open(SERVICE, with_directory=False, **{**SETTINGS, **settings})


@pytest.fixture
def bare(open_identity: Callable[..., Any]) -> Iterator[OpenService]:
    with open_identity() as opened:
        yield opened


@pytest.fixture
def identity(bare: OpenService) -> Identity:
    return _populated(bare)


@pytest.fixture(scope="module")
def untouched(services: Opener) -> Iterator[Identity]:
    """The same, once for all tests of a module that change nothing."""
    with services.open(SERVICE, with_directory=False, **SETTINGS) as opened:
        yield _populated(opened)


@pytest.fixture
def populated() -> Callable[[OpenService], Identity]:
    """Fills an opened identity with the test organisation."""
    return _populated


def _populated(opened: OpenService) -> Identity:
    with opened.database.transaction() as session:
        _store(session, opened)
    return Identity(opened)


def _store(session: Session, opened: OpenService) -> None:
    made, at = opened.organisation, clock.now()
    known = [permission.value for permission in Permission]
    session.add(Organisation(id=1, version=1, name="测试公司", zone="Asia/Shanghai", known_permissions=known))
    for role in BUILT_IN_ROLES:
        values = {"permissions": sorted(role.permissions), "data_scope": DataScope(role.data_scope).name.lower()}
        session.add(Role(id=made.role_ids[role.key], version=1, key=role.key, name=role.words.zh, **values))
    for id_, name, parent in (
        (made.company, "公司", None),
        (made.east, "华东销售部", made.company),
        (made.south, "华南销售部", made.company),
    ):
        session.add(Department(id=id_, version=1, name=name, parent_id=parent))
        session.flush()
    for login, member in made.members.items():
        session.add(_member(login, member, made))
    session.flush()
    for member in made.members.values():
        session.add(Credential(member_id=member.id, secret_hash=HASH, must_change=False, changed_at=at))
    key = opened.keys.access
    session.add(
        SigningKey(
            id=new_id(),
            state="current",
            sealed_private_key=keys.seal(key, SEALING_KEY),
            public_jwk=key.as_dict(private=False),
            created_at=at,
            signs_from=at,
        )
    )
    session.add(KeySetVersion(id=1, version=1))


def _member(login: str, member: support.Member, made: support.Organisation) -> Member:
    return Member(
        id=member.id,
        version=1,
        login=login,
        name=member.name,
        email=member.email,
        phone="13800000000",
        department_id=member.department_id,
        role_ids=[made.role_ids[member.role]],
        language=member.language,
        service_account=False,
        active=True,
        epoch=0,
        session_generation=0,
    )
