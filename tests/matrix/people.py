"""The people of the prepared world: a member of every kind, in departments and a user group of their own."""

import base64
import itertools
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, until
from highsea_local.demo.seed import PASSWORD
from tests.matrix.table import SERVICES
from tests.support.whole import Whole

# Members who ask; all are in the department `home`.
PERSONS = ("roleless", "sales", "supervisor", "operations", "administrator")
# Other members of sales, with their departments: whose records are asked about, who gets some, who gets none.
COLLEAGUES = {
    "friend": "elsewhere",
    "mate": "home",
    "junior": "below",
    "stranger": "elsewhere",
    "receiver": "home",
    "listener": "aside",
}
DEPARTMENTS = {"home": "", "below": "home", "elsewhere": "", "aside": ""}
_YOUNG_SECONDS = 240


@dataclass
class Member:
    """A member, and the token of their latest session."""

    id: str
    login: str
    secret: str
    token: str = ""


class People:
    """Everybody, known to every service; `tag` is part of each name made here."""

    def __init__(self, whole: Whole) -> None:
        """Make the departments, the members and their user group."""
        self.whole, self.tag = whole, new_id().hex[-8:]
        self.gateway = whole.system.gateway_url
        self.http = httpx.Client(base_url=f"{self.gateway}/api/v1", trust_env=False, timeout=30)
        self.admin = whole.person("administrator")  # of the demo organisation: prepares what others ask about
        self.members: dict[str, Member] = {}
        self.departments: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._signed_in = 0.0
        self._make_departments()
        self._make_members()
        self.sign_in("left")
        self.admin.post(f"/members/{self.members['left'].id}:deactivate")
        self.settle()
        self.stay_signed_in()

    def name(self) -> str:
        """A name that nothing else bears."""
        return f"矩阵{self.tag}{self.number():05}"

    def number(self) -> int:
        """A number that was not there before."""
        return next(self._numbers)

    def headers(self, caller: str) -> dict[str, str]:
        """Those of a request by the caller."""
        return {} if caller == "nobody" else {"Authorization": f"Bearer {self.members[caller].token}"}

    def credentials(self, caller: str) -> dict[str, str]:
        """What the caller types to sign in."""
        member = self.members[caller]
        names = ("client_id", "client_secret") if caller == "account" else ("login", "password")
        return dict(zip(names, (member.login, member.secret), strict=True))

    def sign_in(self, caller: str) -> None:
        """Give the caller a new token."""
        path = "/auth/service-token" if caller == "account" else "/auth/login"
        answer = self.http.post(path, json=self.credentials(caller))
        self.members[caller].token = answer.raise_for_status().json()["access_token"]

    def stay_signed_in(self) -> None:
        """Sign everybody in again who asks, unless that was just done: tokens live for ten minutes."""
        if time.monotonic() - self._signed_in > _YOUNG_SECONDS:
            self._signed_in = time.monotonic()
            self.admin = self.whole.person("administrator")
            for caller in (*PERSONS, "mate", "stranger", "listener", "account"):
                self.sign_in(caller)

    def add(self, key: str, department: str) -> None:
        """A further member, who never signs in."""
        made = self.new_member(department_id=self.departments[department])
        self.members[key] = Member(made["id"], made["login"], "")

    def new_member(self, **values: Any) -> dict[str, Any]:
        """Somebody new, in a department that concerns nobody."""
        login = f"m{self.tag}{self.number()}"
        given = {"login": login, "name": login, "email": f"{login}@matrix.test"}
        made: dict[str, Any] = self.admin.post(
            "/members", given | {"department_id": self.departments["aside"]} | values
        )
        return made

    def settle(self) -> None:
        """Wait until every service has the organisation as identity has it now."""
        known = self._versions("identity", "")
        for name in (service.name for service in SERVICES if service.name != "identity"):
            until(lambda name=name: known <= self._versions(name, "directory_"))  # type: ignore[misc]

    def _make_departments(self) -> None:
        root = self.admin.member["department_id"]
        for key, above in DEPARTMENTS.items():
            body = {"name": f"{key} {self.tag}", "parent_id": self.departments.get(above, root)}
            self.departments[key] = self.admin.post("/departments", body)["id"]

    def _make_members(self) -> None:
        roles = {role["key"]: role["id"] for role in self.admin.get("/roles", page_size=200)["items"]}
        reader = {"name": f"reader {self.tag}", "permissions": ["customer.read"], "data_scope": "department"}
        self.role_id: str = self.admin.post("/roles", reader)["id"]
        for key in PERSONS:
            self._join(key, "home", [roles[key]] if key in roles else [])
        for key, department in {**COLLEAGUES, "left": "home", "changer": "aside"}.items():
            self._join(key, department, [roles["sales"]])
        self._join("account", "home", [self.role_id], service_account=True)
        for key in PERSONS:
            together = [self.members[key].id, self.members["friend"].id]
            self.group_id: str = self.admin.post("/groups", {"name": f"{key} {self.tag}", "member_ids": together})["id"]
        head = {"head_id": self.members["supervisor"].id}
        self.admin.patch(f"/departments/{self.departments['home']}", head, 1)

    def _join(self, key: str, department: str, role_ids: list[str], **values: Any) -> None:
        made = self.new_member(department_id=self.departments[department], role_ids=role_ids, **values)
        self.members[key] = member = Member(made["id"], made["login"], made.get("client_secret") or PASSWORD)
        if not values:
            Person.set_password(self.gateway, made["password_link"], member.secret)

    def _versions(self, service: str, prefix: str) -> set[tuple[str, int]]:
        tables = [f"SELECT id, version FROM {prefix}{name}" for name in ("members", "departments", "groups", "roles")]
        return {(str(row["id"]), row["version"]) for row in self.whole.rows(service, " UNION ALL ".join(tables))}


def session_of(token: str) -> str:
    """The id of the session that an access token belongs to."""
    claims = token.split(".")[1]
    session_id: str = json.loads(base64.urlsafe_b64decode(claims + "=="))["sid"]
    return session_id
