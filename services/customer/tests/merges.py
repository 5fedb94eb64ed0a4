"""Merges for tests: customers with everything that can belong to one, and all tables as they are."""

import random
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from chassis.identifiers import new_id
from crm_customer.database import Base

_LINE = {"name": "网关", "quantity": "1", "price": "5"}
# What users' acts leave behind, and what counts edits.
_LEDGERS = {"merges", "merge_losers", "merged_records"}
_COUNTS = ("version", "facts_version", "updated_at")


class Merging:
    """The open service with its supervisor, who merges."""

    def __init__(self, customers: Any) -> None:
        self.customers, self.organisation = customers, customers.organisation
        self.supervisor = customers.organisation.supervisor
        self._tags: list[str] = []

    def post(self, path: str, member: Any = None, key: str | None = None, **body: Any) -> Any:
        """The response to a request."""
        headers = {"Idempotency_Key": key} if key else {}
        return self.customers.request("POST", path, member or self.supervisor, json=body, headers=headers)

    def done(self, path: str, member: Any = None, **body: Any) -> Any:
        """The reply of a request that succeeds."""
        reply = self.post(path, member, **body)
        assert reply.status_code < 300, reply.text
        return reply.json

    def body(self, survivor: Any, *losers: Any, **more: Any) -> dict[str, Any]:
        """What a merge of customers as they are now is asked with."""
        ids = [one["id"] for one in (survivor, *losers)]
        versions = {id_: self.version(id_) for id_ in ids}
        return {"survivor_id": ids[0], "loser_ids": ids[1:], "versions": versions} | more

    def version(self, customer_id: str) -> int:
        """The version that a customer has."""
        with self.customers.database.reading() as session:
            found = session.execute(text("SELECT version FROM customers WHERE id = :id"), {"id": UUID(customer_id)})
            return int(found.scalar_one())

    def merge(self, survivor: Any, *losers: Any, **more: Any) -> Any:
        """The reply of a merge that succeeds."""
        return self.done("/customers:merge", **self.body(survivor, *losers, **more))

    def undo(self, merge: Any) -> Any:
        """The reply of an undo that succeeds."""
        return self.customers_reply("POST", f"/customers/merges/{merge['id']}:undo")

    def customers_reply(self, method: str, path: str, member: Any = None) -> Any:
        """The reply of a request without a body that succeeds."""
        reply = self.customers.request(method, path, member or self.supervisor)
        assert reply.status_code < 300, reply.text
        return reply.json

    def read(self, customer: Any) -> Any:
        """A customer as the supervisor reads it."""
        return self.customers_reply("GET", f"/customers/{customer['id']}")

    def tags(self) -> list[str]:
        """Four tags: two of a group of which a customer bears one, and two of another kind."""
        for name, multiple in (("规模", False), ("特点", True)) if not self._tags else ():
            admin = self.organisation.admin
            group = self.done("/tags/groups", admin, name=name, multiple=multiple)["id"]
            self._tags += [
                self.done("/tags", admin, group_id=group, name=f"{name}{number}", color="red")["id"]
                for number in (1, 2)
            ]
        return self._tags

    def tag(self, customer: Any, *tag_ids: str) -> None:
        """Let a customer bear these tags alone."""
        path = f"/customers/{customer['id']}/tags"
        reply = self.customers.request("PUT", path, self.supervisor, json={"tag_ids": list(tag_ids)})
        assert reply.status_code == 200, reply.text

    def star(self, customer: Any, member: Any, color: str) -> None:
        """Let a member watch a customer."""
        path = f"/customers/{customer['id']}/star"
        reply = self.customers.request("PUT", path, member, json={"color": color})
        assert reply.status_code < 300, reply.text

    def fill(self, customer: Any, chance: random.Random | None = None, member: Any = None) -> None:
        """Give a customer of the member, by default 张三's, one child of each kind; of those that `chance` picks."""
        for act in self._children(customer, chance or random.Random(0), member or self.organisation.sales):
            if chance is None or chance.random() < 0.5:
                act()

    def _children(self, customer: Any, chance: random.Random, member: Any) -> tuple[Callable[[], object], ...]:
        id_, create = customer["id"], self.customers.create
        star = chance.choice(["red", "blue"])
        return (
            lambda: self.customers.new_contact(member, name=f"联系人{new_id()}", customer_id=id_, mobile="13800138000"),
            lambda: self._follow_up(id_, member),
            lambda: self.done("/tasks", member, customer_id=id_, kind="call", subject="回访"),
            lambda: self.done("/schedules", member, customer_id=id_, subject="拜访", starts_at="2030-01-01T09:00:00Z"),
            lambda: self._deal(id_, member),
            lambda: self.done("/orders", member, customer_id=id_, lines=[_LINE]),
            lambda: self.customers.share(member, customer, self.organisation.rival, access="write"),
            lambda: self.star(customer, self.supervisor, star),
            lambda: self.tag(customer, chance.choice(self.tags()[:2])),
            lambda: create(member, f"子公司{new_id()}", profile={"parent_customer_id": id_}),
        )

    def _follow_up(self, customer_id: str, member: Any) -> None:
        about = {"customer_id": customer_id}
        done = self.done("/activities", member, kind="follow_up", method="phone", content="谈过", **about)
        self.done("/activities", member, kind="remark", about_id=done["id"], content="好", **about)

    def _deal(self, customer_id: str, member: Any) -> None:
        deal = self.done("/opportunities", member, customer_id=customer_id, name="新商机", amount="10")
        about = {"customer_id": customer_id, "opportunity_id": deal["id"]}
        order = self.done("/orders", member, lines=[_LINE], **about)
        for step in ("confirm", "complete"):
            self.done(f"/orders/{order['id']}:{step}", member)

    def tables(self) -> dict[str, list[Any]]:
        """All rows, without what counts edits."""
        with self.customers.database.reading() as session:
            return {
                table.name: sorted(_row(row) for row in session.execute(text(_dump(table.name))))
                for table in Base.metadata.sorted_tables
                if table.name not in _LEDGERS
            }


def changed(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> dict[str, tuple[Any, Any]]:
    """Tables of which some rows differ, with these."""
    sides = {name: (set(rows) - set(after[name]), set(after[name]) - set(rows)) for name, rows in before.items()}
    return {name: both for name, both in sides.items() if both != (set(), set())}


def _dump(name: str) -> str:
    counted = "".join(f" - '{one}'" for one in _COUNTS)
    return f"SELECT CAST(to_jsonb(one){counted} AS text) FROM {name} AS one"


def _row(row: Sequence[Any]) -> str:
    return str(row[0])
