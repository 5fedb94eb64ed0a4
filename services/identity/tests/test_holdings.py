"""Who holds what, for the regular review of permissions (Q-06)."""

import csv
import io
from typing import Any

import pytest
from sqlalchemy import select

from chassis.database.tables import audit_entries
from crm_identity.organisation.model import Member
from directory.permissions import CATALOGUE, Permission

HOLDINGS = "/members/holdings"


def listed(identity: Any, query: str = "") -> dict[str, Any]:
    reply = identity.call("GET", f"{HOLDINGS}?page_size=200{query}", identity.people.admin)
    assert (reply.status_code, reply.json["total"]) == (200, len(reply.json["items"]))
    return {item["login"]: item for item in reply.json["items"]}


def give(identity: Any, member: Any, **role: Any) -> Any:
    """A further role of the member."""
    made = identity.call("POST", "/roles", identity.people.admin, role).json
    role_ids = [str(identity.people.role_ids[member.role]), made["id"]]
    path = f"/members/{member.id}"
    assert (
        identity.call("PATCH", path, identity.people.admin, {"role_ids": role_ids}, If_Match='"1"').status_code == 200
    )
    return made


def download(identity: Any, query: str = "", **headers: str) -> tuple[Any, list[list[str]]]:
    reply = identity.call("GET", f"{HOLDINGS}.csv{query}", identity.people.admin, **headers)
    return reply, list(csv.reader(io.StringIO(reply.data.decode("utf-8-sig"))))


def test_each_permission_is_listed_with_the_roles_that_grant_it(identity: Any) -> None:
    people = identity.people
    give(identity, people.sales, name="质检", permissions=["audit.read", "customer.read"], data_scope="centre")
    identity.log_in("sales")

    held = listed(identity)

    sales = held["sales"]
    assert (sales["name"], sales["department"]["name"], sales["data_scope"]) == ("张三", "华东销售部", "centre")
    assert {role["name"] for role in sales["roles"]} == {"销售", "质检"}
    permissions = {one["code"]: set(one["roles"]) for one in sales["permissions"]}
    assert permissions["customer.read"] == {"销售", "质检"}
    assert (permissions["audit.read"], permissions["pool.claim"]) == ({"质检"}, {"销售"})
    assert "organisation.manage" not in permissions
    assert (held["admin"]["data_scope"], held["colleague"]["data_scope"]) == ("company", "own")


def test_the_last_login_is_shown(identity: Any) -> None:
    with identity.service.database.transaction() as session:
        member = session.get_one(Member, identity.people.sales.id)
        member.last_login_at = "2026-11-01T20:30:00Z"

    held = listed(identity)

    assert (held["sales"]["last_login_at"], held["rival"]["last_login_at"]) == ("2026-11-01T20:30:00Z", None)
    _, rows = download(identity, "?department_id=" + str(identity.people.east))
    assert {row[1]: row[7] for row in rows[1:]}["sales"] == "2026-11-02 04:30"


def test_holders_are_found_by_permission_role_department_and_kind(identity: Any) -> None:
    people = identity.people
    account = {"login": "erp", "name": "ERP", "service_account": True, "department_id": str(people.south)}
    identity.call("POST", "/members", people.admin, account)
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)

    assert set(listed(identity, "&permission=organisation.manage")) == {"admin"}
    assert set(listed(identity, "&permission=pool.assign")) == {
        "admin",
        "operations",
        "supervisor",
        "rival_supervisor",
    }
    assert set(listed(identity, f"&role_id={people.role_ids['sales']}")) == {"sales", "colleague"}
    assert set(listed(identity, f"&department_id={people.south}")) == {"rival_supervisor", "erp"}
    assert set(listed(identity, f"&department_id={people.company}&permission=pool.claim")) == {
        "admin",
        "operations",
        "supervisor",
        "sales",
        "colleague",
        "rival_supervisor",
    }
    assert set(listed(identity, "&active=false")) == {"rival"}
    assert set(listed(identity, "&service_account=true")) == {"erp"}
    assert listed(identity)["erp"]["permissions"] == []


def test_the_table_has_a_column_for_each_permission_and_runs_in_no_spreadsheet(identity: Any) -> None:
    people = identity.people
    give(identity, people.sales, name="=质检", permissions=["audit.read"], data_scope="own")
    formula = {"name": '=HYPERLINK("http://evil.test")'}
    identity.call("PATCH", f"/members/{people.rival.id}", people.admin, formula, If_Match='"1"')

    reply, rows = download(identity, Accept_Language="en")

    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"] == "attachment; filename=holdings.csv"
    assert len(rows) == 1 + len(people.members)
    by_login = {row[1]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}
    assert by_login["rival"]["Name"] == "'" + formula["name"]
    assert by_login["sales"][CATALOGUE[Permission.AUDIT_READ].en] == "'=质检"
    assert (by_login["sales"][CATALOGUE[Permission.POOL_CLAIM].en], by_login["sales"]["Data scope"]) == ("销售", "Own")
    assert by_login["supervisor"]["Data scope"] == "Department and below"
    assert download(identity)[1][0][:3] == ["姓名", "账号", "部门"]


def test_a_download_is_in_the_audit(identity: Any) -> None:
    download(identity, "?permission=pool.claim")

    with identity.service.database.reading() as session:
        entry = session.execute(select(audit_entries)).one()
    assert (entry.action, entry.actor_id) == ("holdings.downloaded", identity.people.admin.id)
    assert entry.after == {"members": 7, "permission": "pool.claim", "active": True}


@pytest.mark.parametrize("path", [HOLDINGS, f"{HOLDINGS}.csv"])
def test_only_whoever_reads_the_audit_reviews_permissions(identity: Any, path: str) -> None:
    people = identity.people
    give(identity, people.colleague, name="审计", permissions=["audit.read"], data_scope="own")
    auditor = identity.log_in("colleague").json["access_token"]

    refused = [identity.call("GET", path, member) for member in (people.supervisor, people.operations, people.sales)]

    assert {(reply.status_code, reply.json["code"]) for reply in refused} == {(403, "forbidden")}
    assert identity.with_token("GET", path, auditor).status_code == 200


@pytest.mark.parametrize("query", ["permission=everything", "department_id=x", "active=perhaps", "colour=red"])
def test_a_malformed_review_is_a_422(identity: Any, query: str) -> None:
    for path in (HOLDINGS, f"{HOLDINGS}.csv"):
        assert identity.call("GET", f"{path}?{query}", identity.people.admin).status_code == 422
