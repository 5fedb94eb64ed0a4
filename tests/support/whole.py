"""The whole system for tests: started once, with the demo organisation but without demo customers."""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg
from psycopg.rows import dict_row

from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, until
from highsea_local.demo.seed import PASSWORD

SIGNED_IN_SECONDS = 240


class RunningSystem(Protocol):
    """What people need of a system, whether its processes come out of wheels or images."""

    @property
    def gateway_url(self) -> str: ...

    def database_url(self, name: str) -> str: ...

    def run(self, service: str, *arguments: str) -> "subprocess.CompletedProcess[str]": ...

    def process(self, name: str) -> Any: ...


@dataclass
class Whole:
    """A running system and its people."""

    system: RunningSystem
    logins: list[dict[str, Any]]
    _people: dict[str, tuple[float, Person]] = field(default_factory=dict)

    @classmethod
    def prepare(cls, system: RunningSystem) -> "Whole":
        """Seed the organisation and wait until every service knows it."""
        done = system.run("identity", "seed-demo")
        assert done.returncode == 0, done.stderr
        whole = cls(system, json.loads(done.stdout[done.stdout.index("[{") :]))
        admin = until(lambda: whole.person("administrator"))
        for path in ("/pools", "/customers", "/imports", "/notifications"):
            until(lambda path=path: admin.get(path))  # type: ignore[misc]
        return whole

    def person(self, role: str, place: int = 0) -> Person:
        """A member of the demo organisation, signed in."""
        login = [one["login"] for one in self.logins if one["role"] == role][place]
        return self.sign_in(login)

    def sign_in(self, login: str, password: str = PASSWORD) -> Person:
        """Anybody, signed in a few minutes ago at most: access tokens live for ten."""
        since, person = self._people.get(login, (0.0, None))
        if person is None or time.monotonic() - since > SIGNED_IN_SECONDS:
            person = Person(self.system.gateway_url, login, password)
            self._people[login] = (time.monotonic(), person)
        return person

    def hire(self, role: str, name: str, department_id: str | None = None) -> Person:
        """A new member, at the company's root unless told, signed in; the other services learn of them a moment later."""
        admin, login = self.person("administrator"), f"new-{new_id().hex}"
        roles = admin.get("/roles", page_size=200)["items"]
        department_id = department_id or next(
            one["id"] for one in admin.get("/departments", page_size=200)["items"] if one["parent_id"] is None
        )
        made = admin.post(
            "/members",
            {
                "login": login,
                "name": name,
                "email": f"{login}@demo.highsea.test",
                "department_id": department_id,
                "role_ids": [one["id"] for one in roles if one["key"] == role],
            },
        )
        Person.set_password(self.system.gateway_url, made["password_link"], PASSWORD)
        return Person(self.system.gateway_url, login, PASSWORD)

    def rows(self, service: str, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Rows of a service's database."""
        with psycopg.connect(self.system.database_url(service), row_factory=dict_row) as connection:
            return connection.execute(statement, parameters).fetchall()  # type: ignore[arg-type]

    def run_due(self, service: str) -> None:
        """Have a service do now what it does every minute: a worker begins with all due tasks."""
        self.system.process(f"{service}-work").restart()

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """Processes stopped for a while; afterwards they run, and their peers no longer wait before they try them again."""
        processes = [self.system.process(name) for name in names]
        for process in processes:
            process.stop()
        try:
            yield
        finally:
            for process in processes:
                process.start()
        nothing = {"selection": {"filter": {"search": new_id().hex}}}
        until(lambda: self.person("sales").post("/assignments:claim", nothing))

    def pool(self, kind: str = "public") -> dict[str, Any]:
        """The first pool of a kind."""
        pools = self.person("administrator").get("/pools", page_size=200)["items"]
        return next(pool for pool in pools if pool["kind"] == kind)

    def customers_in_pool(self, names: Sequence[str], pool_id: str | None = None) -> list[str]:
        """Create customers in the public pool and wait until they lie there. Returns their ids in order."""
        person, where = self.person("operations"), pool_id or self.pool()["id"]
        ids = [person.post("/customers", {"name": name, "pool_id": where})["id"] for name in names]
        for id_ in ids:
            until(lambda id_=id_: person.get(f"/assignments/{id_}"))  # type: ignore[misc]
        return ids


def told(person: Person, kind: str) -> Any:
    """The newest notification of a kind; None when there is none yet."""
    return next((one for one in person.get("/notifications")["items"] if one["kind"] == kind), None)


def owner_of(shown: dict[str, Any]) -> str | None:
    """Whom a customer or an assignment shows as its owner; None while it lies in a pool."""
    return (shown["owner"] or {}).get("id")
