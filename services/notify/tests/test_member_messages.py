"""Messages between members: written, answered, read, withdrawn (J-11, J-12)."""

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from chassis.audit import AuditFilter, find_audit
from chassis.identifiers import new_id
from crm.customer.v1 import customer_service_pb2 as pb
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceServicer, add_CustomerServiceServicer_to_server
from crm_notify.service import SERVICE
from directory import store
from services.notify.tests.support import MailServer, get, listed
from tests.support.organisation import Member
from tests.support.services import Opener, OpenService


class Customers(CustomerServiceServicer):
    """Customer, as far as messages ask it: one customer, seen by one member."""

    def __init__(self) -> None:
        self.id, self.seen_by = str(new_id()), ""

    def ListRecipients(self, request: Any, context: Any) -> pb.ListRecipientsResponse:
        """The customer, to whom sees it."""
        asked = dict(context.invocation_metadata())["x-actor"] == self.seen_by and self.id in request.selection.ids.ids
        found = [pb.Recipient(customer_id=self.id, customer_name="远大科技")] if asked else []
        return pb.ListRecipientsResponse(recipients=found)


@contextmanager
def _answering(customers: Customers) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    add_CustomerServiceServicer_to_server(customers, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def _post(notify: OpenService, member: Member, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    return notify.client.post(f"/api/v1{path}", json=body or {}, headers=notify.headers(member, **headers))


def _write(notify: OpenService, sender: Member, *receivers: Member, text: str = "下午三点开会", **more: Any) -> Any:
    body = {"receiver_ids": [str(receiver.id) for receiver in receivers], "text": text, **more}
    reply = _post(notify, sender, "/messages", body)
    assert reply.status_code == 201, reply.json
    return reply.json


def _ids(page: dict[str, Any]) -> list[str]:
    return [message["id"] for message in page["items"]]


def _box(notify: OpenService, member: Member, query: str = "") -> list[str]:
    return _ids(get(notify, member, f"/messages{query}").json)


def _leave(notify: OpenService, member: Member) -> None:
    state = notify.organisation.member_state(member, 2)
    state.active = False
    with notify.database.transaction() as session:
        store.store_members(session, [state])


def _receivers(message: dict[str, Any]) -> list[str]:
    return [receiver["id"] for receiver in message["receivers"]]


def test_receivers_hear_of_a_message_and_its_sender_sees_who_read_it_and_when(notify: OpenService) -> None:
    people = notify.organisation
    sent = _write(notify, people.supervisor, people.sales, people.colleague)
    (told,) = listed(notify, people.sales, Accept_Language="en")
    assert (told["title"], told["text"]) == ("东区主管 sent you a message", "东区主管: 下午三点开会")
    assert told["subject"] == {"type": "message", "id": sent["id"]}
    for _ in range(2):
        read = _post(notify, people.sales, f"/messages/{sent['id']}:read").json
    assert listed(notify, people.sales, "?unread=true") == []
    (shown,) = get(notify, people.supervisor, f"/messages/{sent['id']}").json["items"]
    times = {receiver["name"]: receiver["read_at"] for receiver in shown["receivers"]}
    assert times["李四"] is None
    assert times["张三"] == read["receivers"][0]["read_at"] is not None
    (hidden,) = get(notify, people.colleague, f"/messages/{sent['id']}").json["items"]
    assert [receiver["read_at"] for receiver in hidden["receivers"]] == [None, None]


def test_reading_the_notification_is_reading_the_message(notify: OpenService) -> None:
    people = notify.organisation
    sent = _write(notify, people.supervisor, people.sales)
    _post(notify, people.sales, f"/notifications/{listed(notify, people.sales)[0]['id']}:read")
    (shown,) = get(notify, people.supervisor, f"/messages/{sent['id']}").json["items"]
    assert shown["receivers"][0]["read_at"]


def test_only_those_it_concerns_read_a_message(notify: OpenService) -> None:
    people = notify.organisation
    path = f"/messages/{_write(notify, people.supervisor, people.sales)['id']}"
    for stranger in (people.colleague, people.admin):
        assert get(notify, stranger, path).status_code == 404
        for act, body in ((":read", {}), (":withdraw", {}), (":reply", {"text": "?"})):
            assert _post(notify, stranger, path + act, body).status_code == 404
        assert _box(notify, stranger) == _box(notify, stranger, "?box=sent") == []


def test_an_answer_goes_to_the_sender_or_to_everybody_and_each_sees_their_part(notify: OpenService) -> None:
    people = notify.organisation
    first = _write(notify, people.supervisor, people.sales, people.colleague)
    alone = _post(notify, people.sales, f"/messages/{first['id']}:reply", {"text": "好的"}).json
    together = _post(notify, people.sales, f"/messages/{first['id']}:reply", {"text": "都好", "everybody": True}).json
    more = _post(notify, people.supervisor, f"/messages/{first['id']}:reply", {"text": "别迟到"}).json
    assert _receivers(alone) == [str(people.supervisor.id)]
    assert _receivers(together) == [str(people.supervisor.id), str(people.colleague.id)]
    assert _receivers(more) == [str(people.sales.id), str(people.colleague.id)]
    for reader, seen in (
        (people.supervisor, [more, together, alone, first]),
        (people.colleague, [more, together, first]),
    ):
        thread = get(notify, reader, f"/messages/{together['id']}").json
        assert [message["id"] for message in thread["items"]] == [message["id"] for message in seen]
        assert {message["thread_id"] for message in thread["items"]} == {first["id"]}
    first_page = get(notify, people.colleague, f"/messages/{first['id']}?page_size=1").json
    assert _ids(first_page) == [more["id"]]
    rest = f"/messages/{first['id']}?page_size=2&cursor={first_page['next_cursor']}"
    assert _ids(get(notify, people.colleague, rest).json) == [together["id"], first["id"]]
    assert _box(notify, people.supervisor) == [together["id"], alone["id"]]
    assert _box(notify, people.supervisor, "?box=sent") == [more["id"], first["id"]]


def test_an_answer_passes_over_those_who_left_and_needs_somebody(notify: OpenService) -> None:
    people = notify.organisation
    first = _write(notify, people.supervisor, people.sales, people.colleague)
    _leave(notify, people.supervisor)
    path = f"/messages/{first['id']}:reply"
    assert _receivers(_post(notify, people.sales, path, {"text": "?", "everybody": True}).json) == [
        str(people.colleague.id)
    ]
    refused = _post(notify, people.sales, path, {"text": "?"})
    assert (refused.status_code, refused.json["code"]) == (409, "receivers_left")
    assert listed(notify, people.admin) == []


def test_a_withdrawn_message_has_no_text_and_is_told_no_more(notify: OpenService) -> None:
    people = notify.organisation
    sent = _write(notify, people.supervisor, people.sales, text="写错了")
    path = f"/messages/{sent['id']}"
    refused = _post(notify, people.sales, f"{path}:withdraw")
    assert (refused.status_code, refused.json["code"]) == (403, "message_of_another")
    withdrawn = _post(notify, people.supervisor, f"{path}:withdraw").json
    assert _post(notify, people.supervisor, f"{path}:withdraw").json == withdrawn
    assert listed(notify, people.sales) == []
    (shown,) = get(notify, people.sales, path).json["items"]
    assert (shown["text"], shown["withdrawn_at"]) == ("", withdrawn["withdrawn_at"])
    assert _box(notify, people.sales, "?search=写错") == []
    assert _post(notify, people.sales, f"{path}:reply", {"text": "?"}).json["code"] == "message_withdrawn"
    with notify.database.reading() as session:
        (entry,) = find_audit(session, AuditFilter(action="message."), None, 10)
    assert (entry.action, entry.actor_id, str(entry.subject_id)) == (
        "message.withdrawn",
        people.supervisor.id,
        sent["id"],
    )


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"receiver_ids": []}, "/receiver_ids"),
        ({"receiver_ids": [str(new_id())]}, "/receiver_ids/0"),
        ({"receiver_ids": [str(new_id()) for _ in range(51)]}, "/receiver_ids"),
        ({"text": " "}, "/text"),
        ({"text": "长" * 5001}, "/text"),
    ],
)
def test_what_cannot_be_sent_is_named(notify: OpenService, body: dict[str, Any], pointer: str) -> None:
    people = notify.organisation
    valid = {"receiver_ids": [str(people.sales.id)], "text": "好"}
    refused = _post(notify, people.supervisor, "/messages", valid | body)
    assert (refused.status_code, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer])


def test_nobody_writes_to_themselves_or_to_who_has_left(notify: OpenService) -> None:
    people = notify.organisation
    _leave(notify, people.colleague)
    ids = [str(member.id) for member in (people.sales, people.supervisor, people.colleague)]
    refused = _post(notify, people.supervisor, "/messages", {"receiver_ids": ids, "text": "好"})
    assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [
        ("/receiver_ids/1", "receiver_is_oneself"),
        ("/receiver_ids/2", "receiver_unknown"),
    ]
    assert listed(notify, people.sales) == []


def test_a_repetition_sends_nothing_twice(notify: OpenService) -> None:
    people = notify.organisation
    body = {"receiver_ids": [str(people.sales.id)], "text": "好"}
    first, again = (_post(notify, people.supervisor, "/messages", body, Idempotency_Key="once").json for _ in range(2))
    assert first == again
    answers = [
        _post(notify, people.sales, f"/messages/{first['id']}:reply", {"text": "好"}, Idempotency_Key="once").json
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert (len(_box(notify, people.sales)), len(_box(notify, people.supervisor))) == (1, 1)


def test_messages_are_found_by_their_words_and_customer(services: Opener, mail_server: MailServer) -> None:
    customers = Customers()
    with (
        _answering(customers) as address,
        services.open(SERVICE, smtp_url=mail_server.url, customer_grpc=address) as notify,
    ):
        people = notify.organisation
        customers.seen_by = str(people.supervisor.id)
        other = _write(notify, people.supervisor, people.sales, text="100% 完成")
        about = _write(notify, people.supervisor, people.sales, customer_id=customers.id)
        assert (about["customer_id"], about["customer_name"]) == (customers.id, "远大科技")
        assert (
            listed(notify, people.sales, Accept_Language="en")[0]["title"]
            == "东区主管 sent you a message about 远大科技"
        )
        answer = _post(notify, people.sales, f"/messages/{about['id']}:reply", {"text": "已联系"}).json
        assert answer["customer_name"] == "远大科技"
        assert _box(notify, people.sales, f"?customer_id={customers.id}") == [about["id"]]
        assert _box(notify, people.sales, "?search=远大") == [about["id"]]
        assert _box(notify, people.sales, "?search=0%25") == [other["id"]]
        refused = _post(
            notify,
            people.colleague,
            "/messages",
            {"receiver_ids": [str(people.sales.id)], "text": "好", "customer_id": customers.id},
        )
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/customer_id")


def test_while_customer_is_away_a_message_goes_out_without_its_name(notify: OpenService) -> None:
    people, customer_id = notify.organisation, str(new_id())
    sent = _write(notify, people.supervisor, people.sales, customer_id=customer_id)
    assert (sent["customer_id"], sent["customer_name"]) == (customer_id, "")


def test_a_member_has_a_budget_of_messages(notify: OpenService) -> None:
    people = notify.organisation
    for _ in range(200):
        notify.runtime.limiter.spend("200/hour", "messages", str(people.supervisor.id))
    refused = _post(notify, people.supervisor, "/messages", {"receiver_ids": [str(people.sales.id)], "text": "好"})
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_requests")
    assert "Retry-After" in refused.headers
    _write(notify, people.sales, people.supervisor)
