"""A service opened for a test: its own freshly migrated database, real servers, a client, signed-in members."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID

import flask.testing
import psycopg
from joserfc import jwt
from joserfc.jwk import ECKey

import chassis.rpc.client
from chassis.database import Database
from chassis.database.migration import migrate
from chassis.health import Health
from chassis.http.app import create_app
from chassis.identifiers import new_id
from chassis.rpc.server import GrpcServer
from chassis.runtime import Runtime, open_runtime
from chassis.service import Service
from highsea_local.ports import free_port
from highsea_local.servers.postgres import PostgresServer
from tests.support.organisation import Member, Organisation

NAMES = ("identity", "customer", "pool", "import", "notify")
PASSWORD = "test"
# A busy machine is no failure of a test.
chassis.rpc.client.DEFAULT_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Keys:
    """Keys of all services and of identity's access tokens."""

    services: dict[str, ECKey]
    access: ECKey

    @classmethod
    def generate(cls) -> "Keys":
        """Fresh keys."""
        make = lambda kid: ECKey.generate_key("P-256", {"kid": kid, "use": "sig"}, private=True)
        return cls({name: make(name) for name in NAMES}, make("access-1"))

    def private(self, service: str) -> str:
        """The private JWK of a service."""
        return json.dumps(self.services[service].as_dict(private=True))

    def public(self) -> str:
        """The JWKS of all services."""
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.services.values()]})

    def access_jwks(self) -> str:
        """The JWKS that verifies access tokens."""
        return json.dumps({"keys": [self.access.as_dict(private=False)]})

    def access_token(self, member_id: UUID, epoch: int = 0, **claims: Any) -> str:
        """An access token as identity would sign it."""
        values = {
            "iss": "highsea-identity",
            "sub": str(member_id),
            "sid": str(new_id()),
            "epoch": epoch,
            "aud": "highsea",
            "exp": int(time.time()) + 600,
            **claims,
        }
        return jwt.encode({"alg": "ES256", "kid": "access-1"}, values, self.access)


@dataclass
class OpenService:
    """A service opened for one test. `client` speaks to its REST API in-process."""

    service: Service
    runtime: Runtime
    client: flask.testing.FlaskClient
    organisation: Organisation
    keys: Keys
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """Its own database."""
        return self.runtime.database

    def headers(self, member: Member, **more: str) -> dict[str, str]:
        """Headers of a request by `member`; underscores in names become dashes."""
        token = self.keys.access_token(member.id, member.epoch)
        return {"Authorization": f"Bearer {token}", **{key.replace("_", "-"): value for key, value in more.items()}}

    def outbox(self, message_type: type[Any]) -> list[Any]:
        """The messages of one type in its outbox, oldest first."""
        from sqlalchemy import select

        from chassis.database.tables import outbox
        from chassis.events.streams import subject_of

        with self.database.reading() as session:
            payloads = session.scalars(
                select(outbox.c.payload).where(outbox.c.subject == subject_of(message_type)).order_by(outbox.c.id)
            )
            return [message_type.FromString(payload) for payload in payloads]

    @contextmanager
    def rpc(self) -> Iterator[str]:
        """Its gRPC server on a free port; yields host:port."""
        bind = f"127.0.0.1:{free_port()}"
        register = [lambda server, add=add: add(server, self.runtime) for add in self.service.register_rpc]
        server = GrpcServer(bind, self.runtime.service_tokens, register)
        server.start()
        try:
            yield bind
        finally:
            server.stop(1)


class Opener:
    """Opens services on one PostgreSQL server; each service is migrated and told of the organisation once, then copied."""

    def __init__(self, postgres: PostgresServer, keys: Keys, folder: Path) -> None:
        self._postgres = postgres
        self._folder = folder
        self._organisation = Organisation.standard()
        self._templates: dict[tuple[str, ...], str] = {}
        self.keys = keys

    def database(self, service: Service, *, with_directory: bool = False) -> str:
        """URL of a fresh migrated database for `service`, with the organisation in its directory when asked."""
        role = f"{service.name}_test"
        # Several services of tests bear one name, with other tables each.
        kind = (service.name, *service.migrations, str(with_directory))
        if kind not in self._templates:
            template = f"template_{service.name}_{len(self._templates)}"
            self._fill(self._postgres.create_database(template, role, PASSWORD), service, with_directory)
            self._templates[kind] = template
        name = f"{service.name}_{secrets.token_hex(6)}"
        self._order(f"CREATE DATABASE {name} OWNER {role} TEMPLATE {self._templates[kind]} STRATEGY file_copy")
        return self._postgres.url(name, role, PASSWORD)

    @contextmanager
    def open(self, service: Service, *, with_directory: bool = True, **settings: Any) -> Iterator[OpenService]:
        """Open `service`; `settings` override its environment. The directory holds `Organisation()` unless told not to."""
        url = self.database(service, with_directory=with_directory)
        values = {
            "database_url": url,
            "nats_url": "nats://127.0.0.1:1",
            "object_store_url": f"file://{self._folder / service.name / secrets.token_hex(4)}",
            "service_key": self.keys.private(service.name),
            "service_keys": self.keys.public(),
            "highsea_demo": False,
            **settings,
        }
        runtime = open_runtime(service.name, service.settings(**values), service.actors, tuple(service.messages))
        app = create_app(runtime, service.apis, Health(runtime, service.scripts()))
        try:
            yield OpenService(service, runtime, app.test_client(), deepcopy(self._organisation), self.keys)
        finally:
            runtime.close()
            self._order(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def _fill(self, url: str, service: Service, with_directory: bool) -> None:
        database = Database(url, 1)
        migrate(database.engine, service.scripts())
        if with_directory:
            with database.transaction() as session:
                self._organisation.store(session, self.keys.access_jwks())
        database.close()

    def _order(self, statement: str) -> None:
        with psycopg.connect(self._postgres.superuser_url, autocommit=True) as connection:
            connection.execute(cast(LiteralString, statement))
