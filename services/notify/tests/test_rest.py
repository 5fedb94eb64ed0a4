"""The REST API of one's own notifications and of the delivery ledger."""

import tomllib
from importlib.resources import files
from typing import Any

import pytest
from sqlalchemy import text, update

from chassis.database import tables
from chassis.database.migration import schema_differences
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.notifications.due import forget_old
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import CATEGORY_OF, Category, Kind
from crm_notify.service import SERVICE
from services.notify.tests.support import change, changed, get, listed, post, receive
from tests.support.organisation import Member
from tests.support.services import OpenService

ROUTES = [
    ("GET", "/notifications"),
    ("GET", "/notifications/unread-count"),
    ("POST", "/notifications/01a20155-ffc1-703f-bec5-d67443045ad9:read"),
    ("POST", "/notifications:read-all"),
    ("GET", "/deliveries"),
    ("GET", "/suppressions"),
    ("POST", "/suppressions"),
    ("DELETE", "/suppressions/01a20155-ffc1-703f-bec5-d67443045ad9"),
]


def _assign(notify: OpenService, owner: Member, count: int = 1, **notice: bool) -> None:
    wish = pool.Notice(**(notice or {"in_app": True}))
    for _ in range(count):
        receive(notify, ASSIGNMENTS, changed(change(owner), actor=notify.organisation.supervisor, notice=wish))


def _unread(notify: OpenService, member: Member) -> int:
    return int(get(notify, member, "/notifications/unread-count").json["unread"])


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_needs_a_token(notify: OpenService, method: str, path: str) -> None:
    reply = notify.client.open(f"/api/v1{path}", method=method)

    assert (reply.status_code, reply.json["code"]) == (401, "token_missing")


def test_the_list_is_ones_own_newest_first_and_paged(notify: OpenService) -> None:
    people = notify.organisation
    _assign(notify, people.sales, 3)
    _assign(notify, people.colleague)

    first = get(notify, people.sales, "/notifications?page_size=2").json
    second = get(notify, people.sales, "/notifications?page_size=2&page=2").json

    assert (first["total"], len(first["items"]), len(second["items"])) == (3, 2, 1)
    times = [item["created_at"] for item in first["items"] + second["items"]]
    assert times == sorted(times, reverse=True)
    assert all(time.endswith("Z") for time in times)


def test_reading_one_lowers_the_count_and_again_changes_nothing(notify: OpenService) -> None:
    sales = notify.organisation.sales
    _assign(notify, sales, 2)
    newest = listed(notify, sales)[0]["id"]

    first = post(notify, sales, f"/notifications/{newest}:read").json
    second = post(notify, sales, f"/notifications/{newest}:read").json

    assert first["read_at"] is not None
    assert second == first
    assert _unread(notify, sales) == 1
    assert [item["id"] for item in listed(notify, sales, "?unread=false")] == [newest]
    assert newest not in [item["id"] for item in listed(notify, sales, "?unread=true")]


def test_reading_all_is_idempotent_and_ones_own(notify: OpenService) -> None:
    people = notify.organisation
    _assign(notify, people.sales, 3)
    _assign(notify, people.colleague)

    first = post(notify, people.sales, "/notifications:read-all").json
    read_at = [item["read_at"] for item in listed(notify, people.sales)]
    second = post(notify, people.sales, "/notifications:read-all").json

    assert first == second
    assert first["unread"] == 0
    assert [item["read_at"] for item in listed(notify, people.sales)] == read_at
    assert _unread(notify, people.colleague) == 1


@pytest.mark.parametrize("reader", ["colleague", "admin"])
def test_anothers_notification_does_not_exist(notify: OpenService, reader: str) -> None:
    people = notify.organisation
    _assign(notify, people.sales)
    theirs = listed(notify, people.sales)[0]["id"]

    reply = post(notify, getattr(people, reader), f"/notifications/{theirs}:read")

    assert (reply.status_code, reply.json["code"]) == (404, "not_found")
    assert _unread(notify, people.sales) == 1


def test_what_was_meant_for_e_mail_alone_is_not_in_the_app(notify: OpenService) -> None:
    sales = notify.organisation.sales
    _assign(notify, sales, email=True)

    assert listed(notify, sales) == []
    assert _unread(notify, sales) == 0


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/notifications?page=0", "/page"),
        ("/notifications?page=99999999999", "/page"),
        ("/notifications?page_size=201", "/page_size"),
        ("/notifications?page_size=many", "/page_size"),
        ("/notifications?unread=perhaps", "/unread"),
        ("/notifications?sort=kind", "/sort"),
        ("/notifications?page=%00", "/page"),
        ("/deliveries?status=lost", "/status"),
        ("/deliveries?page=-1", "/page"),
    ],
)
def test_a_wrong_parameter_is_named(notify: OpenService, path: str, pointer: str) -> None:
    reply = get(notify, notify.organisation.admin, path)

    assert (reply.status_code, reply.json["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in reply.json["errors"]] == [pointer]


@pytest.mark.parametrize("path", ["/notifications/7:read", "/notifications/%00:read", "/notifications/%F0%9F%98:read"])
def test_an_id_that_is_none_is_404(notify: OpenService, path: str) -> None:
    assert post(notify, notify.organisation.admin, path).status_code == 404


def test_a_kind_of_a_newer_release_is_listed_by_its_name(notify: OpenService) -> None:
    sales = notify.organisation.sales
    _assign(notify, sales)
    with notify.database.transaction() as session:
        session.execute(update(Notification).values(kind="customer_waved"))

    assert [item["title"] for item in listed(notify, sales)] == ["customer_waved"]


def test_the_ledger_shows_ones_own_and_everything_to_who_may_read_the_audit(notify: OpenService) -> None:
    people = notify.organisation
    _assign(notify, people.sales, 2, email=True)
    _assign(notify, people.colleague, email=True)

    assert get(notify, people.sales, "/deliveries").json["total"] == 2
    assert get(notify, people.supervisor, "/deliveries").json["total"] == 0
    everything = get(notify, people.admin, "/deliveries?status=queued&page_size=1").json
    assert (everything["total"], len(everything["items"])) == (3, 1)
    assert everything["items"][0]["member"] == {"id": str(people.colleague.id), "name": "李四"}
    assert get(notify, people.admin, "/deliveries?status=sent").json["total"] == 0


def test_the_ledger_holds_no_address(notify: OpenService) -> None:
    sales = notify.organisation.sales
    _assign(notify, sales, email=True)

    assert sales.email not in get(notify, sales, "/deliveries").text
    with notify.database.reading() as session:
        rows = session.scalars(
            text("SELECT row_to_json(d)::text || row_to_json(n)::text FROM deliveries d, notifications n")
        )
        assert not any(sales.email in row for row in rows)


def test_what_is_half_a_year_old_is_forgotten(notify: OpenService) -> None:
    sales = notify.organisation.sales
    _assign(notify, sales, 2, in_app=True, email=True)
    oldest = listed(notify, sales)[-1]["id"]
    with notify.database.transaction() as session:
        session.execute(
            text("UPDATE notifications SET created_at = now() - interval '181 days' WHERE id = :id"), {"id": oldest}
        )

    forget_old(notify.runtime)

    assert oldest not in [item["id"] for item in listed(notify, sales)]
    assert get(notify, sales, "/deliveries").json["total"] == 1


def test_models_and_migrations_agree(notify: OpenService) -> None:
    with notify.database.engine.connect() as connection:
        assert schema_differences(connection, [tables.metadata, *SERVICE.metadatas]) == []


def test_every_kind_and_code_has_words_in_both_languages() -> None:
    def read(*path: str) -> dict[str, Any]:
        return tomllib.loads(files("crm_notify").joinpath(*path).read_text(encoding="utf-8"))

    for folder in (("messages",), ("notifications", "texts")):
        chinese, english = (read(*folder, f"{language}.toml") for language in ("zh", "en"))
        assert chinese.keys() == english.keys()
    sections = {"categories", "kinds", "phrases", "causes", "reasons", "due_kinds"}
    assert {kind.value for kind in Kind} | sections == english.keys()
    assert all({"title", "text"} == english[kind.value].keys() for kind in Kind)
    for name in sections:
        assert chinese[name].keys() == english[name].keys()
    assert set(Kind) == CATEGORY_OF.keys() == english["kinds"].keys()
    assert set(Category) == set(CATEGORY_OF.values()) == english["categories"].keys()
