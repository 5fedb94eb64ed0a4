"""How each route of the table is called validly. A route that is not named here is a GET without parameters of its own.

A case that is expected to succeed really does what it asks for, with a record that it may use up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import httpx

from chassis.identifiers import new_id
from tests.matrix.people import session_of
from tests.matrix.table import Row
from tests.matrix.world import FAR_AHEAD, OWNERS, PICTURE, Customer, World


@dataclass(frozen=True)
class Case:
    """One question: may this caller do that with a record in this place? `letter` is the answer expected."""

    world: World
    row: Row
    caller: str
    place: str

    @property
    def letter(self) -> str:
        """What the table says."""
        return self.row.expected(self.caller, self.place)

    @property
    def allowed(self) -> bool:
        """Whether it should succeed."""
        return self.letter in "✓M"

    @cached_property
    def customer(self) -> Customer:
        """The customer that it is about."""
        if self.allowed and call_of(self.row.name).uses_up:
            return self.world.take(self.caller, self.place)
        return self.world.customer(self.caller, self.place)

    @property
    def owner(self) -> str:
        """Who owns what it is about."""
        asking = self.caller if self.caller in self.world.people.members else "sales"
        return asking if self.place == "own" else OWNERS[self.place]

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request by the caller."""
        headers = self.world.people.headers(self.caller) | options.pop("headers", {})
        return self.world.http.request(method, path, headers=headers, **options)


Made = Callable[[Case], Any]


@dataclass(frozen=True)
class Call:
    """How to call a route.

    `body`: the JSON; `path`: parameters of the path when it is expected to succeed, for records that are changed;
    `uses_up`: it takes a customer of its own; `conflicts`: the codes that `C` stands for; `permission`: what `F` names
    besides the route's own; `shows_contact`: the reply holds it, so that masks are looked for; `send`: sends otherwise
    than as JSON; `after`: puts right what a success has changed.
    """

    body: Made | None = None
    path: Mapping[str, Made] = field(default_factory=dict)
    uses_up: bool = False
    conflicts: tuple[str, ...] = ()
    permission: str = ""
    shows_contact: bool = False
    send: Callable[[Case, str], httpx.Response] | None = None
    after: Made | None = None


def call_of(name: str) -> Call:
    """How to call a row of the table."""
    return CALLS.get(name, PLAIN)


def _customers(**more: Made) -> Made:
    return lambda case: {"customer_ids": [case.customer.id]} | {name: made(case) for name, made in more.items()}


def _activities(case: Case, path: str) -> httpx.Response:
    return case.ask("GET", path, params={"customer_id": case.customer.id})


def _calendar(case: Case, path: str) -> httpx.Response:
    return case.ask("GET", path, params={"from": "2030-01-01", "to": "2030-01-07"})


def _explanation(case: Case, path: str) -> httpx.Response:
    return case.ask("GET", path, params={"kind": "customers_assigned"})


def _own_feed(case: Case, path: str) -> httpx.Response:
    case.ask("PUT", path)
    return case.ask(case.row.name.split()[0], path)


def _feed(case: Case, path: str) -> httpx.Response:
    """Whoever has the ticket."""
    address = case.world.admin.put("/schedules/feed")["url"]
    return case.ask("GET", address.removeprefix("/api/v1"))


def _switchboard(case: Case, path: str) -> httpx.Response:
    """With a secret that is there."""
    case.world.admin.put("/calls/switchboard")
    return case.ask(case.row.route.split()[0], path)


def _report(case: Case, path: str) -> httpx.Response:
    """Whoever has the secret."""
    return case.world.http.post(path, json=case.world.new_call(), headers=case.world.switchboard())


def _shown_again(case: Case) -> None:
    """Other tests look for it."""
    record = case.world.record("notification", case.caller, case.place)
    case.ask("POST", f"/notifications/{record}:restore").raise_for_status()


def _deleted_entry(case: Case) -> str:
    entry_id = case.world.new_entry(case.owner)
    path, headers = f"/schedules/{entry_id}", case.world.people.headers(case.owner)
    case.world.http.delete(path, headers=headers | {"If-Match": '"1"'}).raise_for_status()
    return entry_id


def _attach(case: Case, path: str) -> httpx.Response:
    return case.ask("POST", path, params={"customer_id": case.customer.id}, files={"file": ("图.png", PICTURE)})


def _receivable(case: Case, path: str) -> httpx.Response:
    """A change or the deletion of what is due of the order in the path."""
    due = case.world.admin.post(path.rpartition("/")[0], {"due_on": FAR_AHEAD, "amount": "1"})
    method = case.row.route.split()[0]
    sent = {"json": {"note": "soon"}} if method == "PATCH" else {}
    return case.ask(method, f"{path.rpartition('/')[0]}/{due['id']}", headers={"If-Match": '"1"'}, **sent)


def _payment(case: Case, path: str) -> httpx.Response:
    paid = case.world.admin.post(path.rpartition("/")[0], {"amount": "1"})
    return case.ask("DELETE", f"{path.rpartition('/')[0]}/{paid['id']}")


def _history(case: Case, path: str) -> httpx.Response:
    return case.ask("GET", path, params={"member_id": case.world.people.members[case.owner].id})


def _pool_history(case: Case, path: str) -> httpx.Response:
    return case.ask("GET", path, params={"pool_id": case.world.pools[case.place]})


def _receiver(case: Case) -> str:
    return case.world.people.members["receiver"].id


def _assignee(case: Case) -> str:
    """Somebody within the caller's reach."""
    return case.world.people.members["sales"].id if case.caller == "sales" else _receiver(case)


def _stranger(case: Case) -> str:
    return case.world.people.members["stranger"].id


def _made(path: str, **body: Made) -> Made:
    """A record that an administrator has just made."""
    return lambda case: case.world.admin.post(path, {name: made(case) for name, made in body.items()})["id"]


def _new_member(case: Case) -> str:
    return str(case.world.people.new_member()["id"])


def _uncapped(case: Case) -> str:
    """A member who owns nothing and whose cap, if there is one, is lifted before."""
    return case.world.uncapped()


def _gone_member(case: Case) -> str:
    member_id = _new_member(case)
    case.world.admin.post(f"/members/{member_id}:deactivate")
    return member_id


def _own_name(case: Case) -> str:
    return case.world.people.name()


def _aside(case: Case) -> str:
    return case.world.people.departments["aside"]


def _upload(case: Case, path: str) -> httpx.Response:
    files = {"file": ("导入.csv", f"客户名称,姓名\n{case.world.people.name()},张三\n".encode())}
    return case.ask("POST", path, files=files, params={"kind": case.row.remark or "customers"})


def _change_calendar(case: Case, path: str) -> httpx.Response:
    # What nothing differs from, so that the organisation's version stays.
    known = case.ask("GET", "/organisation/calendar").headers
    return case.ask("PUT", path, json={"days": []}, headers={"If-Match": known.get("ETag", '"1"')})


def _log_in(case: Case, path: str) -> httpx.Response:
    who = "mate" if case.caller == "nobody" else case.caller
    names = ("login", "password")
    member = case.world.people.members[who]
    return case.ask("POST", path, json=dict(zip(names, (member.login, member.secret), strict=True)))


def _change_password(case: Case) -> dict[str, str]:
    member = case.world.people.members["changer"]
    old, member.secret = member.secret, f"{member.login}-{case.world.people.name()}"
    return {"login": member.login, "password": old, "new_password": member.secret}


def _absence(case: Case) -> dict[str, str]:
    """A day long past the others."""
    day = date(2030, 1, 1) + timedelta(days=case.world.people.number())
    return {"starts_at": f"{day}T00:00:00Z", "ends_at": f"{day}T12:00:00Z"}


def _new_absence(case: Case) -> str:
    member_id = case.world.people.members[case.owner].id
    return str(case.world.admin.post(f"/members/{member_id}/absences", _absence(case))["id"])


def _sign_in(case: Case) -> None:
    case.world.people.sign_in(case.caller)


def _new_session(case: Case) -> str:
    return session_of(_log_in(case, "/auth/login").json()["access_token"])


def _called(case: Case) -> dict[str, str]:
    return dict.fromkeys(("zh", "en"), _own_name(case))


def _new_option(case: Case) -> str:
    return str(case.world.admin.post("/dictionaries/industry/options", _called(case))["key"])


def _deleted_fields(case: Case, path: str) -> httpx.Response:
    return case.ask("GET", path, params={"deleted": "true"})


def _service_login(case: Case) -> dict[str, str]:
    member = case.world.people.members["account" if case.caller == "nobody" else case.caller]
    return {"client_id": member.login, "client_secret": member.secret}


def _refresh(case: Case, path: str) -> httpx.Response:
    cookies = _log_in(case, "/auth/login").headers.get_list("set-cookie") if case.allowed else []
    return case.ask("POST", path, headers={"Cookie": "; ".join(cookie.partition(";")[0] for cookie in cookies)})


def _open_stream(case: Case, path: str) -> httpx.Response:
    """Its head, and the body of a refusal: a stream that is open has no end."""
    with case.world.http.stream("GET", path, headers=case.world.people.headers(case.caller)) as answer:
        content = answer.read() if answer.is_error else b""
        return httpx.Response(
            answer.status_code, headers={"Content-Type": answer.headers["Content-Type"]}, content=content
        )


def _labelled(case: Case) -> dict[str, str]:
    return dict.fromkeys(("label_zh", "label_en"), _own_name(case))


def _retired_reasons(case: Case, path: str) -> httpx.Response:
    return case.ask("GET", path, params={"inactive": "true"})


def _start_scan(case: Case, path: str) -> httpx.Response:
    case.world.end_scans()
    return case.ask("POST", path)


def _dismiss(case: Case) -> None:
    """An open group would be gone with the next scan."""
    case.world.admin.post(f"/duplicates/groups/{case.world.record('duplicate group', case.caller, case.place)}:dismiss")


def _deleted_template(case: Case) -> str:
    id_: str = _NEW_TEMPLATE(case)
    headers = case.world.people.headers("administrator") | {"If-Match": '"1"'}
    case.world.http.delete(f"/message-templates/{id_}", headers=headers).raise_for_status()
    return id_


def _upload_attachment(case: Case, path: str) -> httpx.Response:
    return case.ask("POST", path, files={"file": ("a.txt", b"a")})


def _new_attachment(case: Case) -> str:
    return str(_upload_attachment(case, "/mailing-attachments").raise_for_status().json()["id"])


def _helper(case: Case) -> str:
    """A collaborator whom an administrator has just added."""
    shared = {"collaborators": [{"member_id": _receiver(case), "access": "read"}]}
    case.world.admin.post(f"/customers/{case.customer.id}/collaborators", shared)
    return _receiver(case)


def _merged(case: Case) -> dict[str, Any]:
    """The customer, merged into one of the caller's."""
    return {"survivor_id": case.world.survivor(case.caller), "loser_ids": [case.customer.id]}


_NEW_IMPORT: Made = lambda case: case.world.new_import(case.caller)["id"]
_NEW_MAPPING: Made = lambda case: case.world.new_mapping(case.owner)
_NEW_ENTRY: Made = lambda case: case.world.new_entry(case.owner)
_NEW_COLLISION: Made = lambda case: case.world.new_collision(case.owner)
_NEW_MERGE: Made = lambda case: case.world.new_merge(case.owner)
_NEW_FILTER: Made = lambda case: case.world.new_filter(case.owner)
_ENDED_IMPORT: Made = lambda case: case.world.record("ended import", case.caller, case.place)
_POOL: Made = lambda case: [case.world.people.departments["home"]]
_NEW_POOL = _made("/pools", name=_own_name, kind=lambda _: "public", department_ids=_POOL)
_NEW_REASON = _made("/releases/reasons", label_zh=_own_name, label_en=_own_name)
_NEW_SUPPRESSION = _made("/suppressions", address=lambda case: f"{case.world.people.name()}@matrix.test")
_MAIL: Mapping[str, Any] = {
    "channel": "email",
    "subject": "{{customer_name}}",
    "body": "<p>{{contact_name}}</p>",
    "selection": {"scope": "selected", "ids": [str(new_id())]},
}
_SMS: Mapping[str, Any] = {"channel": "sms", "body": "{{customer_name}}"}
_NEW_TEMPLATE = _made(
    "/message-templates", name=_own_name, **{key: lambda _, v=value: v for key, value in _SMS.items()}
)
_ROBOT: Mapping[str, Made] = {
    "name": _own_name,
    "vendor": lambda _: "wecom",
    "webhook": lambda case: f"http://{case.world.robot_host}/local/mail/robots/matrix",
    # Each department has one that is active.
    "active": lambda _: False,
}
_NEW_ROBOT = _made("/robots", **_ROBOT)
_NEW_CAP = _made("/pools/caps", cap=lambda _: 9, member_id=_uncapped)
_NEW_DEPARTMENT = _made("/departments", name=_own_name, parent_id=_aside)
_NEW_GROUP = _made("/groups", name=_own_name, member_ids=lambda case: [_stranger(case)])
_NEW_ROLE = _made("/roles", name=_own_name, permissions=lambda _: [], data_scope=lambda _: "own")
_NEW_TAG_GROUP = _made("/tags/groups", name=_own_name)
_NEW_TAG = _made("/tags", name=_own_name, color=lambda _: "red", group_id=_NEW_TAG_GROUP)
_NOBODY: Made = lambda _: {"customer_ids": [str(new_id())]}
_NEW_RULE: Made = lambda case: case.world.new_rule(case.place)
_NEW_FIELD = _made("/fields", zh=_own_name, en=_own_name, kind=lambda _: "text")
_NEW_PRODUCT = _made("/products", name=_own_name, price=lambda _: "1")
_LIES_ELSEWHERE = ("already_owned", "not_owned", "already_in_pool", "not_in_pool", "suspended")

PLAIN = Call()
CALLS: dict[str, Call] = {
    "GET /customers/{customer_id}": Call(shows_contact=True),
    "GET /customers/{customer_id}/history": Call(shows_contact=True),
    "PATCH /customers/{customer_id}": Call(
        body=lambda case: {"remark": case.world.people.name()}, shows_contact=True, conflicts=("claim_first",)
    ),
    "DELETE /customers/{customer_id}": Call(uses_up=True),
    "POST /customers/{customer_id}:restore": Call(uses_up=True, shows_contact=True),
    "PUT /customers/{customer_id}/tags": Call(body=lambda _: {"tag_ids": []}, conflicts=("claim_first",)),
    "PUT /customers/{customer_id}/star": Call(body=lambda _: {"color": "red"}, conflicts=("claim_first",)),
    "PUT /contacts/{contact_id}/tags": Call(body=lambda _: {"tag_ids": []}, conflicts=("claim_first",)),
    "POST /customers:merge-preview": Call(body=_merged, conflicts=("already_deleted",)),
    "POST /customers:merge": Call(
        body=lambda case: case.world.versioned(_merged(case)), uses_up=True, conflicts=("already_deleted",)
    ),
    "POST /customers/merges/{merge_id}:undo": Call(path={"merge_id": _NEW_MERGE}),
    "POST /duplicates/collisions": Call(
        body=lambda case: {"kind": "collaborate", "customer_id": case.customer.id, "reason": "known before"},
        uses_up=True,
        conflicts=("customer_is_yours", "claim_instead"),
    ),
    "POST /duplicates/collisions/{collision_id}:decide": Call(
        body=lambda _: {"outcome": "keep"}, path={"collision_id": _NEW_COLLISION}
    ),
    "POST /duplicates/collisions/{collision_id}:withdraw": Call(path={"collision_id": _NEW_COLLISION}),
    "POST /duplicates/scans": Call(send=_start_scan, after=lambda case: case.world.end_scans()),
    "POST /duplicates/scans/{scan_id}:cancel": Call(conflicts=("scan_over",)),
    "POST /duplicates/groups/{group_id}:reopen": Call(after=_dismiss),
    "POST /customers:delete": Call(body=_NOBODY),
    "POST /customers:restore": Call(body=_NOBODY),
    "POST /customers:update": Call(body=lambda case: _NOBODY(case) | {"changes": {"rating": 3}}),
    "POST /customers:tag": Call(body=lambda case: _NOBODY(case) | {"remove": [str(new_id())]}),
    "POST /customers/batches/{batch_id}:cancel": Call(conflicts=("batch_over",)),
    "POST /tags": Call(
        body=lambda case: {"name": _own_name(case), "color": "red", "group_id": _NEW_TAG_GROUP(case)},
    ),
    "PATCH /tags/{tag_id}": Call(body=lambda _: {"color": "blue"}, path={"tag_id": _NEW_TAG}),
    "DELETE /tags/{tag_id}": Call(path={"tag_id": _NEW_TAG}),
    "POST /tags/groups": Call(body=lambda case: {"name": _own_name(case)}),
    "PATCH /tags/groups/{group_id}": Call(body=lambda _: {"multiple": True}, path={"group_id": _NEW_TAG_GROUP}),
    "DELETE /tags/groups/{group_id}": Call(path={"group_id": _NEW_TAG_GROUP}),
    "POST /customers": Call(body=lambda case: {"name": case.world.people.name()}),
    "POST /customers (for a colleague)": Call(
        body=lambda case: {"name": case.world.people.name(), "owner_id": _receiver(case)}, permission="pool.assign"
    ),
    "POST /customers (for somebody elsewhere)": Call(
        body=lambda case: {"name": case.world.people.name(), "owner_id": _stranger(case)},
        permission="pool.assign",
        conflicts=("owner_out_of_reach",),
    ),
    "POST /dictionaries/{dictionary}/options": Call(body=_called),
    "PATCH /dictionaries/{dictionary}/options/{key}": Call(body=_called, path={"key": _new_option}),
    "DELETE /dictionaries/{dictionary}/options/{key}": Call(path={"key": _new_option}),
    "GET /fields (deleted)": Call(send=_deleted_fields, permission="customer.configure"),
    "POST /fields": Call(body=lambda case: _called(case) | {"kind": "text"}),
    "PATCH /fields/{field_id}": Call(body=_called, path={"field_id": _NEW_FIELD}),
    "DELETE /fields/{field_id}": Call(path={"field_id": _NEW_FIELD}),
    "POST /fields/{field_id}:restore": Call(path={"field_id": _NEW_FIELD}),
    "POST /products": Call(body=lambda case: {"name": _own_name(case), "price": "1"}),
    "PATCH /products/{product_id}": Call(body=lambda _: {"price": "2"}, path={"product_id": _NEW_PRODUCT}),
    "DELETE /products/{product_id}": Call(path={"product_id": _NEW_PRODUCT}),
    "POST /views": Call(body=lambda case: {"page": "contacts", "name": _own_name(case), "filter": {}}),
    "POST /schedules": Call(body=lambda case: {"subject": case.world.people.name(), "starts_on": "2030-01-01"}),
    "GET /schedules/{entry_id}": Call(path={"entry_id": _NEW_ENTRY}),
    "PATCH /schedules/{entry_id}": Call(body=lambda _: {"place": "线上"}, path={"entry_id": _NEW_ENTRY}),
    "DELETE /schedules/{entry_id}": Call(path={"entry_id": _NEW_ENTRY}),
    "POST /schedules/{entry_id}:restore": Call(path={"entry_id": _deleted_entry}),
    "GET /schedules/calendar": Call(send=_calendar),
    "GET /schedules/feed": Call(send=_own_feed),
    "DELETE /schedules/feed": Call(send=_own_feed),
    "GET /schedules/feed/{ticket}.ics": Call(send=_feed),
    "POST /calls": Call(send=_report),
    "POST /calls (without the secret)": Call(body=lambda case: case.world.new_call()),
    "POST /calls/{caller_id}:make-customer": Call(
        body=lambda case: {"name": case.world.people.name()},
        path={"caller_id": lambda case: case.world.new_caller()},
    ),
    "GET /calls/switchboard": Call(send=_switchboard),
    "DELETE /calls/switchboard": Call(send=_switchboard),
    "PATCH /views/{filter_id}": Call(body=lambda _: {"filter": {}}, path={"filter_id": _NEW_FILTER}),
    "DELETE /views/{filter_id}": Call(path={"filter_id": _NEW_FILTER}),
    "PUT /views/{page}/columns": Call(body=lambda _: {"columns": ["name"]}),
    "GET /contacts/{contact_id}": Call(shows_contact=True),
    "GET /contacts/{contact_id}/history": Call(shows_contact=True),
    "POST /contacts/{contact_id}:reveal": Call(shows_contact=True),
    "PATCH /contacts/{contact_id}": Call(
        body=lambda case: {"remark": case.world.people.name()}, shows_contact=True, conflicts=("claim_first",)
    ),
    "DELETE /contacts/{contact_id}": Call(uses_up=True, conflicts=("claim_first",)),
    "POST /contacts/{contact_id}:restore": Call(shows_contact=True, conflicts=("claim_first",)),
    "GET /customers/{customer_id}/contacts": Call(shows_contact=True),
    "PUT /customers/{customer_id}/contacts/{contact_id}": Call(
        body=lambda _: {}, shows_contact=True, conflicts=("claim_first",)
    ),
    "DELETE /customers/{customer_id}/contacts/{contact_id}": Call(uses_up=True, conflicts=("claim_first",)),
    "POST /contacts": Call(body=lambda case: {"name": case.world.people.name()}),
    "POST /contacts:delete": Call(body=lambda _: {"contact_ids": [str(new_id())]}),
    "POST /contacts:restore": Call(body=lambda _: {"contact_ids": [str(new_id())]}),
    "GET /activities": Call(send=_activities),
    "PATCH /activities/{activity_id}": Call(body=lambda case: {"content": case.world.people.name()}),
    "GET /files": Call(send=_activities),
    "POST /files": Call(send=_attach, conflicts=("claim_first",)),
    "DELETE /files/{file_id}": Call(
        path={"file_id": lambda case: case.world.new_file(case.customer)}, conflicts=("claim_first",)
    ),
    "POST /files/{file_id}:restore": Call(conflicts=("claim_first",)),
    "GET /files/content/{ticket}": Call(path={"ticket": lambda case: case.world.new_ticket()}),
    "POST /activities": Call(body=lambda case: case.world.follow_up(case.customer), conflicts=("claim_first",)),
    "POST /tasks": Call(body=lambda case: {"subject": _own_name(case)}),
    "POST /tasks:dispatch": Call(body=lambda case: case.world.new_dispatch()),
    "POST /tasks/dispatches/{dispatch_id}:end": Call(
        body=lambda _: {}, conflicts=("dispatch_running", "dispatch_closed")
    ),
    "POST /tasks/dispatches/{dispatch_id}:reopen": Call(conflicts=("dispatch_not_ended",)),
    "PATCH /tasks/{task_id}": Call(body=lambda _: {"progress": 10}),
    "POST /tasks/{task_id}:complete": Call(body=lambda _: {}),
    "POST /tasks/{task_id}:end": Call(body=lambda _: {}),
    "POST /tasks/{task_id}:reopen": Call(conflicts=("task_not_closed",)),
    "POST /opportunities": Call(
        body=lambda case: case.world.new_opportunity(case.customer), conflicts=("claim_first",)
    ),
    "PATCH /opportunities/{opportunity_id}": Call(body=lambda _: {"heat": "hot"}, conflicts=("claim_first",)),
    "DELETE /opportunities/{opportunity_id}": Call(conflicts=("claim_first",)),
    "POST /opportunities/{opportunity_id}:restore": Call(conflicts=("claim_first",)),
    "POST /opportunities/{opportunity_id}:move": Call(body=lambda _: {"stage": "initial"}, conflicts=("claim_first",)),
    "POST /opportunities/{opportunity_id}:win": Call(conflicts=("claim_first", "won_by_orders_only")),
    "POST /opportunities/{opportunity_id}:lose": Call(body=lambda _: {"reason": "price"}, conflicts=("claim_first",)),
    "POST /opportunities/{opportunity_id}:reopen": Call(conflicts=("claim_first",)),
    "POST /orders": Call(body=lambda case: case.world.new_order(case.customer), conflicts=("claim_first",)),
    "PATCH /orders/{order_id}": Call(body=lambda _: {"remark": "soon"}, conflicts=("claim_first",)),
    "DELETE /orders/{order_id}": Call(conflicts=("claim_first",)),
    "POST /orders/{order_id}:restore": Call(conflicts=("claim_first",)),
    "POST /orders/{order_id}:confirm": Call(
        path={"order_id": lambda case: case.world.order_of(case.customer, "draft")}, conflicts=("claim_first",)
    ),
    "POST /orders/{order_id}:complete": Call(conflicts=("claim_first",)),
    "POST /orders/{order_id}:cancel": Call(body=lambda _: {}, conflicts=("claim_first",)),
    "POST /orders/{order_id}:reopen": Call(conflicts=("claim_first",)),
    "POST /orders/{order_id}:link": Call(body=lambda _: {"opportunity_id": None}, conflicts=("claim_first",)),
    "POST /orders/{order_id}/receivables": Call(
        body=lambda _: {"due_on": FAR_AHEAD, "amount": "1"}, conflicts=("claim_first",)
    ),
    "PATCH /orders/{order_id}/receivables/{receivable_id}": Call(send=_receivable, conflicts=("claim_first",)),
    "DELETE /orders/{order_id}/receivables/{receivable_id}": Call(send=_receivable, conflicts=("claim_first",)),
    "POST /orders/{order_id}/payments": Call(body=lambda _: {"amount": "1"}, conflicts=("claim_first",)),
    "DELETE /orders/{order_id}/payments/{payment_id}": Call(send=_payment, conflicts=("claim_first",)),
    "POST /duplicates:check": Call(body=lambda _: {"name": "北京华夏春松科技有限公司"}),
    "PATCH /duplicates/settings": Call(body=lambda _: {"checks_per_day": 200}),
    "PATCH /reminders/settings": Call(body=lambda _: {"birthday_days": 7}),
    "PATCH /opportunities/settings": Call(body=lambda _: {"restrict_manual_won": True}),
    "PATCH /customers/{customer_id} (guarded)": Call(
        body=lambda case: {"remark": case.world.people.name()}, conflicts=("claim_first",)
    ),
    "DELETE /customers/{customer_id} (guarded)": Call(uses_up=True),
    "POST /customers/{customer_id}:lock": Call(uses_up=True, conflicts=("in_pool",)),
    "POST /customers/{customer_id}:unlock": Call(uses_up=True, permission="customer.unprotect"),
    "POST /customers/{customer_id}/collaborators": Call(
        body=lambda case: {"collaborators": [{"member_id": _receiver(case), "access": "read"}]},
        uses_up=True,
        conflicts=("in_pool",),
    ),
    "DELETE /customers/{customer_id}/collaborators/{member_id}": Call(uses_up=True, path={"member_id": _helper}),
    "POST /assignments:claim": Call(
        body=_customers(), uses_up=True, conflicts=("already_owned", "not_claimable", "not_pool_member", "suspended")
    ),
    "POST /assignments:assign": Call(
        body=_customers(member_ids=lambda case: [_assignee(case)]),
        uses_up=True,
        conflicts=("suspended",),
        permission="pool.assign",
    ),
    "POST /assignments:claim (managed)": Call(body=_customers(), conflicts=("not_pool_member",)),
    "POST /assignments:assign (managed)": Call(
        body=_customers(member_ids=lambda case: [_stranger(case)]), uses_up=True, permission="pool.assign"
    ),
    "POST /assignments:move (managed)": Call(
        body=_customers(pool_id=lambda case: case.world.pools["spare"]), uses_up=True, permission="pool.assign"
    ),
    "POST /assignments:assign (elsewhere)": Call(
        body=_customers(member_ids=lambda case: [_stranger(case)]),
        uses_up=True,
        conflicts=("owner_out_of_reach",),
        permission="pool.assign",
    ),
    "POST /assignments:transfer (elsewhere)": Call(body=_customers(member_id=_stranger), uses_up=True),
    "POST /assignments:transfer": Call(body=_customers(member_id=_receiver), uses_up=True, conflicts=_LIES_ELSEWHERE),
    "POST /assignments:release": Call(
        body=_customers(pool_id=lambda case: case.world.pools["public"]), uses_up=True, conflicts=_LIES_ELSEWHERE
    ),
    "POST /assignments:transfer (guarded)": Call(
        body=_customers(member_id=_receiver), uses_up=True, conflicts=_LIES_ELSEWHERE
    ),
    "POST /assignments:release (guarded)": Call(
        body=_customers(pool_id=lambda case: case.world.pools["public"]), uses_up=True, conflicts=_LIES_ELSEWHERE
    ),
    "POST /assignments:move": Call(
        body=_customers(pool_id=lambda case: case.world.pools["spare"]),
        uses_up=True,
        conflicts=_LIES_ELSEWHERE,
        permission="pool.assign",
    ),
    "POST /assignments:confirm": Call(
        body=_customers(), conflicts=("not_a_prospect", "not_in_pool", "suspended"), permission="pool.assign"
    ),
    "POST /extensions": Call(
        body=lambda case: {"customer_id": case.customer.id, "days": 1, "reason": "more time"},
        conflicts=("does_not_expire", "not_owned", "suspended"),
    ),
    "POST /extensions/{extension_id}:grant": Call(body=lambda _: {}, conflicts=("already_decided",)),
    "POST /extensions/{extension_id}:refuse": Call(body=lambda _: {"note": "no"}, conflicts=("already_decided",)),
    "POST /extensions/{extension_id}:withdraw": Call(conflicts=("already_decided",)),
    "POST /assignments/batches/{batch_id}:cancel": Call(conflicts=("batch_over",)),
    "POST /releases/{release_id}:undo": Call(
        path={"release_id": lambda case: case.world.new_release(case.owner)}, permission="pool.manage"
    ),
    "POST /assignments/leavers/{member_id}:hand-over": Call(
        path={"member_id": lambda case: case.world.take_leaver(case.place)}
    ),
    "POST /assignments/leavers/{member_id}:plan": Call(body=lambda _: {"how": "to_pool"}),
    "POST /assignments/leavers/{member_id}:share": Call(
        body=lambda _: {"how": "to_pool"}, path={"member_id": lambda case: case.world.take_leaver(case.place)}
    ),
    "GET /pools/{pool_id}/figures": Call(permission="pool.assign"),
    "POST /rules/runs/{run_id}:confirm": Call(body=lambda _: {}, path={"run_id": lambda case: case.world.new_run()}),
    "POST /rules/runs/{run_id}:drop": Call(path={"run_id": lambda case: case.world.new_run()}),
    "GET /assignments/history": Call(send=_history),
    "GET /assignments/history (pool)": Call(send=_pool_history),
    "POST /pools/{pool_id}:move-customers": Call(
        body=lambda case: {"pool_id": case.world.pools["spare"]},
        path={"pool_id": lambda case: case.world.new_pool(case.place)},
        permission="pool.assign",
    ),
    "GET /releases/reasons (retired)": Call(send=_retired_reasons, permission="pool.manage"),
    "POST /releases/reasons": Call(body=_labelled),
    "PATCH /releases/reasons/{reason_id}": Call(body=_labelled, path={"reason_id": _NEW_REASON}),
    "DELETE /releases/reasons/{reason_id}": Call(path={"reason_id": _NEW_REASON}),
    "PATCH /pools/{pool_id}": Call(body=lambda _: {}),
    "DELETE /pools/{pool_id}": Call(path={"pool_id": _NEW_POOL}),
    "POST /pools": Call(body=lambda case: {"name": _own_name(case), "kind": "public", "department_ids": _POOL(case)}),
    "PATCH /pools/settings": Call(body=lambda _: {"holding_cap": None}),
    "POST /pools/caps": Call(
        body=lambda case: {"cap": 9, "member_id": _uncapped(case) if case.allowed else _receiver(case)}
    ),
    "PATCH /pools/caps/{cap_id}": Call(body=lambda _: {"cap": 8}, path={"cap_id": _NEW_CAP}),
    "DELETE /pools/caps/{cap_id}": Call(path={"cap_id": _NEW_CAP}),
    "POST /rules": Call(
        body=lambda case: {
            "pool_id": case.world.pools["public"],
            "conditions": [{"kind": "no_deal", "days_by_level": {"A": 90}}],
        }
    ),
    "PATCH /rules/{rule_id}": Call(
        body=lambda _: {"working_days": True}, path={"rule_id": _NEW_RULE}, conflicts=("rule_not_draft",)
    ),
    "DELETE /rules/{rule_id}": Call(path={"rule_id": _NEW_RULE}, conflicts=("rule_not_draft",)),
    "POST /rules/{rule_id}:announce": Call(
        body=lambda _: {"effective_on": FAR_AHEAD}, path={"rule_id": _NEW_RULE}, conflicts=("rule_not_draft",)
    ),
    "POST /rules/{rule_id}:withdraw": Call(path={"rule_id": _NEW_RULE}, conflicts=("rule_not_announced",)),
    "POST /rules/{rule_id}:shadow": Call(path={"rule_id": _NEW_RULE}, conflicts=("rule_not_draft",)),
    "POST /rules/{rule_id}:end": Call(conflicts=("rule_not_active",)),
    "POST /imports": Call(send=_upload),
    "POST /imports (members)": Call(send=_upload, permission="organisation.manage"),
    "GET /import-templates/{kind_name}.xlsx (members)": Call(permission="organisation.manage"),
    "GET /imports": Call(permission="import.run"),
    "GET /imports/{import_id}": Call(permission="import.run"),
    "PATCH /imports/{import_id}": Call(body=lambda _: {"clear_empty": False}),
    "POST /imports/{import_id}:start": Call(path={"import_id": _NEW_IMPORT}),
    "POST /imports/{import_id}:cancel": Call(path={"import_id": _NEW_IMPORT}),
    "POST /imports/{import_id}:rehearse": Call(path={"import_id": _NEW_IMPORT}),
    "GET /imports/{import_id}/rehearsal": Call(permission="import.run", conflicts=("import_not_rehearsed",)),
    "GET /imports/{import_id}/rehearsal/summary": Call(permission="import.run", conflicts=("import_not_rehearsed",)),
    "POST /imports/{import_id}:decide": Call(body=lambda _: {"decision": "skip"}, conflicts=("nothing_to_decide",)),
    "POST /imports/{import_id}:undo": Call(conflicts=("import_not_ended",)),
    "POST /imports/{import_id}:correct": Call(
        body=lambda _: {"column": 0, "to": "甲", "from": "乙"}, conflicts=("nothing_to_correct",)
    ),
    "POST /imports/{import_id}:retry": Call(body=lambda _: {}, conflicts=("nothing_to_retry",)),
    "GET /imports/{import_id}/rows": Call(permission="import.run"),
    "GET /imports/{import_id}/problems": Call(permission="import.run"),
    "GET /imports/{import_id}/errors.xlsx": Call(path={"import_id": _ENDED_IMPORT}, permission="import.run"),
    "GET /import-mappings": Call(permission="import.run"),
    "POST /import-mappings": Call(
        body=lambda case: {"name": _own_name(case), "import_id": case.world.record("import", case.caller, case.place)}
    ),
    "PATCH /import-mappings/{mapping_id}": Call(
        body=lambda case: {"name": _own_name(case)}, path={"mapping_id": _NEW_MAPPING}
    ),
    "DELETE /import-mappings/{mapping_id}": Call(path={"mapping_id": _NEW_MAPPING}),
    "POST /exports": Call(body=lambda _: {"kind": "customers", "ids": [str(new_id())]}),
    "POST /exports/{export_id}:cancel": Call(conflicts=("export_already_ended",)),
    "GET /exports/content/{ticket}": Call(path={"ticket": lambda case: case.world.new_export_ticket()}),
    "POST /notifications/{notification_id}:snooze": Call(
        body=lambda _: {"until": f"{FAR_AHEAD}T00:00:00Z"}, after=_shown_again
    ),
    "POST /notifications/{notification_id}:dismiss": Call(after=_shown_again),
    "POST /notifications:dismiss": Call(body=lambda _: {"ids": [str(new_id())]}),
    "GET /notifications/explanation": Call(send=_explanation),
    "POST /notifications:sample": Call(body=lambda _: {"kind": "reminder_due"}),
    "POST /deliveries/{delivery_id}:resend": Call(
        permission="notify.configure", conflicts=("delivery_not_resendable",)
    ),
    "POST /deliveries:resend": Call(body=lambda _: {"ids": [str(new_id())]}),
    "GET /notifications/stream": Call(send=_open_stream),
    "POST /suppressions": Call(body=lambda case: {"address": f"{case.world.people.name()}@matrix.test"}),
    "DELETE /suppressions/{suppression_id}": Call(path={"suppression_id": _NEW_SUPPRESSION}),
    "PUT /preferences": Call(body=lambda _: {}),
    "PUT /preferences/defaults": Call(body=lambda _: {}),
    "POST /mailings:preview": Call(body=lambda _: _MAIL),
    "POST /mailings": Call(body=lambda _: _MAIL),
    "POST /mailings/{mailing_id}:cancel": Call(conflicts=("mailing_ended",)),
    "POST /mailing-attachments": Call(send=_upload_attachment),
    "DELETE /mailing-attachments/{attachment_id}": Call(path={"attachment_id": _new_attachment}),
    "GET /mailings/unsubscribe/{token}": Call(path={"token": lambda case: case.world.unsubscribe_token}),
    "POST /mailings/unsubscribe/{token}": Call(path={"token": lambda case: case.world.unsubscribe_token}),
    "POST /message-templates": Call(body=lambda case: {**_SMS, "name": _own_name(case)}),
    "GET /message-templates/{template_id}": Call(path={"template_id": _NEW_TEMPLATE}),
    "PATCH /message-templates/{template_id}": Call(
        body=lambda case: {"name": _own_name(case)}, path={"template_id": _NEW_TEMPLATE}
    ),
    "DELETE /message-templates/{template_id}": Call(path={"template_id": _NEW_TEMPLATE}),
    "POST /message-templates/{template_id}:restore": Call(path={"template_id": _deleted_template}),
    "POST /message-templates:preview": Call(body=lambda _: _SMS),
    "POST /announcements": Call(body=lambda case: case.world.new_announcement("receiver")),
    "POST /announcements:count": Call(body=lambda _: {"everybody": True}),
    "POST /announcements/{announcement_id}:withdraw": Call(
        path={
            "announcement_id": lambda case: case.world.admin.post(
                "/announcements", case.world.new_announcement("receiver")
            )["id"]
        }
    ),
    "POST /messages": Call(
        body=lambda case: {"receiver_ids": [case.world.people.members["receiver"].id], "text": _own_name(case)}
    ),
    "POST /messages/{message_id}:reply": Call(body=lambda case: {"text": _own_name(case)}),
    "POST /messages/{message_id}:withdraw": Call(
        path={"message_id": lambda case: case.world.new_message(case.caller, case.place)}
    ),
    "POST /robots": Call(body=lambda case: {name: made(case) for name, made in _ROBOT.items()}),
    "PATCH /robots/{robot_id}": Call(body=lambda case: {"name": _own_name(case)}, path={"robot_id": _NEW_ROBOT}),
    "DELETE /robots/{robot_id}": Call(path={"robot_id": _NEW_ROBOT}),
    "POST /robots/{robot_id}:test": Call(path={"robot_id": _NEW_ROBOT}),
    "DELETE /auth/sessions/{session_id}": Call(path={"session_id": _new_session}, after=_sign_in),
    "POST /auth/logout-everywhere": Call(after=_sign_in),
    "POST /auth/password:redeem": Call(
        body=lambda case: {
            "token": case.world.people.new_member()["password_link"].partition("#")[2],
            "new_password": case.world.people.name(),
        }
    ),
    "POST /auth/login": Call(send=_log_in),
    "POST /auth/password": Call(body=_change_password),
    "POST /auth/service-token": Call(body=_service_login),
    "POST /auth/refresh": Call(send=_refresh),
    "POST /auth/logout": Call(after=_sign_in),
    "PATCH /auth/me": Call(body=lambda _: {"language": "zh-CN"}),
    "PATCH /organisation": Call(body=lambda _: {}),
    "PUT /organisation/calendar/{year}": Call(send=_change_calendar),
    "POST /members": Call(
        body=lambda case: {
            "login": (name := f"n{case.world.people.name()[2:]}"),
            "name": name,
            "email": f"{name}@matrix.test",
            "department_id": _aside(case),
        }
    ),
    "PATCH /members/{member_id}": Call(body=lambda _: {"phone": "021-58880000"}, path={"member_id": _new_member}),
    "POST /members/{member_id}:deactivate": Call(path={"member_id": _new_member}),
    "POST /members/{member_id}:activate": Call(path={"member_id": _gone_member}),
    "POST /members/{member_id}:reset-password": Call(path={"member_id": _new_member}),
    "POST /members/{member_id}:end-sessions": Call(path={"member_id": _new_member}),
    "POST /members:invite": Call(body=lambda case: {"member_ids": [_new_member(case)]}),
    "GET /members/{member_id}/absences": Call(permission="organisation.manage"),
    "POST /members/{member_id}/absences": Call(body=_absence, permission="organisation.manage"),
    "DELETE /members/{member_id}/absences/{absence_id}": Call(
        path={"absence_id": _new_absence}, permission="organisation.manage"
    ),
    "POST /auth/me/absences": Call(body=_absence),
    "DELETE /auth/me/absences/{absence_id}": Call(path={"absence_id": _new_absence}),
    "POST /departments/{department_id}:merge": Call(
        body=lambda case: {"into_id": _aside(case)}, path={"department_id": _NEW_DEPARTMENT}
    ),
    "POST /groups": Call(body=lambda case: {"name": _own_name(case)}),
    "PATCH /groups/{group_id}": Call(body=lambda case: {"name": _own_name(case)}, path={"group_id": _NEW_GROUP}),
    "DELETE /groups/{group_id}": Call(path={"group_id": _NEW_GROUP}),
    "POST /groups/{group_id}:add-members": Call(
        body=lambda case: {"member_ids": [_new_member(case)]}, path={"group_id": _NEW_GROUP}
    ),
    "POST /groups/{group_id}:remove-members": Call(
        body=lambda case: {"member_ids": [_stranger(case)]}, path={"group_id": _NEW_GROUP}
    ),
    "POST /departments": Call(body=lambda case: {"name": _own_name(case), "parent_id": _aside(case)}),
    "PATCH /departments/{department_id}": Call(
        body=lambda case: {"name": _own_name(case)}, path={"department_id": _NEW_DEPARTMENT}
    ),
    "DELETE /departments/{department_id}": Call(path={"department_id": _NEW_DEPARTMENT}),
    "POST /roles": Call(body=lambda case: {"name": _own_name(case), "permissions": [], "data_scope": "own"}),
    "PATCH /roles/{role_id}": Call(body=lambda case: {"name": _own_name(case)}, path={"role_id": _NEW_ROLE}),
    "DELETE /roles/{role_id}": Call(path={"role_id": _NEW_ROLE}),
}
USES_UP = {name for name, call in CALLS.items() if call.uses_up}
