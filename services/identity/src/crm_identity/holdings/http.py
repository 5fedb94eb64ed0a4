"""REST of the review of permissions: who holds what, and whence (Q-06)."""

import csv
import io
from collections.abc import Iterator
from uuid import UUID
from zoneinfo import ZoneInfo

import flask

from chassis.audit import AuditEntry, record_audit
from chassis.http.api import Api, Page
from chassis.http.call import Call
from chassis.wording import Messages
from crm_identity.holdings import queries
from crm_identity.holdings.rules import harmless
from crm_identity.holdings.views import HoldingsFilter, HoldingsQuery, HoldingsView
from crm_identity.organisation.model import ORGANISATION_ID, Organisation
from crm_identity.organisation.queries import found
from directory.permissions import CATALOGUE, Permission

api = Api("holdings")
CSV = "text/csv"
_HEADINGS = ("name", "login", "department", "roles", "data_scope", "kind", "active", "last_login_at")


@api.route(
    "GET",
    "/members/holdings",
    access=Permission.AUDIT_READ,
    summary="Who holds what: members by name with their roles, data scope and permissions",
    query=HoldingsQuery,
    reply=Page[HoldingsView],
)
def list_holdings(call: Call[None, HoldingsQuery]) -> Page[HoldingsView]:
    with call.runtime.database.reading() as session:
        items, total = queries.page_of_holdings(session, call.query)
    return Page[HoldingsView](items=items, page=call.query.page, page_size=call.query.page_size, total=total)


@api.route(
    "GET",
    "/members/holdings.csv",
    access=Permission.AUDIT_READ,
    summary="Who holds what, as a table with a column for each permission",
    query=HoldingsFilter,
    produces=CSV,
)
def download_holdings(call: Call[None, HoldingsFilter]) -> flask.Response:
    """Each cell below a permission names the roles that grant it. That it was downloaded is in the audit."""
    with call.runtime.database.transaction() as session:
        held = queries.all_holdings(session, call.query)
        zone = ZoneInfo(found(session, Organisation, ORGANISATION_ID).zone)
        after = {"members": len(held), **call.query.model_dump(mode="json", exclude_none=True)}
        subject = UUID(int=ORGANISATION_ID)
        record_audit(session, AuditEntry("holdings.downloaded", "organisation", subject, call.actor.id, after=after))
    text = io.StringIO()
    rows = _rows(held, zone, call.runtime.messages, call.language)
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    # With a byte order mark, by which Excel knows UTF-8.
    response = flask.Response(text.getvalue().encode("utf-8-sig"), content_type=f"{CSV}; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename="holdings.csv")
    return response


def _rows(held: list[HoldingsView], zone: ZoneInfo, messages: Messages, language: str) -> Iterator[list[str]]:
    def word(code: str) -> str:
        return messages.text(f"holdings.{code}", language, {})

    permissions = [words.zh if language == "zh" else words.en for words in CATALOGUE.values()]
    yield [*(word(heading) for heading in _HEADINGS), *permissions]
    for member in held:
        granted = {one.code: "、".join(one.roles) for one in member.permissions}
        yield [
            member.name,
            member.login,
            member.department.name,
            "、".join(role.name for role in member.roles),
            word(f"scope_{member.data_scope}"),
            word("account" if member.service_account else "person"),
            word("yes" if member.active else "no"),
            f"{member.last_login_at.astimezone(zone):%Y-%m-%d %H:%M}" if member.last_login_at else "",
            *(granted.get(code, "") for code in CATALOGUE),
        ]
