"""The prepared world: records in every place, made once through the running services."""

import base64
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from highsea_local.demo.gateway import Person, until
from tests.matrix.people import COLLEAGUES, PERSONS, People, session_of
from tests.matrix.services import call
from tests.support.bulk import results_of
from tests.support.whole import Whole

# Whose customers lie in which place, and to whom pools are opened, for all callers alike.
OWNERS = {"group": "friend", "department": "mate", "below": "junior", "other": "stranger"}
# Customers shared with whoever asks, to read or to write, or locked.
GUARDED = {"shared": "stranger", "edited": "stranger", "locked": "mate"}
OWNERS |= GUARDED
POOLS = {"public": "home", "foreign": "elsewhere", "unassigned": "home", "spare": "home", "managed": "elsewhere"}
IMPORTERS = PERSONS[1:]
DISPATCHERS = EXPORTERS = PERSONS[2:]
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
FAR_AHEAD = (datetime.now(UTC) + timedelta(days=300)).date().isoformat()
_CHUNK = 500
_PHONE = 80_000_000


@dataclass(frozen=True)
class Customer:
    """A customer, and everything of its contact that those who must claim first may not read."""

    id: str
    name: str
    number: int

    @property
    def contact(self) -> dict[str, str]:
        """The contact's masked fields."""
        number = _PHONE + self.number
        return {
            "mobile": f"139{number}",
            "phone": f"021-{number}",
            "qq": f"7{number}",
            "email": f"q{number}@x{number}.test",
        }


class World:
    """People, pools and customers of one test session. A customer of the stock is used up by one case each."""

    def __init__(self, whole: Whole, stock: Mapping[tuple[str, str], int], leavers: int) -> None:
        """Make everything; `stock`: how many customers to use up, by caller and place; `leavers`: for each of their places."""
        self.whole, self.people = whole, People(whole)
        self.http = self.people.http
        self.pools = {name: self._open_pool(name, department) for name, department in POOLS.items()}
        until(lambda: self._pools_known_to("customer") == len(POOLS))
        self._capped: str = self.people.new_member()["id"]
        self.people.settle()
        self.rules = {place: self.new_rule(place) for place in ("public", "foreign", "unassigned", "draft")}
        self.records: dict[tuple[str, str], str] = {}
        self._stock: dict[tuple[str, str], list[Customer]] = defaultdict(list)
        self._files: dict[str, str] = {}
        self._numbers = itertools.count()
        self._make_stock(stock)
        self._standing = self._make_standing()
        aside = [*GUARDED, "managed"]
        self._aside = dict(zip(aside, self._make_customers([("", place) for place in aside]), strict=True))
        for place, customer in self._aside.items():
            self._guard(customer, place, (*PERSONS[1:], "mate"))
        until(self._guards_known_to_pool)
        for caller in (*IMPORTERS, "mate"):
            self._make_records(caller)
        self.records["run", "mate"] = self.new_run()
        self.records["release", "stranger"] = self.new_release("stranger")
        self.records["filter", "stranger"] = self.new_filter("stranger")
        self.records |= {("entry", "stranger"): self.new_entry("stranger"), ("entry", "sales"): self.new_entry("mate")}
        self.records |= {("kind", "mate"): "task", ("ticket", "mate"): "none"}
        self._leavers = self._make_leavers(leavers)
        made = {member: self._dispatch_of(member) for member in DISPATCHERS}
        elsewhere = self.admin.post("/tasks:dispatch", self.new_dispatch())["id"]
        made |= {"sales": made["supervisor"], "mate": made["operations"], "stranger": elsewhere}
        self.records |= {("dispatch", member): id_ for member, id_ in made.items()}
        for member in EXPORTERS:
            self.records["export", member] = self.new_export(member)
        self.records["export", "sales"] = self.records["export", "stranger"] = self._export_of("stranger")
        for member in (*PERSONS[1:], "mate", "stranger"):
            self.records["extension", member] = self._refused_extension(member)
        for member in (*PERSONS[1:], "mate", "stranger"):
            self.records["collision", member] = self.new_collision(member)
            self.records["merge", member] = self.new_merge(member)
        for member in ("mate", "stranger"):
            self.records["scan", "mate"], self.records["duplicate group", member] = self._dismissed_group(member)
        for member in (*PERSONS, "mate", "stranger"):
            self.records["absence", member] = self._absence_of(member)
        self._notify((*PERSONS, "mate"))
        for member in (*PERSONS, "mate"):
            self.records["mailing", member] = self._finished_mailing(member)
        self.records |= {("dictionary", "mate"): "industry", ("key", "mate"): "ecommerce", ("page", "mate"): "contacts"}
        named = dict.fromkeys(("zh", "en"), self.people.name())
        self.records["rehearsal", "mate"] = self.admin.post(f"/rules/{self.rules['draft']}:rehearse")["id"]
        self.records["caller", "mate"] = self.new_caller()
        self.records["field", "mate"] = self.admin.post("/fields", named | {"kind": "text"})["id"]
        self.records["product", "mate"] = self.admin.post("/products", {"name": named["zh"], "price": "1"})["id"]

    def uncapped(self) -> str:
        """The id of a member of no other concern, without a cap of their own."""
        for cap in self.admin.get("/pools/caps", page_size=200)["items"]:
            if cap["member_id"] == self._capped:
                headers = self.people.headers("administrator") | {"If-Match": f'"{cap["version"]}"'}
                self.http.delete(f"/pools/caps/{cap['id']}", headers=headers).raise_for_status()
        return self._capped

    @property
    def admin(self) -> Person:
        """An administrator, who prepares what others ask about."""
        return self.people.admin

    def standing(self) -> Iterable[Customer]:
        """The customers that stay."""
        return self._standing.values()

    def customer(self, caller: str, place: str) -> Customer:
        """The customer that stays in the place: one for all callers, except where it is the caller's own."""
        return self._aside.get(place) or self._standing[_whose(caller, place), place]

    def places(self, caller: str) -> dict[str, str]:
        """The place of every customer that stays as it is for the caller, by its id."""
        return {
            customer.id: place if owner in ("", caller) else "department"
            for (owner, place), customer in self._standing.items()
            if owner in ("", caller) or place == "own"
        }

    def take(self, caller: str, place: str) -> Customer:
        """A customer for one case alone."""
        return self._stock[caller, place].pop()

    def contact_of(self, customer: Customer) -> str:
        """The id of the customer's primary contact."""
        contact_id: str = self.admin.get(f"/customers/{customer.id}/contacts")["items"][0]["id"]
        return contact_id

    def follow_up(self, customer: Customer) -> dict[str, str]:
        """What can be said of a call to the customer."""
        return {"customer_id": customer.id, "kind": "follow_up", "method": "phone", "content": self.people.name()}

    def activity_of(self, customer: Customer) -> str:
        """The id of a follow-up with the customer."""
        activity_id: str = self.admin.post("/activities", self.follow_up(customer))["id"]
        return activity_id

    def file_of(self, customer: Customer) -> str:
        """The id of a picture of the customer that stays; each is checked by a process of its own, once."""
        if customer.id not in self._files:
            self._files[customer.id] = self.new_file(customer)
        return self._files[customer.id]

    def new_file(self, customer: Customer) -> str:
        """The id of a picture that an administrator has added to the customer."""
        query, form = {"customer_id": customer.id}, {"file": ("图.png", PICTURE)}
        answer = self.http.post("/files", params=query, files=form, headers=self.people.headers("administrator"))
        return str(answer.raise_for_status().json()["id"])

    def new_ticket(self) -> str:
        """A ticket for a file."""
        file_id = self.file_of(next(iter(self.standing())))
        return str(self.admin.post(f"/files/{file_id}:ticket", {})["url"]).rpartition("/")[2]

    def new_task(self, caller: str, place: str) -> str:
        """The id of a task of the caller's own, of a stranger's which the caller is to do, or of somebody else's."""
        asking = caller if caller in PERSONS[1:] else "sales"
        issuer = {"own": asking, "todo": "stranger"}.get(place) or OWNERS[place]
        handler = asking if place == "todo" else issuer
        ids = {role: self.people.members[key].id for role, key in (("owner_id", issuer), ("handler_id", handler))}
        body = {"subject": self.people.name(), **ids}
        answer = self.http.post("/tasks", json=body, headers=self.people.headers(issuer))
        return str(answer.raise_for_status().json()["id"])

    def new_announcement(self, member: str) -> dict[str, Any]:
        """What can be announced to one member."""
        name = self.people.name()
        return {"title": name, "text": name, "audience": {"member_ids": [self.people.members[member].id]}}

    def announcement(self, caller: str, place: str) -> str:
        """The id of an announcement that the caller was told, or that was for somebody else."""
        key = ("announcement", caller if place == "told" and caller in PERSONS else "mate")
        if key not in self.records:
            made = self.admin.post("/announcements", self.new_announcement(key[1]))["id"]
            until(lambda: self.admin.get(f"/announcements/{made}")["status"] == "told")
            self.records[key] = made
        return self.records[key]

    def message(self, caller: str, place: str) -> str:
        """The id of a message that stays: the caller's own, one that they got, or one between others."""
        key = (f"message {place}", caller)
        if key not in self.records:
            self.records[key] = self.new_message(caller, place)
        return self.records[key]

    def new_message(self, caller: str, place: str) -> str:
        """The id of such a message that nobody has asked about."""
        asking = caller if caller in PERSONS else "sales"
        sender, receiver = {"own": (asking, "mate"), "received": ("mate", asking)}.get(place, ("mate", "stranger"))
        body = {"receiver_ids": [self.people.members[receiver].id], "text": self.people.name()}
        answer = self.http.post("/messages", json=body, headers=self.people.headers(sender))
        return str(answer.raise_for_status().json()["id"])

    def new_dispatch(self) -> dict[str, Any]:
        """A task for a customer that does not exist."""
        handler_ids = [self.people.members["sales"].id]
        return {"subject": self.people.name(), "customer_ids": [str(new_id())], "handler_ids": handler_ids}

    def new_opportunity(self, customer: Customer) -> dict[str, str]:
        """What can be said of a chance to sell to the customer."""
        return {"customer_id": customer.id, "name": self.people.name()}

    def opportunity_of(self, customer: Customer) -> str:
        """The id of an opportunity of the customer."""
        opportunity_id: str = self.admin.post("/opportunities", self.new_opportunity(customer))["id"]
        return opportunity_id

    def new_order(self, customer: Customer, status: str = "confirmed") -> dict[str, str]:
        """What an order of the customer can be."""
        return {"customer_id": customer.id, "status": status, "amount": "100"}

    def order_of(self, customer: Customer, status: str = "confirmed") -> str:
        """The id of an order of the customer."""
        order_id: str = self.admin.post("/orders", self.new_order(customer, status))["id"]
        return order_id

    def record(self, kind: str, caller: str, place: str) -> str:
        """The id of an import, batch or notification of the caller's own, or of somebody else's.

        Those who have none ask for what sales have.
        """
        if place == "own":
            return self.records.get((kind, caller)) or self.records[kind, "sales"]
        owner = OWNERS.get(place, "mate")
        return self.records.get((kind, owner)) or self.records[kind, "mate"]

    def assign(self, customer: Customer, member: str) -> None:
        """Give the customer to the member, who is told in the application and by e-mail."""
        body = {"customer_ids": [customer.id], "member_ids": [self.people.members[member].id]}
        self.admin.post("/assignments:assign", body | {"notify": {"in_app": True, "email": True}})

    def tell(self, member: str) -> None:
        """Have the member notified of something."""
        self.assign(*self._make_customers([("", "public")]), member)

    def new_release(self, owner: str) -> str:
        """Some customers of the owner, put into a pool at once."""
        ids = [customer.id for customer in self._make_customers([(owner, "own")] * 2)]
        answer = self.http.post(
            "/assignments:release",
            json={"customer_ids": ids, "pool_id": self._spare_pool(owner)},
            headers=self.people.headers(owner),
        )
        batch_id: str = answer.raise_for_status().json()["batch_id"]
        return batch_id

    def new_rule(self, place: str) -> str:
        """A version of the rule of a pool of its own, announced for a day that these tests do not see; or a draft."""
        pool_id = self._open_pool(f"{place} {self.people.name()}", POOLS.get(place, POOLS["public"]))
        body = {"pool_id": pool_id, "conditions": [{"kind": "no_follow_up", "days": 30}]}
        rule_id: str = self.admin.post("/rules", body)["id"]
        if place != "draft":
            self.admin.post(f"/rules/{rule_id}:announce", {"effective_on": FAR_AHEAD})
        return rule_id

    @property
    def robot_host(self) -> str:
        """Where what robots say is caught."""
        system: Any = self.whole.system
        return str(system.environment("notify")["ROBOT_HOSTS"])

    def new_pool(self, place: str) -> str:
        """An empty pool like the one of that place."""
        return self._open_pool(f"{place} {self.people.name()}", POOLS[place])

    def new_run(self) -> str:
        """A run that waits for a confirmation, of a day long ago; by itself none begins here."""
        self.whole.rows("pool", "UPDATE pool_settings SET recycle_at = '23:59:59.999' RETURNING id")
        made = self.whole.rows(
            "pool",
            "INSERT INTO recycling_runs (id, day, state, started_at, reasons, walk, nominated, taken, spared)"
            " SELECT %s, DATE '2001-01-01' + count(*)::int, 'held', now(), '{missed_runs}', 1, 0, 0, 0 FROM recycling_runs"
            " RETURNING id",
            [new_id()],
        )
        return str(made[0]["id"])

    def leaver(self, place: str) -> str:
        """Somebody who left and stays on the list."""
        return self._leavers[place][0]

    def take_leaver(self, place: str) -> str:
        """Somebody who left, for one case alone."""
        return self._leavers[place].pop()

    def new_import(self, caller: str) -> dict[str, Any]:
        """A file of one customer, uploaded by the caller."""
        content = f"客户名称,手机\n{self.people.name()},13900000000\n".encode()
        answer = self.http.post("/imports", files={"file": ("客户.csv", content)}, headers=self.people.headers(caller))
        made: dict[str, Any] = answer.raise_for_status().json()
        return made

    def new_mapping(self, owner: str) -> str:
        """A mapping that the owner has saved."""
        body = {"name": self.people.name(), "import_id": self.record("import", owner, "own")}
        answer = self.http.post("/import-mappings", json=body, headers=self.people.headers(owner))
        return str(answer.raise_for_status().json()["id"])

    def new_export(self, caller: str) -> str:
        """The id of an export of the caller's, once its file is written."""
        person = self.whole.sign_in(self.people.members[caller].login)
        export_id: str = person.post("/exports", {"kind": "customers", "ids": [str(new_id())]})["id"]
        until(lambda: person.get(f"/exports/{export_id}")["finished_at"])
        return export_id

    def _export_of(self, member: str) -> str:
        """The same of a member who has lost the right since."""
        copied = self.whole.rows(
            "import",
            "INSERT INTO export_jobs (id, version, created_by, kind, format, selection, fields, status, file_name, created_at, touched_at)"
            " VALUES (gen_random_uuid(), 1, %s, 'customers', 'csv', '', '{}', 'cancelled', 'x.csv', now(), now()) RETURNING id",
            [self.people.members[member].id],
        )
        return str(copied[0]["id"])

    def new_export_ticket(self) -> str:
        """A ticket for an exported file."""
        path = f"/exports/{self.records['export', 'administrator']}:ticket"
        answer = self.http.post(path, headers=self.people.headers("administrator"))
        return str(answer.raise_for_status().json()["url"]).rpartition("/")[2]

    def _finished_mailing(self, member: str) -> str:
        """A mailing of the member's to one customer, written by hand: who asks may have no right to write one."""
        id_, token = str(new_id()), self.people.name()
        sender = self.people.members[member].id
        self.whole.rows(
            "notify",
            "INSERT INTO mailings (id, actor_id, channel, subject, body, selection, scope, status, cursor, total, finished_at)"
            " VALUES (%s, %s, 'email', 's', 'b', '', '{}', 'finished', '', 1, now()) RETURNING id",
            [id_, sender],
        )
        self.whole.rows(
            "notify",
            "INSERT INTO mailing_recipients (id, mailing_id, customer_id, customer_name, contact_name, address, unsubscribe_token)"
            " VALUES (gen_random_uuid(), %s, gen_random_uuid(), 'n', 'c', 'a@matrix.test', %s) RETURNING id",
            [id_, token],
        )
        self.unsubscribe_token = token
        return id_

    def new_entry(self, owner: str) -> str:
        """Something on the owner's schedule."""
        body = {"subject": self.people.name(), "starts_on": "2030-01-01"}
        answer = self.http.post("/schedules", json=body, headers=self.people.headers(owner))
        return str(answer.raise_for_status().json()["id"])

    def new_call(self) -> dict[str, Any]:
        """A call from a number that is nobody's."""
        id_, at = new_id(), datetime.now(UTC).isoformat()
        number = f"0519{id_.int % 10**8:08}"
        return {"call_id": str(id_), "number": number, "hotline": "4008001234", "called_at": at, "answered": False}

    def switchboard(self) -> dict[str, str]:
        """What the telephone system sends beside a call."""
        return {"Authorization": f"Bearer {self.admin.put('/calls/switchboard')['secret']}"}

    def new_caller(self) -> str:
        """Whoever made such a call."""
        self.http.post("/calls", json=self.new_call(), headers=self.switchboard()).raise_for_status()
        return str(self.admin.get("/calls")["items"][0]["id"])

    def new_collision(self, whose: str) -> str:
        """About a customer of a colleague's or a stranger's, opened by the other of them; else one that the member opened."""
        owner, asker = {"mate": ("mate", "stranger"), "stranger": ("stranger", "mate")}.get(whose, ("stranger", whose))
        [customer] = self._make_customers([(owner, "own")])
        body = {"kind": "dispute", "customer_id": customer.id, "reason": "known before"}
        answer = self.http.post("/duplicates/collisions", json=body, headers=self.people.headers(asker))
        return str(answer.raise_for_status().json()["id"])

    def new_merge(self, owner: str) -> str:
        """Two customers of the owner, merged into one."""
        survivor, loser = self._make_customers([(owner, "own")] * 2)
        body = self.versioned({"survivor_id": survivor.id, "loser_ids": [loser.id]})
        return str(self.admin.post("/customers:merge", body)["id"])

    def survivor(self, caller: str) -> str:
        """The id of a customer of the caller's that others are merged into."""
        owner = caller if caller in PERSONS[1:] else "sales"
        if ("survivor", owner) not in self.records:
            self.records["survivor", owner] = self._make_customers([(owner, "own")])[0].id
        return self.records["survivor", owner]

    def versioned(self, merge: dict[str, Any]) -> dict[str, Any]:
        """A merge with the versions that its customers have, deleted ones too."""
        ids = [merge["survivor_id"], *merge["loser_ids"]]
        found = self.whole.rows("customer", "SELECT id, version FROM customers WHERE id = ANY(%s::uuid[])", [ids])
        return merge | {"versions": {str(row["id"]): row["version"] for row in found}}

    def _dismissed_group(self, owner: str) -> tuple[str, str]:
        """The ids of a scan that is over, and of a group that it found among the owner's customers."""
        scan_id, group_id = new_id(), new_id()
        self.whole.rows(
            "customer",
            "INSERT INTO duplicate_scans (id, status, started_by, started_at, ended_at, updated_at)"
            " VALUES (%s, 'finished', %s, now(), now(), now()) RETURNING id",
            [scan_id, self.admin.id],
        )
        self.whole.rows(
            "customer",
            "INSERT INTO duplicate_groups (id, scan_id, status, score, updated_at) VALUES (%s, %s, 'dismissed', 1, now())"
            " RETURNING id",
            [group_id, scan_id],
        )
        for customer in self._make_customers([(owner, "own")] * 2):
            self.whole.rows(
                "customer",
                "INSERT INTO duplicate_group_members (group_id, customer_id, score, reasons)"
                " VALUES (%s, %s, 1, '{name}') RETURNING group_id",
                [group_id, customer.id],
            )
        return str(scan_id), str(group_id)

    def end_scans(self) -> None:
        """No scan for duplicates goes on."""
        for scan in self.admin.get("/duplicates/scans")["items"]:
            if scan["ended_at"] is None:
                path = f"/duplicates/scans/{scan['id']}:cancel"
                self.http.post(path, headers=self.people.headers("administrator"))

    def new_filter(self, owner: str) -> str:
        """A filter that the owner has saved."""
        body = {"page": "contacts", "name": self.people.name(), "filter": {}}
        answer = self.http.post("/views", json=body, headers=self.people.headers(owner))
        return str(answer.raise_for_status().json()["id"])

    def _spare_pool(self, owner: str) -> str:
        return self.pools["spare" if POOLS["spare"] == COLLEAGUES.get(owner, "home") else "foreign"]

    def _make_leavers(self, count: int) -> dict[str, list[str]]:
        """Members who owned a customer each when they left, in a department seen and in another."""
        keys = [(place, f"leaver {number} {place}") for place in ("department", "other") for number in range(count)]
        for place, key in keys:
            self.people.add(key, COLLEAGUES[OWNERS[place]])
        self.people.settle()
        self._make_customers([(key, "own") for _, key in keys])
        found: dict[str, list[str]] = defaultdict(list)
        for place, key in keys:
            found[place].append(self.people.members[key].id)
            self.admin.post(f"/members/{found[place][-1]}:deactivate")
        ids = [id_ for made in found.values() for id_ in made]
        listed = "SELECT 1 FROM leavers WHERE member_id = ANY(%s::uuid[])"
        until(lambda: len(self.whole.rows("pool", listed, [ids])) == len(ids))
        return found

    def _dispatch_of(self, member: str) -> str:
        answer = self.http.post("/tasks:dispatch", json=self.new_dispatch(), headers=self.people.headers(member))
        return str(answer.raise_for_status().json()["id"])

    def _absence_of(self, member: str) -> str:
        body = {"starts_at": "2029-01-01T00:00:00Z", "ends_at": "2029-01-02T00:00:00Z"}
        made: str = self.admin.post(f"/members/{self.people.members[member].id}/absences", body)["id"]
        return made

    def _open_pool(self, name: str, department: str) -> str:
        kind = "to_be_assigned" if name.startswith("unassigned") else "public"
        opened_to = [self.people.departments[department]]
        admins = [self.people.members[person].id for person in PERSONS[1:]] if name.startswith("managed") else []
        body = {"name": f"{name} {self.people.tag}", "kind": kind, "department_ids": opened_to, "admin_ids": admins}
        made: str = self.admin.post("/pools", body | {"daily_reveals": None})["id"]
        return made

    def _pools_known_to(self, service: str) -> int:
        return len(self.whole.rows(service, "SELECT 1 FROM pools WHERE id = ANY(%s::uuid[])", [[*self.pools.values()]]))

    def _make_stock(self, stock: Mapping[tuple[str, str], int]) -> None:
        cases = [case for case, count in stock.items() for _ in range(count)]
        for case, customer in zip(cases, self._make_customers(cases), strict=True):
            self._stock[case].append(customer)
            self._guard(customer, case[1], [case[0]])
        self._delete([customer for (_, place), made in self._stock.items() if place == "bin" for customer in made])

    def _guard(self, customer: Customer, place: str, members: Sequence[str]) -> None:
        """Its owner shares it with the members, or locks it, if the place says so."""
        if place not in GUARDED:
            return
        headers, path = self.people.headers(GUARDED[place]), f"/customers/{customer.id}"
        if place == "locked":
            self.http.post(f"{path}:lock", headers=headers).raise_for_status()
            return
        access = "write" if place == "edited" else "read"
        shared = [{"member_id": self.people.members[member].id, "access": access} for member in members]
        self.http.post(f"{path}/collaborators", json={"collaborators": shared}, headers=headers).raise_for_status()

    def _guards_known_to_pool(self) -> bool:
        made = [one for (_, place), stock in self._stock.items() if place in GUARDED for one in stock]
        ids = [customer.id for customer in (*made, *(self._aside[place] for place in GUARDED))]
        guarded = "SELECT 1 FROM customers WHERE id = ANY(%s::uuid[]) AND (locked OR collaborator_ids <> '[]')"
        return len(self.whole.rows("pool", guarded, [ids])) == len(ids)

    def _make_standing(self) -> dict[tuple[str, str], Customer]:
        """One customer for each place, whose contact somebody has changed, so that its history knows it too."""
        own = [(caller, place) for caller in PERSONS for place in ("own", "bin")]
        cases = [
            *own,
            *(("", place) for place in (*OWNERS, "public", "foreign", "unassigned") if place not in GUARDED),
        ]
        standing = dict(zip(cases, self._make_customers(cases, filled=False), strict=True))
        for customer in standing.values():
            self.admin.patch(f"/customers/{customer.id}", {"contact": customer.contact}, 1)
        self._delete([customer for (_, place), customer in standing.items() if place == "bin"], version=2)
        return standing

    def _make_customers(self, cases: Sequence[tuple[str, str]], *, filled: bool = True) -> list[Customer]:
        """A customer for each case, in as few calls as there are pools."""
        made: dict[int, Customer] = {}
        for pool_id in ("", *self.pools.values()):
            rows = [number for number, (_, place) in enumerate(cases) if self.pools.get(place, "") == pool_id]
            for start in range(0, len(rows), _CHUNK):
                made |= self._write(cases, rows[start : start + _CHUNK], pool_id, filled=filled)
        customers = [made[number] for number in range(len(cases))]
        ids = [customer.id for customer in customers]
        placed = "SELECT 1 FROM assignments WHERE customer_id = ANY(%s::uuid[])"
        until(lambda: len(self.whole.rows("pool", placed, [ids])) == len(ids))
        return customers

    def _write(
        self, cases: Sequence[tuple[str, str]], numbers: Sequence[int], pool_id: str, *, filled: bool
    ) -> dict[int, Customer]:
        planned = [Customer("", self.people.name(), next(self._numbers)) for _ in numbers]
        rows = []
        for place, (number, customer) in enumerate(zip(numbers, planned, strict=True)):
            values = {"name": customer.name}
            if filled:
                values |= {f"contact.{name}": value for name, value in customer.contact.items()}
            if not pool_id:
                caller, where = cases[number]
                values["owner"] = self.people.members[OWNERS.get(where, caller)].login
            rows.append(rows_pb.ImportRow(row_number=place + 2, values=values))
        request = pb.BulkWriteCustomersRequest(
            job_id=str(new_id()),
            chunk_id=str(new_id()),
            actor_id=self.admin.id,
            mode=rows_pb.IMPORT_MODE_CREATE_ONLY,
            match_fields=["name"],
            target_pool_id=pool_id,
            rows=rows,
        )
        results = results_of(call(self.whole.system, "import", "customer.BulkWriteCustomers", request))
        assert all(result.outcome == rows_pb.IMPORT_OUTCOME_CREATED for result in results), results
        made = [replace(one, id=result.record_id) for one, result in zip(planned, results, strict=True)]
        return dict(zip(numbers, made, strict=True))

    def _delete(self, customers: Sequence[Customer], version: int = 1) -> None:
        """Into the recycle bin, where pool knows them to be as well."""
        for customer in customers:
            headers = self.people.headers("administrator") | {"If-Match": f'"{version}"'}
            self.http.delete(f"/customers/{customer.id}", headers=headers).raise_for_status()
        ids = [customer.id for customer in customers]
        suspended = "SELECT 1 FROM assignments WHERE suspended AND customer_id = ANY(%s::uuid[])"
        until(lambda: len(self.whole.rows("pool", suspended, [ids])) == len(ids))

    def _make_records(self, caller: str) -> None:
        """An import that can be started, one that is over, batches that are, a saved filter."""
        self.records["filter", caller] = self.new_filter(caller)
        self.records["import", caller] = self.new_import(caller)["id"]
        self.records["mapping", caller] = self.new_mapping(caller)
        self.records["ended import", caller] = self.new_import(caller)["id"]
        person = self.whole.sign_in(self.people.members[caller].login)
        person.post(f"/imports/{self.records['ended import', caller]}:cancel")
        customer = person.post("/customers", {"name": self.people.name()})
        changes = {"customer_ids": [customer["id"]], "changes": {"rating": 3}}
        self.records["customer batch", caller] = self.finish(caller, "/customers:update", changes)
        selection = {"filter": {"view": "mine", "search": customer["name"]}}
        body = {"selection": selection, "pool_id": self.pools["spare"]}
        batch_id = self.records["batch", caller] = person.post("/assignments:release", body)["batch_id"]
        until(lambda: person.get(f"/assignments/batches/{batch_id}")["finished_at"])
        self.records["release", caller] = self.new_release(caller)
        self.records["session", caller] = session_of(self.people.members[caller].token)

    def _refused_extension(self, member: str) -> str:
        """The id of an extension that a member asked for and did not get; nothing here expires, so that nobody can ask."""
        asked = self.whole.rows(
            "pool",
            "INSERT INTO extensions (id, version, customer_id, owner_id, held_since, days, reason, state, requested_at)"
            " SELECT gen_random_uuid(), 2, customer_id, owner_id, held_since, 1, 'more time', 'refused', now()"
            " FROM assignments WHERE owner_id = %s LIMIT 1 RETURNING id",
            [self.people.members[member].id],
        )
        return str(asked[0]["id"])

    def finish(self, caller: str, path: str, body: dict[str, Any]) -> str:
        """The id of a batch of customers that the caller has started, once it is over."""
        headers = self.people.headers(caller)
        batch_id: str = self.http.post(path, json=body, headers=headers).raise_for_status().json()["id"]
        ended = f"/customers/batches/{batch_id}"
        until(lambda: self.http.get(ended, headers=headers).raise_for_status().json()["finished_at"])
        return batch_id

    def _notify(self, members: Sequence[str]) -> None:
        """A notification and a mail for each of the members."""
        for member, customer in zip(members, self._make_customers([("", "public")] * len(members)), strict=True):
            self.assign(customer, member)
        ids = {self.people.members[member].id: member for member in members}
        for kind in ("notification", "delivery"):
            table = {"notification": "notifications", "delivery": "deliveries"}[kind]
            one = f"SELECT DISTINCT ON (member_id) member_id, id FROM {table} WHERE member_id = ANY(%s::uuid[])"
            found = until(lambda one=one: len(rows := self.whole.rows("notify", one, [[*ids]])) == len(ids) and rows)
            self.records |= {(kind, ids[str(row["member_id"])]): str(row["id"]) for row in found}


def _whose(caller: str, place: str) -> str:
    """Whose own customer it is; those who have none ask for what sales have."""
    if place not in ("own", "bin"):
        return ""
    return caller if caller in PERSONS else "sales"
