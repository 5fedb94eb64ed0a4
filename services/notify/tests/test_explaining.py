"""Why somebody was told of something, or not; and samples of everything that can be told."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from jinja2 import StrictUndefined
from sqlalchemy import text

from chassis import clock
from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as identity
from crm_notify.explaining.rules import Outcome, sample_parameters
from crm_notify.explaining.texts import receivers_of, texts
from crm_notify.notifications import texts as notification_texts
from crm_notify.notifications.rules import Kind
from crm_notify.notifications.texts import words
from crm_notify.push.events import DIRECTORY
from crm_notify.sending.due import send_mail
from services.notify.tests.support import MailServer, assign_by_mail, get, listed, receive
from tests.support.organisation import Member
from tests.support.services import OpenService

ASSIGNED = "/notifications/explanation?kind=customers_assigned"


def _explained(notify: OpenService, member: Member, path: str = ASSIGNED, language: str = "en") -> dict[str, Any]:
    reply = get(notify, member, path, Accept_Language=language)
    assert reply.status_code == 200, reply.json
    return dict(reply.json)


def _channels(notify: OpenService, member: Member) -> dict[str, tuple[str, str]]:
    """By channel: outcome and words of the latest one."""
    latest = _explained(notify, member)["notifications"][0]
    return {channel["channel"]: (channel["outcome"], channel["text"]) for channel in latest["channels"]}


def _set(notify: OpenService, **values: object) -> None:
    columns = ", ".join(f"{name} = :{name}" for name in values)
    with notify.database.transaction() as session:
        session.execute(text(f"UPDATE deliveries SET {columns}"), values)


def _sample(notify: OpenService, member: Member, body: dict[str, Any], **headers: str) -> Any:
    headers = notify.headers(member, Accept_Language="en", **headers)
    return notify.client.post("/api/v1/notifications:sample", json=body, headers=headers)


def test_it_says_what_became_of_a_notice_on_each_channel(notify: OpenService, mail_server: MailServer) -> None:
    sales = notify.organisation.sales
    assign_by_mail(notify, sales)
    send_mail(notify.runtime)

    explained = _explained(notify, sales)
    channels = {channel["channel"]: channel for channel in explained["notifications"][0]["channels"]}

    assert len(mail_server.of(sales)) == 1
    assert channels["in_app"]["outcome"] == "not_shown"
    assert channels["email"]["outcome"] == "sent"
    assert channels["email"]["text"].startswith("sent at 20")
    assert channels["robot"]["outcome"] == "off"
    assert channels["robot"]["text"] == "not sent: at present this channel is off (as delivered)"
    assert (explained["member"]["name"], explained["mail_configured"]) == (sales.name, True)
    assert explained["receivers"] == "the new owner; whoever assigns chooses whether"


@pytest.mark.parametrize(
    ("values", "outcome", "words_"),
    [
        ({"next_attempt_at": "2099-01-01T01:00:00Z"}, "waiting", "in the queue until 2099-01-01 09:00 (quiet hours)"),
        (
            {"next_attempt_at": "2099-01-01T01:00:00Z", "digest_id": new_id()},
            "digest_waiting",
            "joins the daily digest that goes out at 2099-01-01 09:00",
        ),
        (
            {"next_attempt_at": "2099-01-01T01:00:00Z", "attempts": 2, "last_error_code": "smtp_unreachable"},
            "retrying",
            "try 2 failed, tried again at 2099-01-01 09:00: The mail server cannot be reached",
        ),
        ({}, "due", "in the queue, about to be sent"),
        ({"status": "sending"}, "sending", "being handed over"),
        ({"status": "uncertain", "last_error_code": "outcome_unknown"}, "uncertain", "nobody knows whether it arrived"),
        ({"status": "bounced", "last_error_code": "address_bounced"}, "bounced", "bounced: The address does not exist"),
        ({"status": "suppressed", "last_error_code": "turned_off"}, "suppressed", "not sent: "),
        ({"status": "failed", "last_error_code": "smtp_550"}, "failed", "refused for good: The mail server refused"),
        ({"status": "dead", "last_error_code": "smtp_unreachable"}, "dead", "given up after many tries: The mail"),
    ],
)
def test_it_says_how_far_a_mail_is_and_why(
    notify: OpenService, values: dict[str, object], outcome: str, words_: str
) -> None:
    sales = notify.organisation.sales
    assign_by_mail(notify, sales)
    if values:
        _set(notify, **values)

    found, said = _channels(notify, sales)["email"]

    assert found == outcome
    assert said.startswith(words_)


def test_it_says_what_its_reader_did_with_it(notify: OpenService) -> None:
    sales = notify.organisation.sales
    assert _sample(notify, sales, {"kind": "customers_assigned"}).status_code == 200
    path = f"/api/v1/notifications/{listed(notify, sales)[0]['id']}"

    found = [_channels(notify, sales)["in_app"][0]]
    for act, body in (("read", {}), ("snooze", {"until": _tomorrow()}), ("dismiss", {})):
        assert notify.client.post(f"{path}:{act}", json=body, headers=notify.headers(sales)).status_code == 200
        found.append(_channels(notify, sales)["in_app"][0])

    assert found == ["shown", "read", "snoozed", "dismissed"]


def _tomorrow() -> str:
    return (clock.now() + timedelta(days=1)).isoformat()


def test_it_finds_by_record_and_days(notify: OpenService) -> None:
    sales = notify.organisation.sales
    assign_by_mail(notify, sales)
    subject = _explained(notify, sales)["notifications"][0]["notification"]["subject"]["id"]
    with notify.database.transaction() as session:
        session.execute(text("UPDATE notifications SET occurred_at = '2026-01-31T15:59:59Z'"))

    for query, count in (
        (f"subject_id={subject}", 1),
        (f"subject_id={new_id()}", 0),
        ("to=2026-01-31", 1),
        ("from=2026-02-01", 0),
    ):
        assert len(_explained(notify, sales, f"{ASSIGNED}&{query}")["notifications"]) == count, query


def test_of_nothing_it_says_who_is_told_and_who_never_is(notify: OpenService) -> None:
    chinese = _explained(notify, notify.organisation.sales, language="zh")

    assert chinese["notifications"] == []
    assert chinese["remarks"][:2] == [
        "没有找到这类通知。这类通知的接收人：新负责人；操作人可以选择是否提醒。",
        "自己做的操作不会通知自己。",
    ]


def test_of_one_who_has_left_it_says_who_hears_in_their_place(notify: OpenService) -> None:
    people = notify.organisation
    state = people.member_state(people.sales, version=2)
    state.active = False
    receive(notify, DIRECTORY, identity.MemberDeactivated(members=[state]))

    of_left = _explained(notify, people.admin, f"{ASSIGNED}&member_id={people.sales.id}")
    not_heard = _explained(
        notify, people.admin, f"/notifications/explanation?kind=import_finished&member_id={people.sales.id}"
    )

    assert of_left["member"]["active"] is False
    assert of_left["remarks"][-1] == (
        f"The member has left; their manager {people.supervisor.name} hears of this in their place."
    )
    assert not_heard["remarks"][-1] == "The member has left; nobody hears of this in their place."


def test_without_a_mail_server_it_says_so(notify_without_mail: OpenService) -> None:
    explained = _explained(notify_without_mail, notify_without_mail.organisation.sales)

    assert explained["mail_configured"] is False
    assert explained["remarks"][-1] == "No mail server is configured: nothing is sent by e-mail."


def test_others_are_explained_to_who_may_read_the_audit(notify: OpenService) -> None:
    people = notify.organisation

    refused = get(notify, people.supervisor, f"{ASSIGNED}&member_id={people.sales.id}")
    unknown = get(notify, people.admin, f"{ASSIGNED}&member_id={new_id()}")

    assert (refused.status_code, refused.json["permission"]) == (403, "audit.read")
    assert (unknown.status_code, unknown.json["code"]) == (404, "not_found")
    assert _explained(notify, people.admin, f"{ASSIGNED}&member_id={people.sales.id}")["member"]["id"] == str(
        people.sales.id
    )


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("", "/kind"),
        ("kind=rain", "/kind"),
        ("kind=owner_left&subject_id=7", "/subject_id"),
        ("kind=owner_left&member_id=7", "/member_id"),
        ("kind=owner_left&from=yesterday", "/from"),
        ("kind=owner_left&from=2026-02-02&to=2026-02-01", "/to"),
    ],
)
def test_a_wrong_question_is_named(notify: OpenService, query: str, pointer: str) -> None:
    reply = get(notify, notify.organisation.sales, f"/notifications/explanation?{query}")

    assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])


def test_every_kind_is_listed_with_its_category_receivers_and_channels(notify: OpenService) -> None:
    items = get(notify, notify.organisation.sales, "/notifications/kinds", Accept_Language="en").json["items"]

    assert {item["kind"] for item in items} == set(Kind)
    assert all(item["label"] and item["category_label"] and item["receivers"] for item in items)
    channels = {item["kind"]: item["channels"] for item in items}
    assert channels["owner_left"] == {"in_app": "now", "email": "now", "robot": "off"}


def test_a_sample_goes_the_way_of_its_kind_and_says_what_it_is(notify: OpenService, mail_server: MailServer) -> None:
    sales = notify.organisation.sales

    answer = _sample(notify, sales, {"kind": "owner_left", "language": "zh"}).json
    send_mail(notify.runtime)

    title = answer["notification"]["title"]
    assert title.startswith("【示例】")
    assert [(channel["channel"], channel["outcome"]) for channel in answer["channels"]] == [
        ("in_app", "shown"),
        ("email", "due"),
        ("robot", "off"),
    ]
    assert [str(mail["Subject"]) for mail in mail_server.of(sales)] == [title]
    assert [item["title"] for item in listed(notify, sales)] == [title]


def test_a_repeated_request_sends_one_sample(notify: OpenService) -> None:
    sales = notify.organisation.sales

    answers = [_sample(notify, sales, {"kind": "work_due"}, Idempotency_Key="once").json for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(listed(notify, sales)) == 1


def test_samples_have_a_budget(notify: OpenService) -> None:
    people = notify.organisation
    for _ in range(20):
        assert _sample(notify, people.sales, {"kind": "reminder_due"}).status_code == 200

    refused = _sample(notify, people.sales, {"kind": "reminder_due"})

    assert (refused.status_code, refused.json["code"]) == (429, "too_many_requests")
    assert _sample(notify, people.colleague, {"kind": "reminder_due"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/kind"), ({"kind": "rain"}, "/kind"), ({"kind": "work_due", "language": "fr"}, "/language")],
)
def test_a_wrong_wish_for_a_sample_is_named(notify: OpenService, body: dict[str, Any], pointer: str) -> None:
    reply = _sample(notify, notify.organisation.sales, body)

    assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", Kind)
def test_the_sample_of_every_kind_fills_its_words(monkeypatch: pytest.MonkeyPatch, kind: Kind, language: str) -> None:
    monkeypatch.setattr(notification_texts._PLAIN, "undefined", StrictUndefined)
    member_id: UUID = new_id()
    parameters = sample_parameters(kind, member_id, clock.now(), texts(language)["samples"])

    made = words(kind, parameters, {member_id: "王五"}, language)

    assert made.title
    assert made.text
    assert "?" not in made.title + made.text


def test_every_kind_and_outcome_has_words_in_both_languages() -> None:
    chinese, english = texts("zh"), texts("en")

    assert {name: chapter.keys() for name, chapter in chinese.items()} == {
        name: chapter.keys() for name, chapter in english.items()
    }
    assert english["receivers"].keys() == set(Kind)
    assert english["outcomes"].keys() == set(Outcome)
    assert receivers_of("of_a_newer_release", "zh") == ""
