"""The switchboard: calls are reported once, callers are listed with whose customers they are, and become customers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from chassis.clock import now
from chassis.database.tables import audit_entries
from chassis.identifiers import new_id
from crm_customer.calls.due import forget
from crm_customer.calls.model import Caller, IncomingCall, SwitchboardSecret
from crm_customer.calls.rules import number_of, spellings
from tests.support.bulk import Importer
from tests.support.statements import statements_of

_HOTLINE = "400-800-1234"
_MOBILE = "13800138000"


def _secret(customers: Any) -> str:
    made = customers.request("PUT", "/calls/switchboard", customers.organisation.admin)
    assert made.status_code == 200, made.text
    return str(made.json["secret"])


def _report(customers: Any, secret: str, number: str | None = _MOBILE, **more: Any) -> Any:
    call = {"call_id": str(new_id()), "number": number, "hotline": _HOTLINE, "answered": True, "seconds": 30}
    body = call | {"called_at": now().isoformat()} | more
    return customers.client.post("/api/v1/calls", json=body, headers={"Authorization": f"Bearer {secret}"})


def _reported(customers: Any, *numbers: str | None, **more: Any) -> None:
    secret = _secret(customers)
    for number in numbers:
        assert _report(customers, secret, number, **more).status_code == 201


def _callers(customers: Any, member: Any, **query: Any) -> list[Any]:
    reply = customers.request("GET", "/calls", member, query_string=query)
    assert reply.status_code == 200, reply.text
    assert reply.json["total"] == len(reply.json["items"])
    return list(reply.json["items"])


def _make(customers: Any, member: Any, caller: Any, **body: Any) -> Any:
    headers = {"Idempotency-Key": body.pop("key", str(new_id()))}
    body = {"name": "来电客户", **body}
    return customers.request("POST", f"/calls/{caller['id']}:make-customer", member, json=body, headers=headers)


def _rows(customers: Any, table: Any) -> int:
    with customers.database.reading() as session:
        return int(session.scalar(select(func.count()).select_from(table)))


def _with_mobile(customers: Any, member: Any, name: str = "华夏春松", mobile: str = _MOBILE, **more: Any) -> Any:
    return customers.create(member, name, contact={"name": "王磊", "mobile": mobile}, **more)


# Reporting


def test_a_call_is_reported_with_the_secret_that_an_administrator_made_and_read_by_its_caller(customers: Any) -> None:
    people = customers.organisation
    secret, at = _secret(customers), now().isoformat()

    reply = _report(customers, secret, "+86 138-0013-8000", call_id="pbx-1", called_at=at, extension="8001")

    assert reply.status_code == 201, reply.text
    assert reply.json["call_id"] == "pbx-1"
    [caller] = _callers(customers, people.operations)
    assert caller["number"] == _MOBILE
    assert (caller["calls"], caller["answered_calls"], caller["customers"]) == (1, 1, [])
    assert caller["last_call"].items() >= {"hotline": "4008001234", "seconds": 30, "extension": "8001"}.items()
    log = customers.request("GET", f"/calls/{caller['id']}/log", people.operations).json
    assert (log["items"], log["total"]) == ([caller["last_call"]], 1)


def test_the_same_call_is_answered_as_before_and_kept_once(customers: Any) -> None:
    secret, at = _secret(customers), now().isoformat()
    first = _report(customers, secret, call_id="pbx-1", called_at=at)

    again = _report(customers, secret, "+86 " + _MOBILE, call_id="pbx-1", called_at=at)

    assert (again.status_code, again.json) == (201, first.json)
    other = _report(customers, secret, "13900139000", call_id="pbx-1", called_at=at)
    assert (other.status_code, other.json["code"]) == (409, "call_id_reused")
    assert (_rows(customers, IncomingCall), _rows(customers, Caller)) == (1, 1)


def test_a_call_that_is_reported_several_times_at_once_is_kept_once(customers: Any) -> None:
    secret, at = _secret(customers), now().isoformat()

    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(lambda _: _report(customers, secret, call_id="pbx-1", called_at=at), range(8)))

    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json["id"] for reply in replies}) == 1
    assert _rows(customers, IncomingCall) == 1


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer wrong", "Basic wrong", "Bearer \udcff"], ids=str)
def test_nothing_is_taken_without_the_secret(customers: Any, authorization: str) -> None:
    _secret(customers)
    body = {"call_id": "1", "number": _MOBILE, "hotline": _HOTLINE, "answered": True, "called_at": now().isoformat()}
    headers = {"Authorization": authorization.encode("utf-8", "replace").decode()} if authorization else {}

    reply = customers.client.post("/api/v1/calls", json=body, headers=headers)

    assert (reply.status_code, reply.json["code"]) == (401, "switchboard_secret_wrong")
    assert _rows(customers, IncomingCall) == 0


def test_a_members_token_reports_nothing_and_a_secret_reads_nothing(customers: Any) -> None:
    admin, secret = customers.organisation.admin, _secret(customers)
    body = {"call_id": "1", "hotline": _HOTLINE, "answered": False, "called_at": now().isoformat()}

    assert customers.request("POST", "/calls", admin, json=body).status_code == 401
    assert customers.client.get("/api/v1/calls", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_a_secret_is_told_once_replaced_and_revoked_and_only_its_hash_is_kept(customers: Any) -> None:
    admin = customers.organisation.admin
    assert customers.request("GET", "/calls/switchboard", admin).status_code == 404
    assert customers.request("DELETE", "/calls/switchboard", admin).status_code == 404
    first = _secret(customers)
    _report(customers, first)

    told = customers.request("GET", "/calls/switchboard", admin).json

    assert (told["secret"], told["created_by"]["name"]) == (None, "管理员")
    assert told["last_reported_at"] is not None
    second = _secret(customers)
    assert [_report(customers, one).status_code for one in (first, second)] == [401, 201]
    with customers.database.reading() as session:
        kept = session.scalars(select(SwitchboardSecret.secret_hash)).one()
        written = str(session.execute(select(audit_entries)).all())
    assert second.encode() not in kept
    assert second not in written
    assert customers.request("DELETE", "/calls/switchboard", admin).status_code == 204
    assert _report(customers, second).status_code == 401
    with customers.database.reading() as session:
        acts = session.scalars(
            select(audit_entries.c.action).where(audit_entries.c.subject_type == "switchboard")
        ).all()
    assert sorted(acts) == ["switchboard.secret_made"] * 2 + ["switchboard.secret_revoked"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("call_id", ""),
        ("call_id", "两 个"),
        ("call_id", "x" * 129),
        ("call_id", "a\0b"),
        ("number", "总机"),
        ("number", "12"),
        ("number", "1" * 21),
        ("number", "1380013\0000"),
        ("number", "sip:13800138000@pbx"),
        ("number", "1" * 51),
        ("number", 13800138000),
        ("hotline", ""),
        ("hotline", "anonymous"),
        ("hotline", "\ud800"),
        ("hotline", None),
        ("called_at", "yesterday"),
        ("called_at", "2026-11-27T08:00:00"),
        ("called_at", "1999-12-31T00:00:00Z"),
        ("called_at", "2150-01-01T00:00:00Z"),
        ("answered", None),
        ("answered", "maybe"),
        ("seconds", -1),
        ("seconds", 86_401),
        ("seconds", 1.5),
        ("extension", "分机"),
        ("extension", "x" * 21),
    ],
    ids=lambda value: repr(value)[:24].encode("ascii", "backslashreplace").decode(),
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_ugly_report_is_refused_with_the_field_in_words(
    customers: Any, field: str, value: Any, language: str
) -> None:
    secret = _secret(customers)
    call = {"call_id": "1", "number": _MOBILE, "hotline": _HOTLINE, "answered": True, "called_at": now().isoformat()}
    headers = {"Authorization": f"Bearer {secret}", "Accept-Language": language}

    reply = customers.client.post("/api/v1/calls", json=call | {field: value}, headers=headers)

    assert reply.status_code == 422, reply.text
    [error] = reply.json["errors"]
    assert error["pointer"] == f"/{field}"
    assert any("\u4e00" <= letter <= "\u9fff" for letter in error["message"]) is (language == "zh"), error
    assert _rows(customers, IncomingCall) == 0


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"[]", 400), (b'"x"', 400), (b"{}" + b" " * 5000, 413), (b'{"more": 1}', 422), (b"\xff", 400)],
    ids=["cut", "list", "text", "large", "unknown", "no-utf8"],
)
def test_a_report_that_is_none_is_refused(customers: Any, content: bytes, status: int) -> None:
    headers = {"Authorization": f"Bearer {_secret(customers)}", "Content-Type": "application/json"}

    assert customers.client.post("/api/v1/calls", data=content, headers=headers).status_code == status


def test_reports_are_limited_in_rate_by_address(customers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_customer.calls.http.BUDGET", "2/minute")
    secret = _secret(customers)
    headers = {"Authorization": f"Bearer {secret}", "X-Forwarded-For": "192.0.2.1, 198.51.100.7"}
    body = {"call_id": "1", "hotline": _HOTLINE, "answered": False, "called_at": "2026-11-01T00:00:00Z"}

    replies = [customers.client.post("/api/v1/calls", json=body, headers=headers) for _ in range(3)]

    assert [reply.status_code for reply in replies] == [201, 201, 429]
    assert int(replies[2].headers["Retry-After"]) > 0
    elsewhere = headers | {"X-Forwarded-For": "198.51.100.8"}
    assert customers.client.post("/api/v1/calls", json=body, headers=elsewhere).status_code == 201


# Numbers


@pytest.mark.parametrize(
    ("reported", "number"),
    [
        ("+86 138-0013-8000", _MOBILE),
        ("008613800138000", _MOBILE),
        ("013800138000", _MOBILE),
        ("１３８００１３８０００", _MOBILE),
        ("(010) 6552 9988", "01065529988"),
        ("+86 10 6552 9988", "01065529988"),
        ("+86 (0)10 6552 9988", "01065529988"),
        ("400-800-1234", "4008001234"),
        ("+86 400 800 1234", "4008001234"),
        ("10086", "10086"),
        ("+1 (212) 555-0100", "12125550100"),
        ("0012125550100", "12125550100"),
        ("", ""),
        (" Anonymous ", ""),
        ("未知", ""),
    ],
)
def test_numbers_have_one_form_however_they_are_reported(reported: str, number: str) -> None:
    assert number_of(reported) == number


@given(st.text())
def test_whatever_is_said_is_digits_withheld_or_no_number(text: str) -> None:
    try:
        found = number_of(text)
    except ValueError:
        return
    assert found == "" or (found.isascii() and found.isdigit())
    assert bool(spellings(found)) is bool(found)
    assert not found or found in spellings(found)


@pytest.mark.parametrize(
    ("field", "written", "reported"),
    [
        ("mobile", "138 0013 8000", "+8613800138000"),
        ("phone", "+86 138-0013-8000", _MOBILE),
        ("phone", "010-65529988", "+86 10 65529988"),
        ("phone", "+86 10 6552 9988", "01065529988"),
        ("phone", "+86(0)10-65529988", "01065529988"),
        ("phone", "(0086)1065529988", "01065529988"),
        ("phone", "0086(0)1065529988", "01065529988"),
        ("phone", "00 1 212 555 0100", "+12125550100"),
        ("phone", "+1 212 555 0100", "0012125550100"),
    ],
)
def test_a_call_is_of_the_customer_whose_contact_bears_the_number(
    customers: Any, field: str, written: str, reported: str
) -> None:
    people = customers.organisation
    customer = customers.create(people.sales, contact={"name": "王磊", field: written})

    _reported(customers, reported)

    [caller] = _callers(customers, people.supervisor)
    assert [one["id"] for one in caller["customers"]] == [customer["id"]]
    assert caller["customers"][0]["owner"]["name"] == "张三"
    [call] = customers.request("GET", f"/customers/{customer['id']}/calls", people.sales).json["items"]
    assert call["number"] == caller["number"]
    seen = customers.request("GET", f"/customers/{customer['id']}", people.sales).json
    assert seen["last_called_at"] == caller["last_called_at"]


def test_a_number_of_several_customers_is_told_with_all_of_them(customers: Any) -> None:
    people = customers.organisation
    names = {"甲", "乙", "丙"}
    for name in names:
        _with_mobile(customers, people.sales, name)

    _reported(customers, _MOBILE, _MOBILE)

    [caller] = _callers(customers, people.operations)
    assert {one["name"] for one in caller["customers"]} == names
    assert caller["calls"] == 2


def test_withheld_numbers_are_calls_of_nobody(customers: Any) -> None:
    operations = customers.organisation.operations

    _reported(customers, None, "", "anonymous")

    [caller] = _callers(customers, operations, known="false")
    assert (caller["number"], caller["calls"], caller["customers"]) == (None, 3, [])
    refused = _make(customers, operations, caller)
    assert (refused.status_code, refused.json["code"]) == (409, "number_withheld")


def test_a_customer_that_comes_later_is_the_callers_by_whatever_way_it_came(customers: Any) -> None:
    people = customers.organisation
    _reported(customers, _MOBILE, "13900139000")
    assert len(_callers(customers, people.operations, known="false")) == 2

    by_form = _with_mobile(customers, people.sales, "甲")
    by_contact = customers.create(people.sales, "乙")
    contact = customers.new_contact(people.sales, name="李雷", mobile="13900139000", customer_id=by_contact["id"])

    known = _callers(customers, people.operations, known="true")
    assert {caller["customers"][0]["id"] for caller in known} == {by_form["id"], by_contact["id"]}
    assert customers.listed(people.sales, view="called") == ["乙", "甲"]
    customers.delete_contacts(people.sales, contact)
    assert [caller["number"] for caller in _callers(customers, people.operations, known="false")] == ["13900139000"]
    assert customers.listed(people.sales, view="called") == ["甲"]


def test_imported_and_merged_customers_have_the_calls_of_their_numbers(customers: Any, importer: Importer) -> None:
    people = customers.organisation
    _reported(customers, _MOBILE, "13900139000")

    importer.write({"name": "甲", "contact.mobile": "138-0013-8000"}, {"name": "乙", "contact.mobile": "13900139000"})

    known = _callers(customers, people.admin, known="true")
    by_name = {one["name"]: one for caller in known for one in caller["customers"]}
    assert set(by_name) == {"甲", "乙"}
    merged = {"survivor_id": by_name["甲"]["id"], "loser_ids": [by_name["乙"]["id"]]}
    merged["versions"] = dict.fromkeys((merged["survivor_id"], *merged["loser_ids"]), 1)
    assert customers.request("POST", "/customers:merge", people.admin, json=merged).status_code == 201
    calls = customers.request("GET", f"/customers/{merged['survivor_id']}/calls", people.admin).json["items"]
    assert {call["number"] for call in calls} == {_MOBILE, "13900139000"}


def test_a_customer_in_the_recycle_bin_is_nobodys_caller(customers: Any) -> None:
    people = customers.organisation
    customer = _with_mobile(customers, people.sales)
    _reported(customers, _MOBILE)
    etag = {"If_Match": f'"{customer["version"]}"'}
    assert customers.request("DELETE", f"/customers/{customer['id']}", people.sales, headers=etag).status_code == 204

    [caller] = _callers(customers, people.operations)

    assert caller["customers"] == []
    assert customers.listed(people.operations, view="called") == []


# The list


def test_callers_are_listed_by_their_last_call_and_by_what_is_asked_of_one_call(customers: Any) -> None:
    operations, secret = customers.organisation.operations, _secret(customers)
    _with_mobile(customers, customers.organisation.sales)

    def at(days: int) -> str:
        return (now() - timedelta(days=days)).isoformat()

    _report(customers, secret, _MOBILE, called_at=at(9))
    _report(customers, secret, "13900139000", called_at=at(5), answered=False, hotline="95 588")
    _report(customers, secret, _MOBILE, called_at=at(1), answered=False)

    def numbers(**query: Any) -> list[str]:
        return [caller["number"] for caller in _callers(customers, operations, **query)]

    def day(days: int) -> str:
        return str((now() + timedelta(hours=8) - timedelta(days=days)).date())

    assert numbers() == [_MOBILE, "13900139000"]
    assert numbers(hotline="95588") == ["13900139000"]
    assert numbers(hotline="+86 400 800 1234") == [_MOBILE]
    assert numbers(answered="true") == [_MOBILE]
    assert numbers(known="true") == [_MOBILE]
    assert numbers(known="false") == ["13900139000"]
    assert numbers(**{"from": day(6), "to": day(4)}) == ["13900139000"]
    assert numbers(**{"from": day(2)}) == [_MOBILE]
    assert numbers(answered="true", **{"from": day(2)}) == []
    wrong = customers.request("GET", "/calls", operations, query_string={"hotline": "总机"})
    assert (wrong.status_code, wrong.json["errors"][0]["pointer"]) == (422, "/hotline")
    assert (
        customers.request("GET", "/calls", operations, query_string={"from": day(1), "to": day(2)}).status_code == 422
    )


def test_callers_are_paged_by_number_from_the_end_and_by_cursor(customers: Any) -> None:
    operations = customers.organisation.operations
    numbers = [f"1390000000{digit}" for digit in range(5)]
    _reported(customers, *numbers)

    def page(**query: Any) -> Any:
        return customers.request("GET", "/calls", operations, query_string={"page_size": 2, **query}).json

    first = page()
    assert (first["total"], [one["number"] for one in first["items"]]) == (5, numbers[:2:-1])
    assert [one["number"] for one in page(page=2)["items"]] == numbers[2:0:-1]
    assert [one["number"] for one in page(page="last")["items"]] == [numbers[0]]
    assert [one["number"] for one in page(cursor=first["next_cursor"])["items"]] == numbers[2:0:-1]
    calls = customers.request("GET", f"/calls/{first['items'][0]['id']}/log", operations, query_string={"page": 2}).json
    assert (calls["items"], calls["total"]) == ([], 1)


# Who sees what (matrix C.3)


@pytest.mark.parametrize("role", ["sales", "colleague", "rival"])
def test_sales_see_no_callers_until_they_are_granted_it(customers: Any, role: str) -> None:
    member = getattr(customers.organisation, role)
    _reported(customers, _MOBILE)
    [caller] = _callers(customers, customers.organisation.admin)

    for method, path in (("GET", "/calls"), ("GET", f"/calls/{caller['id']}/log")):
        refused = customers.request(method, path, member)
        assert (refused.status_code, refused.json["permission"]) == (403, "customer.calls")
    assert _make(customers, member, caller).json["permission"] == "customer.calls"

    customers.grant("sales", "customer.calls")
    assert len(_callers(customers, member)) == 1


@pytest.mark.parametrize(("method", "path"), [("GET", "/calls/switchboard"), ("PUT", "/calls/switchboard")])
def test_only_who_configures_makes_the_secret(customers: Any, method: str, path: str) -> None:
    people = customers.organisation
    for member in (people.sales, people.supervisor, people.operations):
        assert customers.request(method, path, member).json["permission"] == "customer.configure"


def test_the_number_of_a_customer_out_of_sight_is_masked_and_its_calls_stay_out_of_sight(customers: Any) -> None:
    people = customers.organisation
    customer = _with_mobile(customers, people.sales)
    _reported(customers, _MOBILE)

    [caller] = _callers(customers, people.rival_supervisor)

    assert (caller["number"], caller["masked"]) == ("138****8000", True)
    [told] = caller["customers"]
    assert (told["name"], told["owner"]["name"], told["visible"]) == ("华夏春松", "张三", False)
    assert customers.request("GET", f"/customers/{customer['id']}/calls", people.rival_supervisor).status_code == 404
    [seen] = _callers(customers, people.supervisor)
    assert (seen["number"], seen["masked"], seen["customers"][0]["visible"]) == (_MOBILE, False, True)
    own = _with_mobile(customers, people.rival, "南方春松")
    [both] = _callers(customers, people.rival_supervisor)
    assert (both["number"], [one["id"] for one in both["customers"]]) == (_MOBILE, [own["id"], customer["id"]])


def test_what_a_pool_hides_is_masked_in_calls_too(customers: Any) -> None:
    people = customers.organisation
    customers.grant("sales", "customer.calls")
    customer = _with_mobile(customers, people.sales, pool_id=str(customers.open_pool))
    _reported(customers, _MOBILE)

    [caller] = _callers(customers, people.sales)
    [call] = customers.request("GET", f"/customers/{customer['id']}/calls", people.sales).json["items"]

    assert (caller["number"], caller["customers"][0]["visible"]) == ("138****8000", True)
    assert call["number"] == "138****8000"
    assert _callers(customers, people.operations)[0]["number"] == _MOBILE


def test_what_another_has_locked_is_told_as_out_of_sight(customers: Any) -> None:
    people = customers.organisation
    customer = _with_mobile(customers, people.sales)
    _reported(customers, _MOBILE)
    assert customers.request("POST", f"/customers/{customer['id']}:lock", people.sales).status_code == 200

    [caller] = _callers(customers, people.supervisor)

    assert (caller["number"], caller["customers"][0]["visible"]) == ("138****8000", False)
    assert customers.request("GET", f"/customers/{customer['id']}/calls", people.supervisor).status_code == 404


# Making customers


def test_an_unknown_caller_becomes_a_prospect_once(customers: Any) -> None:
    operations = customers.organisation.operations
    _reported(customers, _MOBILE, _MOBILE)
    [caller] = _callers(customers, operations)
    pool = str(customers.open_pool)

    made = _make(customers, operations, caller, key="一次".encode().hex(), pool_id=pool)

    assert made.status_code == 201, made.text
    assert made.json["contact"]["mobile"] == _MOBILE
    assert (made.json["pool"]["id"], made.json["owner"]) == (pool, None)
    assert made.json["last_called_at"] == caller["last_called_at"]
    again = _make(customers, operations, caller, key="一次".encode().hex(), pool_id=pool)
    assert (again.status_code, again.json["id"], again.headers["Idempotent-Replayed"]) == (201, made.json["id"], "true")
    refused = _make(customers, operations, caller)
    assert (refused.status_code, refused.json["code"]) == (409, "caller_known")
    [known] = _callers(customers, operations)
    assert [one["id"] for one in known["customers"]] == [made.json["id"]]


def test_an_unknown_caller_is_taken_with_a_fixed_line_and_what_is_known_of_it(customers: Any) -> None:
    supervisor = customers.organisation.supervisor
    _reported(customers, "010-65529988")
    [caller] = _callers(customers, supervisor)

    made = _make(customers, supervisor, caller, contact={"name": "王磊", "phone": "010-6552 9988", "mobile": _MOBILE})

    assert made.status_code == 201, made.text
    assert (made.json["owner"]["id"], made.json["contact"]["phone"]) == (str(supervisor.id), "010-6552 9988")
    assert made.json["last_called_at"] is not None


@pytest.mark.parametrize("mobile", ["13900139000", "无"])
def test_a_caller_becomes_no_customer_with_another_number(customers: Any, mobile: str) -> None:
    operations = customers.organisation.operations
    _reported(customers, _MOBILE)
    [caller] = _callers(customers, operations)

    refused = _make(customers, operations, caller, contact={"mobile": mobile})

    assert refused.status_code == 422
    assert refused.json["errors"][0]["pointer"] == "/contact/mobile"


def test_two_who_take_one_caller_at_once_make_one_customer(customers: Any) -> None:
    people = customers.organisation
    _reported(customers, _MOBILE)
    [caller] = _callers(customers, people.admin)

    with ThreadPoolExecutor(2) as threads:
        members = (people.operations, people.supervisor)
        replies = list(threads.map(lambda member: _make(customers, member, caller), members))

    assert sorted(reply.status_code for reply in replies) == [201, 409]
    assert len(customers.listed(people.admin)) == 1


def test_nobody_makes_a_customer_of_a_caller_that_is_not_there(customers: Any) -> None:
    operations = customers.organisation.operations
    assert _make(customers, operations, {"id": str(new_id())}).status_code == 404
    assert customers.request("GET", f"/calls/{new_id()}/log", operations).status_code == 404


# Forgetting


def test_calls_of_unknown_numbers_are_forgotten_after_their_days_and_those_of_customers_kept(customers: Any) -> None:
    people, secret = customers.organisation, _secret(customers)
    _with_mobile(customers, people.sales)
    old, young = ((now() - timedelta(days=days)).isoformat() for days in (31, 29))
    for number in (_MOBILE, "13900139000", None):
        _report(customers, secret, number, called_at=old)
    _report(customers, secret, "13900139001", called_at=old)
    _report(customers, secret, "13900139001", called_at=young)
    runtime: Any = SimpleNamespace(database=customers.database, settings=SimpleNamespace(unknown_caller_days=30))

    assert forget(runtime) is False

    assert {(caller["number"], caller["calls"]) for caller in _callers(customers, people.admin)} == {
        (_MOBILE, 1),
        ("13900139001", 1),
    }
    assert forget(runtime) is False
    assert _rows(customers, IncomingCall) == 2


def test_a_page_of_many_callers_takes_as_many_statements_as_one_of_few(customers: Any) -> None:
    operations, secret = customers.organisation.operations, _secret(customers)

    def taken() -> int:
        with statements_of(customers.database) as sent:
            _callers(customers, operations, page_size=200)
        return len(sent)

    for digit in range(2):
        _report(customers, secret, f"1390000000{digit}")
    few = taken()
    for digit in range(10, 40):
        _with_mobile(customers, operations, f"客户{digit}", f"139000000{digit}")
        _report(customers, secret, f"139000000{digit}")

    assert taken() == few
