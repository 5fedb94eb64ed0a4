"""Asks one question of the table and reads the answer as one of its letters."""

from collections.abc import Iterable

import httpx

from chassis.http.api import Route
from chassis.identifiers import new_id
from tests.matrix.calls import Call, Case, call_of
from tests.matrix.table import DECLARED, PARAMETER, Row
from tests.matrix.world import World

_OWN_ONLY = {
    "activity_author_only",
    "contact_delete_own_only",
    "delete_own_only",
    "message_of_another",
    "not_yours_to_give",
    "only_owner_asks",
    "own_extension",
    "not_your_collaborator",
    "not_your_collision",
    "not_yours_to_decide",
    "owner_only",
    "read_only_collaborator",
    "task_not_yours",
}
_OF_SECTION = {"customer_batches": "customer batch"}
_BY_STATUS = {401: "U", 404: "N"}


def differences(world: World, row: Row, cases: Iterable[tuple[str, str, str]] | None = None) -> list[str]:
    """Every case of the row, or of those given, whose answer is not the one in the table, one line each."""
    found = []
    for caller, place, letter in row.cases() if cases is None else cases:
        answered = _answered(Case(world, row, caller, place))
        if answered != letter:
            where = "" if row.places == ("anywhere",) else f", {place}"
            found.append(f"{row.name}: {caller}{where}: expected {letter}, got {answered}")
    return found


def _answered(case: Case) -> str:
    call, (_, route) = call_of(case.row.name), DECLARED[case.row.route]
    answer = _ask(case, call, route)
    letter = _letter(case, call, route, answer)
    if letter != "✓" and (leaked := _leaked(case, answer)):
        return f"{letter}, but with {leaked}"
    if letter in "✓M" and call.after is not None:
        call.after(case)
    return letter


def _ask(case: Case, call: Call, route: Route) -> httpx.Response:
    path = PARAMETER.sub(lambda found: _parameter(case, call, found[1]), route.path)
    if call.send is not None:
        return call.send(case, path)
    headers = {"Idempotency-Key": case.world.people.name()[2:]} if route.idempotent else {}
    if route.method in ("PATCH", "DELETE") or (route.method == "PUT" and route.versioned):
        headers["If-Match"] = _version(case, path)
    return case.ask(route.method, path, headers=headers, **({"json": call.body(case)} if call.body else {}))


def _parameter(case: Case, call: Call, name: str) -> str:
    if case.allowed and name in call.path:
        return str(call.path[name](case))
    people = case.world.people
    known = {
        "customer_id": lambda: case.customer.id,
        "pool_id": lambda: case.world.pools[case.place],
        "rule_id": lambda: case.world.rules[case.place],
        "member_id": lambda: _member(case),
        "department_id": lambda: people.departments["aside"],
        "group_id": lambda: _group(case),
        "role_id": lambda: people.role_id,
        "tag_id": lambda: str(new_id()),
        "cap_id": lambda: str(new_id()),
        "reason_id": lambda: str(new_id()),
        "template_id": lambda: str(new_id()),
        "attachment_id": lambda: str(new_id()),
        "suppression_id": lambda: str(new_id()),
        "robot_id": lambda: str(new_id()),
        "receivable_id": lambda: str(new_id()),
        "payment_id": lambda: str(new_id()),
        "year": lambda: "2099",
        "contact_id": lambda: case.world.contact_of(case.customer),
        "file_id": lambda: case.world.file_of(case.customer),
        "activity_id": lambda: case.world.activity_of(case.customer),
        "task_id": lambda: case.world.new_task(case.caller, case.place),
        "opportunity_id": lambda: case.world.opportunity_of(case.customer),
        "order_id": lambda: case.world.order_of(case.customer),
        "announcement_id": lambda: case.world.announcement(case.caller, case.place),
        "message_id": lambda: case.world.message(case.caller, case.place),
        "kind_name": lambda: case.row.remark or "customers",
    }
    kind = _OF_SECTION.get(case.row.section) or name.removesuffix("_id")
    return known[name]() if name in known else case.world.record(kind, case.caller, case.place)


def _group(case: Case) -> str:
    if case.row.section == "duplicate_groups":
        return case.world.record("duplicate group", case.caller, case.place)
    return str(case.world.people.group_id)


def _member(case: Case) -> str:
    if case.row.section == "leavers":
        return case.world.leaver(case.place)
    members = case.world.people.members
    return members[case.owner if case.row.section == "absences" else "mate"].id


def _version(case: Case, path: str) -> str:
    """The record's as the caller may know it, else as an administrator does."""
    for caller in (case.caller, "administrator"):
        answer = case.world.http.get(path, headers=case.world.people.headers(caller))
        if "ETag" in answer.headers:
            return str(answer.headers["ETag"])
    return '"1"'


def _letter(case: Case, call: Call, route: Route, answer: httpx.Response) -> str:
    if answer.is_success:
        return _seen(case, answer) if call.shows_contact else "✓"
    status, problem = answer.status_code, answer.json()
    codes = {problem["code"], *(error["code"] for error in problem.get("errors", []))}
    if status == 403 and "forbidden" in codes and problem.get("permission") in (route.access, call.permission):
        return "F"
    if status == 403 and codes & _OWN_ONLY:
        return "O"
    if status in (409, 422) and codes & {*call.conflicts}:
        return "C"
    return _BY_STATUS.get(status, f"{status} {sorted(codes)}")


def _seen(case: Case, answer: httpx.Response) -> str:
    shown = [name for name, value in case.customer.contact.items() if value in answer.text]
    if len(shown) == len(case.customer.contact):
        return "✓"
    return "M" if not shown and "****" in answer.text else f"{shown or 'nothing'} of the contact"


def _leaked(case: Case, answer: httpx.Response) -> list[str]:
    """What of the contact is in an answer to somebody who may not read it."""
    if case.row.section not in ("customers", "contacts"):
        return []
    return [name for name, value in case.customer.contact.items() if value in answer.text]
