"""Rows for exported files: what is in them, for whom, and that they are read back without a change."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from sqlalchemy import event, insert, select

from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.common.v1.selection_pb2 import CustomerFilter, IdList, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm.pool.v1 import pool_events_pb2 as pool_events
from crm_customer.customers.model import Customer
from crm_customer.fields.model import CustomField
from crm_customer.ownership.projection import keep_pools
from crm_customer.tags.model import CustomerTag, Tag, TagGroup
from directory.store import store_members

CUSTOMERS, CONTACTS, ACTIVITIES = pb.RECORD_KIND_CUSTOMERS, pb.RECORD_KIND_CONTACTS, pb.RECORD_KIND_ACTIVITIES
CONTACT = {"name": "李女士", "mobile": "13800138000", "email": "li@example.cn"}


class Exporter:
    """Reads whole exports page by page, as import does."""

    def __init__(self, customers: Any, stub: Any) -> None:
        self.customers = customers
        self.stub = stub

    def page(self, actor: Any, kind: Any = CUSTOMERS, **more: Any) -> pb.ExportRowsResponse:
        request = {"selection": Selection(filter=CustomerFilter()), "actor_id": str(actor.id), "kind": kind, **more}
        reply: pb.ExportRowsResponse = self.stub.ExportRows(pb.ExportRowsRequest(**request), timeout=30)
        return reply

    def rows(self, actor: Any, kind: Any = CUSTOMERS, **more: Any) -> list[dict[str, str]]:
        """Every row by name of column."""
        found: list[dict[str, str]] = []
        after = ""
        while True:
            page = self.page(actor, kind, after=after, **more)
            names = [column.name for column in page.columns]
            found += [dict(zip(names, row.cells, strict=True)) for row in page.rows]
            if not page.next:
                return found
            after = page.next


@pytest.fixture
def exporter(customers: Any, rpc: Any) -> Exporter:
    """Exports for anybody."""
    return Exporter(customers, rpc("import"))


def _ids(*records: Any) -> Selection:
    return Selection(ids=IdList(ids=[str(one["id"] if isinstance(one, dict) else one) for one in records]))


def _names(rows: list[dict[str, str]]) -> list[str]:
    return [row["name"] for row in rows]


def _administer(customers: Any, member: Any) -> None:
    """Make a member an administrator of the public pool."""
    (public, _) = customers.pool.pools
    state = pool_events.Pool()
    state.CopyFrom(public)
    state.version, state.admin_ids[:] = 2, [str(member.id)]
    with customers.database.transaction() as session:
        keep_pools(session, [state])


def _follow_up(customers: Any, member: Any, customer: Any, content: str) -> Any:
    body = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": content}
    reply = customers.request("POST", "/activities", member, json=body)
    assert reply.status_code == 201, reply.text
    return reply.json


def test_a_filter_is_exported_page_by_page_as_the_list_shows_it(customers: Any, exporter: Exporter) -> None:
    organisation = customers.organisation
    for number in range(5):
        customers.create(organisation.sales, f"东{number}", industry="education")
    customers.create(organisation.sales, "别的", industry="other")
    customers.create(organisation.rival, "南", industry="education")
    wanted = Selection(filter=CustomerFilter(industry="教育/培训"))

    first = exporter.page(organisation.supervisor, selection=wanted, page_size=2)

    assert (first.total, first.left_out, len(first.rows)) == (5, 0, 2)
    rows = exporter.rows(organisation.supervisor, selection=wanted, page_size=2)
    assert _names(rows) == [f"东{number}" for number in (4, 3, 2, 1, 0)]
    assert {row["industry"] for row in rows} == {"教育/培训"}


def test_ids_out_of_sight_are_left_out_and_counted(customers: Any, exporter: Exporter) -> None:
    organisation = customers.organisation
    mine = [customers.create(organisation.sales, f"东{number}") for number in range(3)]
    theirs = customers.create(organisation.rival, "南")
    wanted = _ids(mine[0], theirs, *mine[1:], new_id())

    first = exporter.page(organisation.supervisor, selection=wanted, page_size=2)

    assert (first.total, first.left_out) == (3, 2)
    rows = exporter.rows(organisation.supervisor, selection=wanted, page_size=2)
    assert _names(rows) == ["东0", "东1", "东2"]


def test_a_pool_is_exported_by_its_administrators_alone(customers: Any, exporter: Exporter) -> None:
    organisation, pool = customers.organisation, str(customers.open_pool)
    customers.create(organisation.supervisor, "主管的")
    customers.create(organisation.rival, "公海的", pool_id=pool, contact=CONTACT)
    whole_pool = Selection(filter=CustomerFilter(pool_id=pool))

    everything = exporter.page(organisation.supervisor)

    assert (_names(exporter.rows(organisation.supervisor)), everything.total, everything.left_out) == (["主管的"], 1, 1)
    with customers.refused("pool_administrators_only", grpc.StatusCode.PERMISSION_DENIED):
        exporter.page(organisation.supervisor, selection=whole_pool)
    with customers.refused("pool_not_found", grpc.StatusCode.NOT_FOUND):
        exporter.page(organisation.supervisor, selection=Selection(filter=CustomerFilter(pool_id=str(new_id()))))
    assert _names(exporter.rows(organisation.operations, selection=whole_pool)) == ["公海的"]

    _administer(customers, organisation.supervisor)

    assert _names(exporter.rows(organisation.supervisor, selection=whole_pool)) == ["公海的"]
    assert set(_names(exporter.rows(organisation.supervisor))) == {"主管的", "公海的"}


def test_what_a_pool_hides_is_not_in_the_file(customers: Any, exporter: Exporter) -> None:
    organisation, pool = customers.organisation, str(customers.open_pool)
    customers.create(organisation.rival, "公海的", pool_id=pool, contact=CONTACT, profile={"fax": "025-1"})
    customers.grant("supervisor", without=("customer.contacts_in_pool",))
    _administer(customers, organisation.supervisor)

    for kind, name in ((CUSTOMERS, "contact.mobile"), (CONTACTS, "mobile")):
        (hidden,) = exporter.rows(organisation.supervisor, kind)
        (shown,) = exporter.rows(organisation.operations, kind)
        assert (hidden[name], shown[name]) == ("", "13800138000")
        assert hidden.keys() == shown.keys()
    (row,) = exporter.rows(organisation.supervisor)
    assert (row["profile.fax"], row["contact.email"], row["contact.name"]) == ("", "", "李女士")


def test_locked_ones_and_the_recycle_bin_are_in_no_file(customers: Any, exporter: Exporter) -> None:
    organisation = customers.organisation
    locked, deleted = customers.create(organisation.sales, "锁"), customers.create(organisation.sales, "删")
    assert customers.request("POST", f"/customers/{locked['id']}:lock", organisation.sales).status_code == 200
    etag = {"If_Match": f'"{deleted["version"]}"'}
    customers.request("DELETE", f"/customers/{deleted['id']}", organisation.sales, headers=etag)

    assert exporter.rows(organisation.supervisor) == []
    assert exporter.rows(organisation.supervisor, selection=_ids(locked, deleted)) == []


def test_the_right_is_asked_for_at_every_page(customers: Any, exporter: Exporter) -> None:
    organisation = customers.organisation
    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        exporter.page(organisation.sales)
    for number in range(3):
        customers.create(organisation.supervisor, f"客户{number}")
    first = exporter.page(organisation.supervisor, page_size=1)

    customers.grant("supervisor", without=("customer.export",))

    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        exporter.page(organisation.supervisor, page_size=1, after=first.next)


def test_bad_requests_are_named(customers: Any, exporter: Exporter) -> None:
    admin, invalid = customers.organisation.admin, grpc.StatusCode.INVALID_ARGUMENT
    cases: list[tuple[str, dict[str, Any]]] = [
        ("malformed_export", {"kind": 9}),
        ("limit_out_of_range", {"page_size": 1001}),
        ("select_customers_first", {"selection": Selection()}),
        ("uuid_parsing", {"selection": _ids("x")}),
        ("too_many_items", {"selection": _ids(*(new_id() for _ in range(10_001)))}),
        ("validation_failed", {"fields": ["name", "custom.nothing"]}),
        ("validation_failed", {"after": "?"}),
        ("validation_failed", {"after": "WzEsMl0"}),
        ("validation_failed", {"selection": Selection(filter=CustomerFilter(industry="没有"))}),
    ]
    for code, request in cases:
        with customers.refused(code, invalid):
            exporter.page(admin, **request)


def test_chosen_fields_come_with_the_id(customers: Any, exporter: Exporter) -> None:
    customer = customers.create(customers.organisation.supervisor, "甲", contact=CONTACT)

    (row,) = exporter.rows(customers.organisation.supervisor, fields=["contact.mobile", "name"])

    assert row == {"id": customer["id"], "name": "甲", "contact.mobile": "13800138000"}


def test_long_rows_come_in_shorter_pages(customers: Any, exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_customer.exports.rpc.MOST_BYTES", 8000)
    for number in range(4):
        customers.create(customers.organisation.supervisor, f"客户{number}", profile={"description": "长" * 1000})

    first = exporter.page(customers.organisation.supervisor)

    assert (len(first.rows), first.total) == (1, 4)
    assert len(exporter.rows(customers.organisation.supervisor)) == 4


def test_files_wait_for_each_other_and_users_for_none(
    customers: Any, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, gate = threading.Semaphore(0), threading.Event()

    def hold(*_: Any) -> pb.ExportRowsResponse:
        entered.release()
        gate.wait(30)
        return pb.ExportRowsResponse()

    monkeypatch.setattr("crm_customer.exports.rpc.Exports._fitting", hold)
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(exporter.page, customers.organisation.supervisor) for _ in range(2)]
        assert all(entered.acquire(timeout=30) for _ in calls)

        with customers.refused("export_busy", grpc.StatusCode.RESOURCE_EXHAUSTED):
            exporter.page(customers.organisation.supervisor)
        gate.set()


def test_contacts_of_the_customers_that_match(customers: Any, exporter: Exporter) -> None:
    organisation = customers.organisation
    education = customers.create(organisation.sales, "学校", industry="education", contact=CONTACT)
    customers.create(organisation.sales, "别的", contact=CONTACT)
    same = [customers.create(organisation.sales, "同名", industry="education") for _ in range(2)]
    made = [
        customers.new_contact(organisation.sales, name=f"人{n}", customer_id=education["id"], birthday="1990-01-05")
        for n in range(3)
    ]
    twin = customers.new_contact(organisation.sales, name="孪生", customer_id=same[0]["id"])
    wanted = Selection(filter=CustomerFilter(industry="education"))

    rows = exporter.rows(organisation.supervisor, CONTACTS, selection=wanted, page_size=2)

    assert sorted(row["name"] for row in rows) == ["人0", "人1", "人2", "孪生", "李女士"]
    assert exporter.page(organisation.supervisor, CONTACTS, selection=wanted, page_size=2).total == 5
    named = {row["name"]: row["customer"] for row in rows}
    assert (named["人0"], named["孪生"]) == ("学校", same[0]["id"])
    by_id = exporter.rows(organisation.supervisor, CONTACTS, selection=_ids(made[1], twin, new_id()), page_size=1)
    assert [(row["name"], row["birthday"], row["owner"]) for row in by_id] == [
        ("人1", "1990-01-05", "张三"),
        ("孪生", "", "张三"),
    ]


def test_follow_ups_of_the_customers_that_match(customers: Any, exporter: Exporter) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales, "甲")
    follow_ups = [_follow_up(customers, organisation.sales, customer, f"第{n}次\n=1+1") for n in range(3)]
    remark = {"customer_id": customer["id"], "kind": "remark", "content": "备注"}
    assert customers.request("POST", "/activities", organisation.sales, json=remark).status_code == 201
    theirs = _follow_up(customers, organisation.rival, customers.create(organisation.rival, "南"), "南")

    rows = exporter.rows(organisation.supervisor, ACTIVITIES, page_size=2)

    assert [row["content"] for row in rows] == [f"第{n}次\n=1+1" for n in range(3)]
    assert exporter.page(organisation.supervisor, ACTIVITIES, page_size=2).total == 3
    searched = Selection(filter=CustomerFilter(search="甲"))
    assert exporter.page(organisation.supervisor, ACTIVITIES, selection=searched, page_size=2).total == 3
    assert {(row["customer"], row["method"], row["member"]) for row in rows} == {("甲", "电话", "张三")}
    chosen = exporter.rows(organisation.supervisor, ACTIVITIES, selection=_ids(follow_ups[1], theirs))
    assert [row["id"] for row in chosen] == [follow_ups[1]["id"]]


@contextmanager
def _statements(customers: Any) -> Iterator[list[str]]:
    found: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    engine = customers.database.engine
    event.listen(engine, "before_cursor_execute", record)
    yield found
    event.remove(engine, "before_cursor_execute", record)


@pytest.mark.parametrize("kind", [CUSTOMERS, CONTACTS, ACTIVITIES])
def test_a_page_takes_the_same_statements_however_many_rows(customers: Any, exporter: Exporter, kind: Any) -> None:
    supervisor = customers.organisation.supervisor
    counts = []
    for rows in (1, 6):
        for number in range(rows):
            customer = customers.create(supervisor, f"客户{rows}{number}", contact=CONTACT, profile={"fax": "1"})
            _follow_up(customers, supervisor, customer, "聊")
        with _statements(customers) as found:
            exporter.page(supervisor, kind)
        counts.append(len(found))

    assert counts[0] == counts[1]


UGLY: dict[str, Any] = {
    "name": "=1+1",
    "address_detail": '说 "好",\n第二行',
    "remark": "'+86 138👨‍👩‍👧 𠮷, 1.38E+10",
    "wechat_nickname": "@x",
    "postcode": "010010",
    "province": "江苏省",
    "city": "南京市",
    "industry": "education",
    "rating": 2,
    "kind": "individual",
    "annual_turnover": "120000",
    "contact": {"name": "-李", "mobile": "13800138000", "phone": "+8602512345678", "qq": "00123", "remark": "_x0041_"},
    "profile": {
        "website": "https://a.cn/?a=1&b=2",
        "non_primary_emails": "a@b.cn;c@d.cn",
        "employees": "200",
        "latitude": "-31.2",
        "description": "一\n二",
        "phone_office": "00861380",
        "aliases": ["春松", "Chatopera Co., Ltd. (HK)"],
        "credit_code": "91110108551385082Q",
    },
    "custom": {"serial": "000123456789012345678", "size": 0.0000012, "born": "1990-01-05", "likes": ["a", "b"]},
}


def _define_fields(customers: Any) -> None:
    options = [
        {"key": "a", "zh": "展会；大", "en": "Fair; big", "active": True},
        {"key": "b", "zh": "培训", "en": "Training", "active": True},
    ]
    kinds = (
        ("serial", "text", []),
        ("size", "number", []),
        ("born", "date", []),
        ("likes", "multiple_choice", options),
    )
    with customers.database.transaction() as session:
        for place, (key, kind, choices) in enumerate(kinds):
            named = {"key": key, "kind": kind, "label_zh": key, "label_en": key, "options": choices, "position": place}
            session.execute(insert(CustomField).values(id=new_id(), version=1, role_ids=[], **named))


def _bear_tags(customers: Any, customer: Any) -> None:
    """Tags whose names are ambiguous, hold a separator, or both."""
    with customers.database.transaction() as session:
        for place, names in enumerate((("大型", "展会；会议"), ("大型", "老客户"))):
            group, ids = new_id(), [new_id() for _ in names]
            values = {"id": group, "version": 1, "name": f"组{place}", "multiple": True, "position": place}
            session.execute(insert(TagGroup).values(**values))
            for number, (id_, name) in enumerate(zip(ids, names, strict=True)):
                tag = {"id": id_, "version": 1, "group_id": group, "name": name, "color": "red", "position": number}
                session.execute(insert(Tag).values(**tag))
            session.execute(insert(CustomerTag), [{"customer_id": customer["id"], "tag_id": id_} for id_ in ids])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_exported_is_imported_again_without_a_change(
    customers: Any, exporter: Exporter, importer: Any, language: str
) -> None:
    supervisor = customers.organisation.supervisor
    _define_fields(customers)
    customer = customers.create(supervisor, **UGLY)
    _bear_tags(customers, customer)
    if language == "en":
        state = customers.organisation.member_state(supervisor, version=2)
        state.language = "en"
        with customers.database.transaction() as session:
            store_members(session, [state])
    columns = exporter.page(supervisor).columns
    told = {"pool", "created_by", "created_at", "updated_at", "last_touch_at"}

    (row,) = exporter.rows(supervisor)

    assert (row["industry"], row["rating"]) == {"zh": ("教育/培训", "二星"), "en": ("Education/Training", "2 stars")}[
        language
    ]
    assert len(columns) == len(row) > len(told)
    given = {name: text for name, text in row.items() if name not in told}
    (result,) = importer.write(given, actor=supervisor, update=True, match_fields=["id"])
    assert (result.outcome, list(result.problems)) == (rows_pb.IMPORT_OUTCOME_UPDATED, [])
    with customers.database.reading() as session:
        assert session.scalar(select(Customer.version)) == customer["version"]
    assert exporter.rows(supervisor) == [row]
