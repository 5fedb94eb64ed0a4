"""Recipients of mailings: whom a member may write to, where, and why not."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from sqlalchemy import event, update

from chassis.identifiers import new_id
from crm.common.v1.selection_pb2 import CustomerFilter, IdList, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.contacts.model import Contact
from crm_customer.contacts.rules import Broken
from crm_customer.recipients.rules import email_address, mobile_number

EMAIL, MOBILE = pb.ADDRESS_KIND_EMAIL, pb.ADDRESS_KIND_MOBILE
CONTACT = {"name": "李女士", "mobile": "13800138000", "email": "li@example.cn"}


class Mailer:
    """Asks for recipients page by page, as notify does."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub

    def page(self, actor: Any, address: Any = EMAIL, **more: Any) -> pb.ListRecipientsResponse:
        request = {"selection": Selection(filter=CustomerFilter()), "address": address, **more}
        metadata = [("x-actor", str(actor.id))]
        reply: pb.ListRecipientsResponse = self.stub.ListRecipients(
            pb.ListRecipientsRequest(**request), timeout=30, metadata=metadata
        )
        return reply

    def all(self, actor: Any, address: Any = EMAIL, **more: Any) -> list[pb.Recipient]:
        found: list[pb.Recipient] = []
        after = ""
        while True:
            page = self.page(actor, address, after=after, **more)
            found += page.recipients
            if not page.next:
                return found
            after = page.next

    def names(self, actor: Any, **more: Any) -> set[str]:
        return {one.customer_name for one in self.all(actor, **more)}


@pytest.fixture
def mailer(customers: Any, rpc: Any) -> Mailer:
    """Recipients for anybody."""
    return Mailer(rpc("notify"))


def _ids(*records: Any) -> Selection:
    return Selection(ids=IdList(ids=[str(one["id"] if isinstance(one, dict) else one) for one in records]))


def test_recipients_are_the_customers_that_the_member_sees(customers: Any, mailer: Mailer) -> None:
    organisation = customers.organisation
    customers.create(organisation.sales, "东")
    customers.create(organisation.rival, "南")
    shared = customers.create(organisation.rival, "共享")
    customers.share(organisation.rival, shared, organisation.sales)
    locked = customers.create(organisation.sales, "锁")
    assert customers.request("POST", f"/customers/{locked['id']}:lock", organisation.sales).status_code == 200

    assert mailer.names(organisation.sales) == {"东", "锁", "共享"}
    assert mailer.names(organisation.rival) == {"南", "共享"}
    assert mailer.names(organisation.supervisor) == {"东"}
    assert mailer.names(organisation.supervisor, selection=_ids(locked)) == set()
    assert mailer.names(organisation.operations) == {"东", "南", "共享"}


def test_a_recipient_has_the_primary_contacts_address(customers: Any, mailer: Mailer) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, "甲", contact=CONTACT)
    customers.new_contact(sales, name="别人", email="other@example.cn", customer_id=customer["id"])

    (mailed,) = mailer.all(sales)
    (called,) = mailer.all(sales, MOBILE)

    assert (mailed.customer_id, mailed.customer_name, mailed.contact_name) == (customer["id"], "甲", "李女士")
    assert (mailed.address, mailed.skip_code, mailed.owner_id) == ("li@example.cn", "", str(sales.id))
    assert called.address == "+8613800138000"


def test_who_cannot_be_written_to_is_listed_with_the_reason(customers: Any, mailer: Mailer) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "无人")
    customers.create(sales, "无址", contact={"name": "王"})
    wrong = customers.create(sales, "错址", contact=CONTACT)
    with customers.database.transaction() as session:
        mine = Contact.customer_id == wrong["id"]
        session.execute(update(Contact).where(mine).values(email="a@b.cn,c@d.cn", mobile="110"))
    customers.delete_contacts(sales, *customers.contacts_of(sales, customers.create(sales, "删人", contact=CONTACT)))

    for address in (EMAIL, MOBILE):
        found = {one.customer_name: (one.address, one.skip_code) for one in mailer.all(sales, address)}
        assert found == {
            "无人": ("", "no_contact"),
            "无址": ("", "no_address"),
            "错址": ("", "address_invalid"),
            "删人": ("", "no_contact"),
        }


def test_what_a_pool_hides_is_no_address(customers: Any, mailer: Mailer) -> None:
    organisation = customers.organisation
    customers.create(organisation.rival, "公海的", pool_id=str(customers.open_pool), contact=CONTACT)

    for address, shown in ((EMAIL, "li@example.cn"), (MOBILE, "+8613800138000")):
        (hidden,) = mailer.all(organisation.sales, address)
        (seen,) = mailer.all(organisation.operations, address)
        assert (hidden.address, hidden.skip_code, hidden.owner_id) == ("", "address_hidden", "")
        assert (seen.address, seen.skip_code) == (shown, "")


def test_a_mailing_may_go_to_a_pool_alone(customers: Any, mailer: Mailer) -> None:
    operations = customers.organisation.operations
    customers.create(operations, "公海的", pool_id=str(customers.open_pool), contact=CONTACT)
    customers.create(operations, "自己的", contact=CONTACT)
    pool = Selection(filter=CustomerFilter(pool_id=str(customers.open_pool)))

    assert {one.customer_name for one in mailer.all(operations)} == {"公海的", "自己的"}
    assert [one.customer_name for one in mailer.all(operations, selection=pool)] == ["公海的"]


def test_ids_out_of_sight_are_left_out_and_counted(customers: Any, mailer: Mailer) -> None:
    organisation = customers.organisation
    mine = [customers.create(organisation.sales, f"东{number}") for number in range(3)]
    theirs = customers.create(organisation.rival, "南")
    wanted = _ids(mine[0], theirs, mine[0], *mine[1:], new_id())

    first = mailer.page(organisation.sales, selection=wanted, page_size=2)

    assert (first.total, first.left_out) == (3, 2)
    found = mailer.all(organisation.sales, selection=wanted, page_size=2)
    assert [one.customer_id for one in found] == [one["id"] for one in mine]


def test_pages_hold_each_customer_once_whatever_is_added_meanwhile(customers: Any, mailer: Mailer) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "别的", industry="other")
    for number in range(5):
        customers.create(sales, f"东{number}", industry="education")
    wanted = {"selection": Selection(filter=CustomerFilter(industry="education")), "page_size": 2}
    page = mailer.page(sales, **wanted)
    assert (page.total, page.left_out) == (5, 0)
    found = [*page.recipients]
    while page.next:
        customers.create(sales, "新", industry="education")
        page = mailer.page(sales, after=page.next, **wanted)
        assert page.total == 0
        found += page.recipients

    assert [one.customer_name for one in found] == [f"东{number}" for number in (4, 3, 2, 1, 0)]


def test_the_rights_are_asked_for_at_every_page(customers: Any, mailer: Mailer) -> None:
    sales = customers.organisation.sales
    for number in range(2):
        customers.create(sales, f"客户{number}")
    first = mailer.page(sales, page_size=1)

    customers.grant("sales", without=("notify.mail",))

    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        mailer.page(sales, page_size=1, after=first.next)


def test_names_alone_are_for_whoever_reads_customers(customers: Any, mailer: Mailer) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "东", contact=CONTACT)
    customers.grant("sales", without=("notify.mail",))

    assert [(one.customer_name, one.address) for one in mailer.all(sales, pb.ADDRESS_KIND_NONE)] == [("东", "")]


def test_bad_requests_are_named(customers: Any, mailer: Mailer) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("unknown_address_kind", {"address": 0}),
        ("limit_out_of_range", {"page_size": 1001}),
        ("select_customers_first", {"selection": Selection()}),
        ("uuid_parsing", {"selection": _ids("x")}),
        ("too_many_items", {"selection": _ids(*(new_id() for _ in range(20_001)))}),
        ("validation_failed", {"after": "?"}),
        ("validation_failed", {"selection": Selection(filter=CustomerFilter(industry="没有"))}),
    ]
    for code, request in cases:
        with customers.refused(code, grpc.StatusCode.INVALID_ARGUMENT):
            mailer.page(customers.organisation.admin, **request)


@contextmanager
def _statements(customers: Any) -> Iterator[list[str]]:
    found: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    engine = customers.database.engine
    event.listen(engine, "before_cursor_execute", record)
    yield found
    event.remove(engine, "before_cursor_execute", record)


def test_a_page_takes_the_same_statements_however_many_rows(customers: Any, mailer: Mailer) -> None:
    sales = customers.organisation.sales
    counts = []
    for rows in (1, 6):
        for number in range(rows):
            customers.create(sales, f"客户{rows}{number}", contact=CONTACT)
        with _statements(customers) as found:
            mailer.page(sales)
        counts.append(len(found))

    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("li@example.cn", "li@example.cn"),
        (" Li.Na+a@Example.CN ", "Li.Na+a@example.cn"),
        ("ｌｉ＠example.cn", "li@example.cn"),
        ("李@例子.cn", "李@例子.cn"),
        ("a@b.cn,c@d.cn", None),
        ("a@b.cn;c@d.cn", None),
        ("Li <li@example.cn>", None),
        ("li@example.cn\r\nBcc: x@y.cn", None),
        ("li@example..cn", None),
        ("li@localhost", None),
        ("x" * 65 + "@example.cn", None),
        ("li@" + "a." * 130 + "cn", None),
    ],
)
def test_an_address_is_one_that_a_mail_server_takes(written: str, read: str | None) -> None:
    assert _read(lambda: email_address(written)) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("13800138000", "+8613800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("008613800138000", "+8613800138000"),
        ("１３８００１３８０００", "+8613800138000"),
        ("010-62345678", None),
        ("1380013800", None),
        ("+14155550100", None),
    ],
)
def test_a_mobile_number_is_written_with_its_country(written: str, read: str | None) -> None:
    assert _read(lambda: mobile_number(written, re.compile(r"^1[3-9]\d{9}$"))) == read


def test_numbers_of_other_countries_keep_theirs() -> None:
    assert mobile_number("+1 415 555 0100", re.compile(r"^\+1\d{10}$")) == "+14155550100"


def _read(read: Any) -> str | None:
    try:
        return str(read())
    except Broken:
        return None
