"""Message templates (J-08): kept, changed, previewed; and what becomes of their HTML."""

from typing import Any
from uuid import UUID

import pytest

from chassis.errors import Invalid
from crm_notify.deliveries.rules import Channel
from crm_notify.message_templates.plain import text_of
from crm_notify.message_templates.rules import Values, Variable, filled, written
from services.notify.tests.customers import CustomerStandIn, recipient, send, without_right
from tests.support.services import OpenService

VALUES: Values = dict.fromkeys(Variable, "") | {
    Variable.CUSTOMER_NAME: "甲 & <b>乙</b>",
    Variable.SENDER_NAME: "李{{today}}",
}
LETTER = {
    "channel": "email",
    "name": "春季",
    "subject": "致 {{customer_name}}",
    "body": "<p>您好 {{contact_name|您}}</p>",
}


def codes(reply: Any) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in reply.json["errors"]]


def test_html_loses_scripts_forms_and_odd_links_and_keeps_its_looks() -> None:
    body = (
        '<p style="color:red;position:fixed" onclick="x()">a<script>alert(1)</script></p><form><input></form>'
        '<a href="javascript:1">b</a><a href="https://example.com/">c</a><img src="data:image/png;base64,x">'
    )

    html = written(Channel.EMAIL, "s", body).html

    assert '<p style="color:red">a</p>' in html
    assert not any(word in html for word in ("script", "form", "input", "onclick", "position", "data:"))
    assert '<a href="https://example.com/" rel="noopener noreferrer">c</a>' in html


def test_values_are_escaped_and_never_read_as_variables() -> None:
    found = filled(written(Channel.EMAIL, "{{customer_name}}", "<p>{{customer_name}} {{sender_name}}</p>"), VALUES)

    assert found.subject == "甲 & <b>乙</b>"
    assert found.html == "<p>甲 &amp; &lt;b&gt;乙&lt;/b&gt; 李{{today}}</p>"
    assert found.text == "甲 & <b>乙</b> 李{{today}}"


@pytest.mark.parametrize(("text", "shown"), [("{{contact_name|您}}", "您"), ("{{ contact_name }}", ""), ("{{x", "{{x")])
def test_a_missing_value_is_what_was_written_for_it(text: str, shown: str) -> None:
    assert filled(written(Channel.SMS, "", f"好{text}"), VALUES).text == f"好{shown}"


@pytest.mark.parametrize(
    ("channel", "subject", "body", "wrong"),
    [
        (
            Channel.EMAIL,
            "{{phone}}",
            "<p>{{x|y}}</p>",
            [("/subject", "unknown_variable"), ("/body", "unknown_variable")],
        ),
        (Channel.EMAIL, "", "<p>a</p>", [("/subject", "missing")]),
        (Channel.EMAIL, "a", "<script>b</script>", [("/body", "missing")]),
        (Channel.EMAIL, "a", '<a href="{{customer_name}}">b</a>', [("/body", "variable_in_tag")]),
        (Channel.EMAIL, "a", "&" * 20_001, [("/body", "string_too_long")]),
        (Channel.SMS, "a", "b", [("/subject", "sms_without_subject")]),
        (Channel.SMS, "", "b" * 501, [("/body", "string_too_long")]),
    ],
)
def test_what_cannot_be_sent_is_refused(channel: Channel, subject: str, body: str, wrong: list[Any]) -> None:
    with pytest.raises(Invalid) as refused:
        written(channel, subject, body)

    assert [(error.pointer, error.code) for error in refused.value.errors] == wrong


def test_the_text_part_keeps_links_lists_and_paragraphs() -> None:
    html = '<h1>A</h1><p>b  <b>c</b><br>d</p><ul><li>e</li><li>f</li></ul><a href="https://x.test">g</a> &amp; <img alt="h">'

    assert text_of(html) == "A\n\nb c\nd\n\n- e\n- f\n\ng (https://x.test) & h"


def test_a_template_is_kept_listed_changed_deleted_and_brought_back(notify: OpenService) -> None:
    admin, sales = notify.organisation.admin, notify.organisation.sales
    kept = send(notify, admin, "POST", "/message-templates", LETTER)
    assert (kept.status_code, kept.headers["ETag"]) == (201, '"1"')
    path = f"/message-templates/{kept.json['id']}"
    changed = send(notify, admin, "PATCH", path, {"subject": "新"}, If_Match='"1"')

    assert (changed.json["version"], changed.json["subject"], changed.json["name"]) == (2, "新", "春季")
    assert [row["id"] for row in send(notify, sales, "GET", "/message-templates?channel=email").json["items"]] == [
        kept.json["id"]
    ]
    assert send(notify, sales, "GET", "/message-templates?channel=sms").json["items"] == []
    assert send(notify, admin, "DELETE", path, If_Match='"2"').status_code == 204
    assert send(notify, sales, "GET", path).status_code == 404
    assert len(send(notify, sales, "GET", "/message-templates?deleted=true").json["items"]) == 1
    assert send(notify, admin, "POST", f"{path}:restore").json["version"] == 4
    actions = [entry["action"] for entry in send(notify, admin, "GET", "/notify/audit").json["items"]]
    assert actions == [f"message_template.{act}" for act in ("restored", "deleted", "changed", "created")]


def test_changes_need_the_version_and_say_what_clashes(notify: OpenService) -> None:
    admin = notify.organisation.admin
    path = f"/message-templates/{send(notify, admin, 'POST', '/message-templates', LETTER).json['id']}"
    send(notify, admin, "PATCH", path, {"subject": "新"}, If_Match='"1"')

    stale = send(notify, admin, "PATCH", path, {"subject": "旧"}, If_Match='"1"')

    assert (stale.status_code, stale.json["conflicts"]) == (412, [{"field": "subject", "current": "新", "yours": "旧"}])
    assert send(notify, admin, "DELETE", path).status_code == 428


def test_names_are_unique_among_the_kept(notify: OpenService) -> None:
    admin = notify.organisation.admin
    first = send(notify, admin, "POST", "/message-templates", LETTER).json["id"]

    again = send(notify, admin, "POST", "/message-templates", LETTER)
    assert (again.status_code, codes(again)) == (409, [("/name", "template_name_taken")])
    send(notify, admin, "DELETE", f"/message-templates/{first}", If_Match='"1"')
    assert send(notify, admin, "POST", "/message-templates", LETTER).status_code == 201
    assert send(notify, admin, "POST", f"/message-templates/{first}:restore").status_code == 409


def test_a_repeated_request_keeps_one_template(notify: OpenService) -> None:
    admin = notify.organisation.admin
    ids = {send(notify, admin, "POST", "/message-templates", LETTER, Idempotency_Key="k").json["id"] for _ in range(2)}

    assert len(ids) == 1


def test_only_who_configures_writes_and_only_who_sends_reads(notify: OpenService) -> None:
    people = notify.organisation

    refused = send(notify, people.sales, "POST", "/message-templates", LETTER)
    assert (refused.status_code, refused.json["permission"]) == (403, "notify.configure")
    without_right(notify, "sales", "notify.mail")
    assert send(notify, people.sales, "GET", "/message-templates").json["permission"] == "notify.mail"


def test_a_preview_fills_in_samples_or_a_customer_one_sees(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient("a@example.test", "远大", contact="", owner_id=sales.id)]
    text = {"channel": "email", "subject": "{{customer_name}}", "body": "<p>{{contact_name|您}} {{owner_name}}</p>"}
    path, seen = "/message-templates:preview", {"customer_id": customer.found[0].customer_id}

    sample = send(mailer, sales, "POST", path, text, Accept_Language="en")
    real = send(mailer, sales, "POST", path, text | seen)
    sms = send(mailer, sales, "POST", path, {"channel": "sms", "body": "字" * 71})
    none = send(mailer, sales, "POST", path, text | {"customer_id": str(UUID(int=1))})

    assert sms.json["segments"] == 2
    assert sample.json["subject"] == "Yuanda Technology Ltd"
    assert real.json == {
        "subject": "远大",
        "html": f"<p>您 {sales.name}</p>",
        "text": f"您 {sales.name}",
        "segments": None,
    }
    assert customer.asked[0][0] == str(sales.id)
    assert codes(none) == [("/customer_id", "unknown_customer")]
