"""The operations guide does what it says: its blocks are executed as they stand, against real servers."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from chassis.auth.keys import public_keys
from chassis.identifiers import new_id
from highsea_local.demo.gateway import Refused, until
from highsea_local.files import workspace
from highsea_local.ports import free_port
from highsea_local.servers.postgres import PostgresServer
from highsea_local.system import System
from tests.support.guide import Block, Shell, blocks, libpq
from tests.support.services import NAMES
from tests.support.whole import Whole

pytestmark = pytest.mark.system


@dataclass
class Guided:
    """A system on which every block but those of Restore has been executed, and what they printed."""

    shell: Shell
    whole: Whole
    printed: dict[Block, str]

    def go_back(self, service: str, moment: str) -> None:
        """Restore one service as the guide says."""
        chosen = {"service": service, "target": moment, "port": str(free_port())}
        for block in _restore():
            self.shell.run(block, **chosen)

    def rebuild(self) -> None:
        """Steps 5 and 6 of Restore."""
        steps = [block for block in _restore() if " rebuild" in block.text]
        assert len(steps) == 2
        for block in steps:
            self.shell.run(block)

    def now(self) -> str:
        """The present moment."""
        return str(self.whole.rows("pool", "SELECT now()::text AS now")[0]["now"])

    def seen(self, customer_id: str) -> tuple[str, str]:
        """The owner of a customer as customer shows it, and as pool says it; empty in a pool."""
        admin = self.whole.person("administrator")
        shown, said = admin.get(f"/customers/{customer_id}"), admin.get(f"/assignments/{customer_id}")
        return tuple((one["owner"] or {"id": ""})["id"] for one in (shown, said))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def guided(postgres: PostgresServer) -> Iterator[Guided]:
    """A system of its own, because restoring takes it apart."""
    with workspace("highsea-guide-") as folder:
        (folder / "shell").mkdir()
        with System(folder / "home", is_durable=False) as system:
            shell = Shell(folder / "shell", system, libpq(system.superuser_url))
            printed = dict(_all_but_restore(shell, postgres))
            yield Guided(shell, Whole.prepare(system), printed)


def _restore() -> list[Block]:
    return [block for block in blocks() if block.is_run and block.headings[1] == "Restore"]


def _all_but_restore(shell: Shell, empty: PostgresServer) -> Iterator[tuple[Block, str]]:
    for block in blocks():
        section = block.headings[1]
        if block.is_run and section != "Restore":
            yield block, shell.run(block, **(libpq(empty.superuser_url) if section == "Install" else {}))
            if "archive_mode" in block.text:
                shell.system.process("postgres").restart()


def test_what_the_guide_shows_is_what_is_printed(guided: Guided) -> None:
    shown = [(block, answer) for block, answer in pairwise(blocks()) if answer.info == "text"]

    assert shown
    for block, answer in shown:
        assert re.fullmatch(re.escape(answer.text).replace("…", ".+"), guided.printed[block])


def test_the_secrets_made_open_the_databases_made(guided: Guided) -> None:
    for service in NAMES:
        secrets = guided.shell.folder / "secrets" / service
        environment = {f"{path.name}_FILE": str(path) for path in secrets.iterdir()}
        command = [sys.executable, "-m", f"crm_{service}", "migrate"]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        keys = public_keys((secrets / "SERVICE_KEYS").read_text())
        assert {key.kid for key in keys.keys} == set(NAMES)


def test_pool_goes_back_alone(guided: Guided) -> None:
    whole, tag = guided.whole, new_id().hex[-8:]
    sales = whole.person("sales")
    claim = lambda id_: sales.post("/assignments:claim", {"customer_ids": [id_]})
    released, claimed = whole.customers_in_pool([f"退{tag}", f"领{tag}"])
    claim(released)
    moment = guided.now()
    sales.post("/assignments:release", {"customer_ids": [released]})
    claim(claimed)
    (born,) = whole.customers_in_pool([f"生{tag}"])
    claim(born)
    until(lambda: [guided.seen(id_) for id_ in (released, claimed, born)] == [("", ""), *[(sales.id,) * 2] * 2])

    guided.go_back("pool", moment)

    assert guided.seen(released) == (sales.id, sales.id)
    assert guided.seen(claimed) == ("", "")
    assert guided.seen(born) == (sales.id, sales.id), "where customer last knew it"
    claim(claimed)
    until(lambda: guided.seen(claimed) == (sales.id, sales.id))


def test_customer_goes_back_alone(guided: Guided) -> None:
    whole, tag = guided.whole, new_id().hex[-8:]
    operations = whole.person("operations")
    (kept,) = whole.customers_in_pool([f"前{tag}"])
    moment = guided.now()
    rename = lambda name: operations.patch(
        f"/customers/{kept}", {"name": name}, operations.get(f"/customers/{kept}")["version"]
    )
    rename(f"后{tag}")
    (lost,) = whole.customers_in_pool([f"生{tag}"])
    known = lambda id_: whole.rows(
        "pool",
        "SELECT name, deleted, suspended FROM customers JOIN assignments ON customer_id = id WHERE id = %s",
        [id_],
    )[0]
    until(lambda: known(kept)["name"] == f"后{tag}")

    guided.go_back("customer", moment)

    assert known(kept) == {"name": f"前{tag}", "deleted": False, "suspended": False}
    assert known(lost) == {"name": f"生{tag}", "deleted": True, "suspended": True}
    with pytest.raises(Refused, match="404"):
        operations.get(f"/customers/{lost}")
    rename(f"新{tag}")
    until(lambda: known(kept)["name"] == f"新{tag}")


def test_identity_goes_back_alone(guided: Guided) -> None:
    whole, tag = guided.whole, new_id().hex[-8:]
    admin = whole.person("administrator")
    kept = _hire(admin, f"kept-{tag}")
    moment = guided.now()
    rename = lambda name: admin.patch(f"/members/{kept}", {"name": name}, admin.get(f"/members/{kept}")["version"])
    rename("后来")
    lost = _hire(admin, f"lost-{tag}")
    directory = lambda id_: {
        service: whole.rows(service, "SELECT name, active FROM directory_members WHERE id = %s", [id_])
        for service in NAMES
        if service != "identity"
    }
    until(lambda: all(rows and rows[0]["active"] for rows in directory(lost).values()))

    guided.go_back("identity", moment)

    assert all(rows == [{"name": f"kept-{tag}", "active": True}] for rows in directory(kept).values())
    assert all(rows == [{"name": f"lost-{tag}", "active": False}] for rows in directory(lost).values())
    rename("新名")
    until(lambda: all(rows[0]["name"] == "新名" for rows in directory(kept).values()))


def test_everything_goes_on_after_nats_lost_its_data(guided: Guided) -> None:
    whole, system, tag = guided.whole, guided.whole.system, new_id().hex[-8:]
    nats = system.process("nats")
    nats.stop()
    shutil.rmtree(system.home.data / "nats/jetstream")
    nats.start()
    operations = whole.person("operations")
    made = operations.post("/customers", {"name": f"候{tag}", "pool_id": whole.pool()["id"]})

    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda service: system.process(f"{service}-work").restart(), NAMES))
    guided.rebuild()

    operations.patch(f"/customers/{made['id']}", {"name": f"到{tag}"}, made["version"])
    named = lambda: whole.rows("pool", "SELECT name FROM customers WHERE id = %s", [made["id"]])[0]["name"]
    until(lambda: named() == f"到{tag}")


def _hire(admin: Any, login: str) -> str:
    wish = {"login": login, "name": login, "email": f"{login}@demo.highsea.test"}
    department = admin.get("/departments", page_size=200)["items"][0]["id"]
    role = next(role["id"] for role in admin.get("/roles", page_size=200)["items"] if role["key"] == "sales")
    made = admin.post("/members", {**wish, "department_id": department, "role_ids": [role]})
    return str(made.get("id") or made["member"]["id"])
