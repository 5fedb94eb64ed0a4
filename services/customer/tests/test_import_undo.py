"""Undoing an import: what nobody has touched is as before, the rest is left and says why; repeating it changes nothing."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
import pytest
from sqlalchemy import select, text

from chassis.clock import now
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_service_pb2 as pb
from crm.customer.v1.customer_events_pb2 import CustomerDeleted, CustomerUpdated
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.import_undo.rules import restoration, trail_of
from crm_customer.ownership.projection import apply_assignments
from tests.support.bulk import Importer
from tests.support.statements import failing_at, statements_of

CUSTOMERS, CONTACTS, ACTIVITIES = pb.RECORD_KIND_CUSTOMERS, pb.RECORD_KIND_CONTACTS, pb.RECORD_KIND_ACTIVITIES
UNDONE, PARTLY, LEFT = pb.REVERT_OUTCOME_UNDONE, pb.REVERT_OUTCOME_PARTLY, pb.REVERT_OUTCOME_LEFT
FULL = {
    "name": "华夏春松",
    "rating": "3",
    "source": "其他",
    "province": "江苏",
    "city": "南京",
    "contact.name": "陈立",
    "contact.mobile": "13800138000",
    "profile.website": "www.highsea.cn",
}


class Import:
    """One import job, and its undo."""

    def __init__(self, importer: Importer) -> None:
        self.importer, self.customers = importer, importer.customers
        self.organisation = importer.customers.organisation
        self.id = str(new_id())
        self.rows: list[pb.WrittenRow] = []

    def write(self, *rows: Any, **options: Any) -> list[Any]:
        """Import rows that all create or update; further ones follow those before."""
        first = 2 + len(self.rows)
        results = self.importer.write(*enumerate(rows, first), job_id=self.id, **options)
        assert all(result.record_id for result in results), results
        for result in results:
            self.wrote(result.row_number, result.record_id, created=result.outcome == 1)
        return results

    def wrote(self, number: int, record_id: Any, *, created: bool) -> None:
        """Remember what a row wrote."""
        self.rows.append(pb.WrittenRow(row_number=number, record_id=str(record_id), created=created))

    def write_contacts(self, *rows: Any, **options: Any) -> list[Any]:
        """Import contacts."""
        return self._wrote(self.importer.write_contacts(*rows, job_id=self.id, **options))

    def write_follow_ups(self, *rows: Any) -> list[Any]:
        """Import follow-ups."""
        return self._wrote(self.importer.write_follow_ups(*rows, job_id=self.id))

    def _wrote(self, results: list[Any]) -> list[Any]:
        assert all(result.record_id for result in results), results
        for result in results:
            self.wrote(result.row_number, result.record_id, created=result.outcome == 1)
        return results

    def undo(self, actor: Any = None, rows: Any = None, kind: Any = CUSTOMERS, job: str | None = None) -> list[Any]:
        """What becomes of the rows, by default all, for 张三."""
        request = pb.RevertRowsRequest(
            job_id=job or self.id,
            actor_id=str((actor or self.organisation.sales).id),
            kind=kind,
            rows=self.rows if rows is None else rows,
        )
        return list(self.importer.stub.RevertRows(request, timeout=30).rows)


@pytest.fixture
def job(importer: Importer) -> Import:
    """An import that has written nothing yet."""
    return Import(importer)


def told(reverted: Sequence[Any]) -> list[Any]:
    """Outcomes with the fields and codes of their reasons."""
    return [(one.outcome, [(problem.field, problem.code) for problem in one.problems]) for one in reverted]


def read(customers: Any, customer_id: str, member: Any = None) -> Any:
    return customers.request("GET", f"/customers/{customer_id}", member or customers.organisation.admin).json


def touch_up(customers: Any, customer_id: str, **changes: Any) -> None:
    """Somebody edits the customer."""
    admin = customers.organisation.admin
    assert customers.patch(admin, read(customers, customer_id), **changes).status_code == 200


def test_what_it_made_goes_into_the_recycle_bin_with_its_contact(customers: Any, job: Import) -> None:
    sales = customers.organisation.sales
    (result,) = job.write(FULL)

    assert told(job.undo()) == [(UNDONE, [])]

    assert (customers.listed(sales), customers.contacts(sales)) == ([], [])
    assert customers.listed(sales, view="deleted") == ["华夏春松"]
    (deleted,) = customers.outbox(CustomerDeleted)
    assert (deleted.batch_id, deleted.actor_id) == (job.id, str(sales.id))
    assert [(state.id, state.deleted) for state in deleted.customers] == [(result.record_id, True)]
    newest = customers.request("GET", f"/customers/{result.record_id}/history", sales).json["items"][0]
    assert (newest["action"], newest["changes"]) == ("customer.deleted", [])
    restored = customers.request("POST", f"/customers/{result.record_id}:restore", sales)
    assert restored.status_code == 200, restored.text


def _tag(customers: Any) -> str:
    admin = customers.organisation.admin
    group = customers.request("POST", "/tags/groups", admin, json={"name": "规模"}).json["id"]
    body = {"group_id": group, "name": "大型", "color": "red"}
    return str(customers.request("POST", "/tags", admin, json=body).json["id"])


def _day_later() -> str:
    return "2030-01-01T09:00:00Z"


def _acts(customers: Any, id_: str) -> dict[str, Any]:
    sales, path = customers.organisation.sales, f"/customers/{id_}"
    colleague = str(customers.organisation.colleague.id)
    contact = next(iter(customers.contacts_of(sales, {"id": id_})), None)

    def post(to: str, **body: Any) -> Any:
        return customers.request("POST", to, sales, json=body)

    return {
        "changed": lambda: customers.patch(sales, read(customers, id_), rating=1),
        "tagged": lambda: customers.request("PUT", f"{path}/tags", sales, json={"tag_ids": [_tag(customers)]}),
        "locked": lambda: customers.request("POST", f"{path}:lock", sales),
        "activity": lambda: post("/activities", customer_id=id_, kind="log", title="电话", content="谈过"),
        "task": lambda: post("/tasks", customer_id=id_, kind="call", subject="回访"),
        "schedule_entry": lambda: post("/schedules", customer_id=id_, subject="拜访", starts_at=_day_later()),
        "opportunity": lambda: post("/opportunities", customer_id=id_, name="新商机"),
        "order": lambda: post("/orders", customer_id=id_, lines=[{"name": "网关", "quantity": "1", "price": "5"}]),
        "collaborator": lambda: post(
            f"{path}/collaborators", collaborators=[{"member_id": colleague, "access": "read"}]
        ),
        "star": lambda: customers.request("PUT", f"{path}/star", sales, json={"color": "red"}),
        "contact": lambda: customers.new_contact(sales, name="新人", customer_id=id_) and None,
        "own contact": lambda: customers.patch_contact(sales, contact, position="总监"),
        "child": lambda: customers.create(sales, "子公司", profile={"parent_customer_id": id_}) and None,
        "moved": lambda: _move(customers, id_),
        "deleted": lambda: customers.request("DELETE", path, sales, headers={"If_Match": '"1"'}),
    }


def _move(customers: Any, id_: str) -> None:
    state = customers.assignment(id_, 2, Place(owner_id=str(customers.organisation.sales.id)))
    state.held_since.FromDatetime(now())
    with customers.database.transaction() as session:
        apply_assignments(session, [state])


@pytest.mark.parametrize(
    ("act", "field", "code"),
    [
        ("changed", "rating", "changed_since"),
        ("tagged", "tags", "changed_since"),
        ("locked", "", "touched_since"),
        ("activity", "", "has_records"),
        ("task", "", "has_records"),
        ("schedule_entry", "", "has_records"),
        ("opportunity", "", "has_records"),
        ("order", "", "has_records"),
        ("collaborator", "", "has_records"),
        ("star", "", "has_records"),
        ("contact", "", "has_records"),
        ("own contact", "contact.position", "changed_since"),
        ("child", "", "has_records"),
        ("moved", "", "moved_since"),
        ("deleted", "", "deleted_since"),
    ],
)
def test_what_somebody_has_touched_stays_and_says_why(
    customers: Any, job: Import, act: str, field: str, code: str
) -> None:
    (touched, _) = job.write(FULL, {"name": "没人碰过"})
    response = _acts(customers, touched.record_id)[act]()
    assert response is None or response.status_code < 300, response.text
    before = read(customers, touched.record_id)

    reverted = job.undo()

    assert told(reverted) == [(LEFT, [(field, code)]), (UNDONE, [])]
    if code == "has_records":
        assert dict(reverted[0].problems[0].parameters) == {"record": act, "count": "1"}
    after = read(customers, touched.record_id)
    assert {**after, "trace_id": ""} == {**before, "trace_id": ""}
    assert "没人碰过" not in customers.listed(customers.organisation.admin)


def test_a_new_date_and_a_look_are_no_touch(customers: Any, job: Import) -> None:
    (result,) = job.write(FULL)
    customers.move({"id": result.record_id}, 2, Place(owner_id=str(customers.organisation.sales.id)), "2027-03-01")

    assert told(job.undo()) == [(UNDONE, [])]


def test_each_field_gets_back_what_it_held_where_it_still_holds_what_was_imported(customers: Any, job: Import) -> None:
    sales = customers.organisation.sales
    former = {"rating": 1, "source": "other", "contact": {"mobile": "13900139000"}}
    id_ = customers.create(sales, "华夏春松", remark="老客户", **former)["id"]
    before = read(customers, id_)
    job.write(FULL | {"source": "电话营销", "remark": "导入的"}, update=True)
    imported = read(customers, id_)
    assert imported["rating"] == 3
    touch_up(customers, id_, rating=2, remark="导入的")

    (reverted,) = job.undo()

    assert told([reverted]) == [(PARTLY, [("rating", "changed_since")])]
    assert dict(reverted.problems[0].parameters) == {"imported": "三星", "current": "二星"}
    after = read(customers, id_)
    changing = ("version", "updated_at", "rating")
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }
    assert after["rating"] == 2
    assert [state.name for state in customers.outbox(CustomerUpdated)[-1].customers] == ["华夏春松"]
    newest = customers.request("GET", f"/customers/{id_}/history", sales).json["items"][0]
    changes = {change["field"]: (change["before"], change["after"]) for change in newest["changes"]}
    assert newest["action"] == "customer.import_undone"
    assert changes["contact.mobile"] == ("13800138000", "13900139000")
    assert changes["remark"] == ("导入的", "老客户")
    contact = customers.contacts_of(sales, {"id": id_})[0]
    newest = customers.request("GET", f"/contacts/{contact['id']}/history", sales).json["items"][0]
    assert newest["action"] == "contact.import_undone"
    assert customers.listed(sales, search="13900139") == ["华夏春松"]


def test_names_found_before_are_found_again(customers: Any, job: Import) -> None:
    sales = customers.organisation.sales
    known = customers.create(sales, "旧名科技")
    job.write({"id": known["id"], "name": "新名科技"}, update=True, match_fields=["id"])

    assert told(job.undo()) == [(UNDONE, [])]

    assert (customers.listed(sales, search="旧名"), customers.listed(sales, search="新名")) == (["旧名科技"], [])


def test_a_contact_that_it_made_goes_unless_somebody_has_used_it(customers: Any, job: Import) -> None:
    sales = customers.organisation.sales
    names = ["没人碰过", "改过", "换了首要"]
    ids = [customers.create(sales, name)["id"] for name in names]
    job.write(*({"name": name, "contact.mobile": "13800138000"} for name in names), update=True)
    contact = customers.contacts_of(sales, {"id": ids[1]})[0]
    customers.patch_contact(sales, contact, position="总监")
    customers.new_contact(sales, name="后来的", customer_id=ids[2], is_primary=True)

    reverted = job.undo()

    assert told(reverted) == [
        (UNDONE, []),
        (LEFT, [("contact.name", "contact_in_use")]),
        (UNDONE, []),
    ]
    assert [[one["name"] for one in customers.contacts_of(sales, {"id": id_})] for id_ in ids] == [
        [],
        ["改过"],
        ["后来的"],
    ]
    assert read(customers, ids[0])["contact"] is None


def test_tags_and_extended_columns_come_back(customers: Any, job: Import) -> None:
    sales, admin = customers.organisation.sales, customers.organisation.admin
    group = customers.request("POST", "/tags/groups", admin, json={"name": "兴趣", "multiple": True}).json["id"]
    tags = [
        customers.request("POST", "/tags", admin, json={"group_id": group, "name": name, "color": "red"}).json
        for name in ("展会", "培训", "老")
    ]
    ids = [customers.create(sales, name, profile={"website": "old.cn"})["id"] for name in ("甲", "乙", "丙")]
    for id_ in ids:
        customers.request("PUT", f"/customers/{id_}/tags", sales, json={"tag_ids": [tags[0]["id"], tags[2]["id"]]})
    job.write(
        *({"name": name, "tags": "培训", "profile.website": "new.cn"} for name in ("甲", "乙", "丙")), update=True
    )
    customers.request("PUT", f"/customers/{ids[1]}/tags", sales, json={"tag_ids": [tags[0]["id"], tags[1]["id"]]})
    gone = customers.request(
        "DELETE", f"/tags/{tags[2]['id']}?confirm=true", admin, headers={"If_Match": f'"{tags[2]["version"]}"'}
    )
    assert gone.status_code < 300, gone.text

    reverted = job.undo()

    assert told(reverted) == [(UNDONE, []), (PARTLY, [("tags", "changed_since")]), (UNDONE, [])]
    assert dict(reverted[1].problems[0].parameters) == {"imported": "培训", "current": "培训；展会"}
    found = [read(customers, id_) for id_ in ids]
    assert [one["profile"]["website"] for one in found] == ["old.cn"] * 3
    assert [{tag["name"] for tag in one["tags"]} for one in found] == [{"展会"}, {"展会", "培训"}, {"展会"}]


def test_a_parent_that_is_gone_or_below_by_now_is_not_restored(customers: Any, job: Import) -> None:
    sales = customers.organisation.sales
    gone, other, lower = (customers.create(sales, name) for name in ("走了的", "别的", "下级"))
    field = "parent_customer_id"
    first = customers.create(sales, "甲", profile={field: gone["id"]})
    second = customers.create(sales, "乙", profile={field: lower["id"]})
    job.write(*({"name": name, f"profile.{field}": other["id"]} for name in ("甲", "乙")), update=True)
    customers.request("DELETE", f"/customers/{gone['id']}", sales, headers={"If_Match": '"1"'})
    customers.patch(sales, lower, profile={field: second["id"]})

    reverted = job.undo()

    assert told(reverted) == [
        (LEFT, [(f"profile.{field}", "parent_not_found")]),
        (LEFT, [(f"profile.{field}", "parent_cycle")]),
    ]
    assert read(customers, first["id"])["profile"][field] == other["id"]


def test_a_city_comes_back_only_with_its_province(customers: Any, job: Import) -> None:
    sales = customers.organisation.sales
    id_ = customers.create(sales, "甲", province="江苏", city="南京")["id"]
    job.write({"name": "甲", "province": "浙江", "city": "杭州"}, update=True)
    touch_up(customers, id_, city="宁波")

    assert told(job.undo()) == [(LEFT, [("city", "changed_since"), ("province", "changed_since")])]


def test_repeating_it_answers_the_same_and_changes_nothing(customers: Any, job: Import) -> None:
    sales = customers.organisation.sales
    partly = customers.create(sales, "部分", rating=1, remark="旧")["id"]
    job.write({"name": "部分", "rating": "3", "remark": "新"}, {"name": "新的"}, {"name": "改过的"}, update=True)
    touch_up(customers, partly, rating=2)
    touch_up(customers, job.rows[2].record_id, remark="人写的")
    first = job.undo()
    assert [one.outcome for one in first] == [PARTLY, UNDONE, LEFT]

    with statements_of(customers.database) as made:
        again = job.undo()

    assert again == first
    assert [one for one in made if one.startswith(("INSERT", "UPDATE", "DELETE"))] == []


def test_what_one_job_made_and_then_changed_is_undone_as_a_whole(customers: Any, job: Import) -> None:
    job.write({"name": "新的", "rating": "1"})
    job.write({"name": "新的", "rating": "2"}, update=True)
    job.write({"name": "新的", "rating": "3"}, update=True)

    assert told(job.undo(rows=job.rows[1:])) == [(UNDONE, [])] * 2
    assert told(job.undo(rows=job.rows[:1])) == [(UNDONE, [])]
    assert customers.listed(customers.organisation.sales) == []


def test_another_import_counts_as_others(customers: Any, job: Import, importer: Importer) -> None:
    customers.create(customers.organisation.sales, "甲", rating=1)
    job.write({"name": "甲", "rating": "2"}, {"name": "乙", "contact.qq": "54321"}, update=True)
    later = Import(importer)
    later.write({"name": "甲", "rating": "3"}, {"name": "乙", "rating": "3", "contact.qq": "12345"}, update=True)

    assert told(job.undo()) == [
        (LEFT, [("rating", "changed_since")]),
        (LEFT, [("rating", "changed_since"), ("contact.qq", "changed_since")]),
    ]
    assert told(later.undo()) == [(UNDONE, [])] * 2
    assert told(job.undo()) == [(UNDONE, [])] * 2


def test_only_what_the_actor_sees_and_may_delete_is_undone(customers: Any, job: Import) -> None:
    organisation = customers.organisation
    supervisor = organisation.supervisor
    job.write({"name": "李四的", "owner": "李四"}, {"name": "自己的"}, actor=supervisor)

    assert told(job.undo(organisation.rival)) == [(LEFT, [("", "out_of_scope")])] * 2
    assert told(job.undo(supervisor)) == [(UNDONE, [])] * 2
    of_sales = Import(job.importer)
    of_sales.write({"name": "张三的"})
    assert told(of_sales.undo(supervisor)) == [(LEFT, [("", "delete_own_only")])]
    assert told(of_sales.undo(organisation.admin)) == [(UNDONE, [])]


def test_an_importer_takes_back_what_lies_untouched_in_a_pool(customers: Any, job: Import) -> None:
    job.write({"name": "公海的"}, target_pool_id=str(customers.open_pool))

    assert told(job.undo(customers.organisation.colleague)) == [(LEFT, [("", "delete_own_only")])]
    assert told(job.undo()) == [(UNDONE, [])]


def test_a_customer_released_since_is_claimed_before_it_is_restored(customers: Any, job: Import) -> None:
    known = customers.create(customers.organisation.sales, "甲", rating=1)
    job.write({"name": "甲", "rating": "2"}, update=True)
    customers.move(known, 2, Place(pool_id=str(customers.open_pool)))

    assert told(job.undo()) == [(LEFT, [("", "claim_first")])]
    assert told(job.undo(customers.organisation.admin)) == [(UNDONE, [])]


@pytest.mark.parametrize(
    ("without", "rows"), [("import.run", slice(0)), ("customer.update", slice(1)), ("customer.delete", slice(1, 2))]
)
def test_rights_are_asked_for_each_time(customers: Any, job: Import, without: str, rows: slice) -> None:
    customers.create(customers.organisation.sales, "旧的")
    job.write({"name": "旧的", "rating": "2"}, {"name": "新的"}, update=True)
    customers.grant("sales", without=(without,))

    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        job.undo(rows=job.rows[rows])


def test_malformed_requests_are_refused(customers: Any, job: Import) -> None:
    row = pb.WrittenRow(row_number=2, record_id=str(new_id()))
    for code, options in (
        ("malformed_chunk", {"kind": 0}),
        ("malformed_chunk", {"rows": [row, row]}),
        ("too_many_items", {"rows": [pb.WrittenRow(row_number=n, record_id=row.record_id) for n in range(1001)]}),
        ("uuid_parsing", {"rows": [pb.WrittenRow(row_number=2, record_id="x")]}),
        ("uuid_parsing", {"job": "x"}),
    ):
        with customers.refused(code, grpc.StatusCode.INVALID_ARGUMENT):
            job.undo(**{"rows": [], **options})
    assert told(job.undo(rows=[row])) == [(LEFT, [("", "out_of_scope")])]


def test_rows_of_another_job_are_left(customers: Any, job: Import) -> None:
    by_hand = customers.create(customers.organisation.sales, "手工的")
    job.wrote(2, by_hand["id"], created=True)

    assert told(job.undo()) == [(LEFT, [("", "not_of_this_import")])]


def test_many_rows_take_as_many_statements_as_few(customers: Any, importer: Importer) -> None:
    counts = []
    for start, count in ((0, 2), (1000, 300)):
        job = Import(importer)
        names = [f"客户{number}" for number in range(start, start + count)]
        Import(importer).write(*({"name": name, "rating": "1", "contact.mobile": "13800138000"} for name in names))
        change = {"rating": "2", "contact.name": "陈立", "profile.website": "a.cn"}
        job.write(*({"name": name, **change} for name in names), update=True)
        job.write(*({"name": f"新{name}", "contact.mobile": "13900139000"} for name in names))
        with statements_of(customers.database) as found:
            reverted = job.undo()
        assert told(reverted) == [(UNDONE, [])] * (2 * count)
        counts.append(len(found))
    assert counts[0] == counts[1] < 50


def test_contacts_that_it_made_go_unless_they_are_touched(customers: Any, job: Import) -> None:
    sales, kind = customers.organisation.sales, {"kind": CONTACTS}
    company, other = customers.create(sales, "甲"), customers.create(sales, "乙")
    results = job.write_contacts(*({"name": f"联系人{number}", "customer": "甲"} for number in range(4)))
    changed, linked, used = ({"id": one.record_id} for one in results[1:])
    customers.patch_contact(sales, customers.contact(sales, changed), position="总监")
    customers.link(sales, other, linked)
    activity = {
        "customer_id": company["id"],
        "kind": "log",
        "title": "电话",
        "content": "谈过",
        "contact_id": used["id"],
    }
    assert customers.request("POST", "/activities", sales, json=activity).status_code == 201

    reverted = job.undo(**kind)

    assert told(reverted) == [
        (UNDONE, []),
        (LEFT, [("position", "changed_since")]),
        (LEFT, [("", "touched_since")]),
        (LEFT, [("", "has_records")]),
    ]
    assert {one["name"] for one in customers.contacts_of(sales, company)} == {"联系人1", "联系人2", "联系人3"}
    assert job.undo(**kind) == reverted
    assert told(job.undo(customers.organisation.rival, **kind)) == [(LEFT, [("", "out_of_scope")])] * 4


def test_contacts_get_back_what_it_overwrote(customers: Any, job: Import) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "甲")
    former = {"name": "陈立", "position": "经理", "birthday": "1990-01-02"}
    contact = customers.new_contact(sales, **former, customer_id=company["id"])
    imported = {"position": "总监", "birthday": "1991-01-02", "email": "a@b.cn"}
    job.write_contacts({"name": "陈立", "customer": "甲", **imported}, update=True)
    assert customers.contact(sales, contact)["birthday"] == "1991-01-02"
    customers.patch_contact(sales, customers.contact(sales, contact), email="c@d.cn")

    reverted = job.undo(kind=CONTACTS)

    assert told(reverted) == [(PARTLY, [("email", "changed_since")])]
    after = customers.contact(sales, contact)
    assert (after["position"], after["birthday"], after["email"]) == ("经理", "1990-01-02", "c@d.cn")
    history = customers.request("GET", f"/contacts/{contact['id']}/history", sales).json["items"][0]
    assert history["action"] == "contact.import_undone"
    assert job.undo(kind=CONTACTS) == reverted


def test_customers_are_undone_after_the_contacts_and_follow_ups_that_came_later(
    customers: Any, job: Import, importer: Importer
) -> None:
    job.write(FULL)
    contacts, follow_ups = Import(importer), Import(importer)
    contacts.write_contacts(
        {"name": "陈立", "customer": "华夏春松", "mobile": "13800138000", "position": "总监"},
        {"name": "王芳", "customer": "华夏春松"},
        update=True,
    )
    follow_ups.write_follow_ups({"customer": "华夏春松", "content": "谈过", "method": "电话", "at": "2026-11-01 09:00"})
    (left,) = job.undo()
    assert {(problem.field, problem.code) for problem in left.problems} == {
        ("", "has_records"),
        ("contact.position", "changed_since"),
    }

    assert told(follow_ups.undo(kind=ACTIVITIES)) == [(UNDONE, [])]
    assert told(contacts.undo(kind=CONTACTS)) == [(UNDONE, [])] * 2
    assert told(job.undo()) == [(UNDONE, [])]


def test_follow_ups_that_it_made_are_deleted_unless_they_are_touched(customers: Any, job: Import) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, "甲")
    rows = [
        {"customer": "甲", "content": text, "method": "电话", "at": "2026-11-01 09:00"} for text in ("一", "二", "三")
    ]
    _, answered, reworded = (one.record_id for one in job.write_follow_ups(*rows))
    remark = {"customer_id": customer["id"], "kind": "remark", "content": "好", "about_id": answered}
    assert customers.request("POST", "/activities", sales, json=remark).status_code == 201
    path = f"/activities/{reworded}"
    assert (
        customers.request("PATCH", path, sales, json={"content": "改"}, headers={"If_Match": '"1"'}).status_code == 200
    )

    reverted = job.undo(kind=ACTIVITIES)

    assert told(reverted) == [(UNDONE, []), (LEFT, [("", "has_records")]), (LEFT, [("", "touched_since")])]
    assert job.undo(kind=ACTIVITIES) == reverted
    assert told(job.undo(customers.organisation.rival, kind=ACTIVITIES)) == [(LEFT, [("", "out_of_scope")])] * 3
    listed = customers.request("GET", "/activities", sales, query_string={"customer_id": customer["id"]}).json["items"]
    assert {one["content"] for one in listed} == {"二", "改", "好"}


def test_contacts_and_follow_ups_take_as_many_statements_as_few(customers: Any, importer: Importer) -> None:
    customers.create(customers.organisation.sales, "甲")
    counts: dict[Any, list[int]] = {CONTACTS: [], ACTIVITIES: []}
    for start, count in ((0, 2), (1000, 200)):
        made, changed, noted = (Import(importer) for _ in range(3))
        names = [f"联系人{number}" for number in range(start, start + count)]
        made.write_contacts(*({"name": name, "customer": "甲"} for name in names))
        changed.write_contacts(*({"name": name, "customer": "甲", "position": "经理"} for name in names), update=True)
        noted.write_follow_ups(
            *({"customer": "甲", "content": name, "method": "电话", "at": "2026-11-01 09:00"} for name in names)
        )
        for job, kind in ((changed, CONTACTS), (made, CONTACTS), (noted, ACTIVITIES)):
            with statements_of(customers.database) as found:
                assert told(job.undo(kind=kind)) == [(UNDONE, [])] * count
            counts[kind].append(len(found))
    assert counts[CONTACTS][:2] == counts[CONTACTS][2:]
    assert counts[ACTIVITIES][0] == counts[ACTIVITIES][1]
    assert max(counts[CONTACTS] + counts[ACTIVITIES]) < 30


def test_an_undo_cut_short_at_any_statement_is_repeated_with_the_same_end(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales

    def imported(name: str) -> Import:
        customers.create(sales, name, rating=1, contact={"mobile": "13900139000"})
        job = Import(importer)
        job.write(FULL | {"name": name}, FULL | {"name": f"新{name}"}, update=True)
        return job

    whole = imported("甲")
    with statements_of(customers.database) as found:
        answer = told(whole.undo())
    for number in range(len(found)):
        job = imported(f"乙{number}")
        with failing_at(customers.database, number), suppress(grpc.RpcError):
            job.undo()
        assert told(job.undo()) == answer, found[number]
        restored = read(customers, job.rows[0].record_id)
        assert (restored["rating"], restored["contact"]["mobile"]) == (1, "13900139000"), found[number]
        assert customers.listed(sales, search=f"新乙{number}") == []


def test_what_was_merged_since_stays_until_the_merge_is_undone(customers: Any, job: Import) -> None:
    supervisor = customers.organisation.supervisor
    survivor = customers.create(supervisor, "甲")
    (result,) = job.write(FULL)
    versions = {survivor["id"]: 1, result.record_id: 1}
    body = {"survivor_id": survivor["id"], "loser_ids": [result.record_id], "versions": versions}
    merged = customers.request("POST", "/customers:merge", supervisor, json=body)
    assert merged.status_code == 201, merged.text

    assert told(job.undo()) == [(LEFT, [("", "merged_since")])]


def test_two_undoes_at_once_make_one(customers: Any, job: Import) -> None:
    customers.create(customers.organisation.sales, "甲", rating=1)
    job.write({"name": "甲", "rating": "2"}, *({"name": f"新{number}"} for number in range(20)), update=True)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: told(job.undo()), range(2)))

    assert answers == [[(UNDONE, [])] * 21] * 2
    assert sum(len(message.customers) for message in customers.outbox(CustomerDeleted)) == 20
    assert (
        len(
            customers.request(
                "GET", "/customer/audit?action=customer.import_undone", customers.organisation.admin
            ).json["items"]
        )
        == 1
    )


def test_what_was_changed_between_two_changes_of_a_job_comes_back() -> None:
    from chassis.audit import AuditEntry

    def step(before: Any, after: Any) -> AuditEntry:
        return AuditEntry("x.changed", "x", new_id(), None, {"rating": before}, {"rating": after, "source_job": "j"})

    def found(current: Any, *steps: AuditEntry) -> tuple[Any, int]:
        done = restoration(trail_of(steps, "j"), {"rating": current}, lambda _, value: str(value))
        return done.values.get("rating", current), len(done.problems)

    assert found(3, step(1, 2), step(2, 3)) == (1, 0)
    assert found(3, step(1, 2), step(5, 3)) == (5, 1)
    assert found(4, step(1, 2), step(2, 3)) == (4, 1)
    assert found(1, step(1, 2), step(2, 3)) == (1, 0)


_KEPT = {
    "customers": "id",
    "customer_profiles": "customer_id",
    "customer_tags": "customer_id",
    "customer_search": "customer_id",
    "stars": "customer_id",
    "collaborators": "customer_id",
    "activities": "customer_id",
}
_COUNTED = ("version", "facts_version", "updated_at")


def _everything(customers: Any, ids: Sequence[str]) -> dict[str, Any]:
    """What the tables hold of each customer that is not deleted, but for what counts changes."""
    found: dict[str, Any] = {id_: {} for id_ in ids}
    with customers.database.reading() as session:
        for table, key in _KEPT.items():
            rows = session.execute(text(f"SELECT * FROM {table} WHERE {key} = ANY(CAST(:ids AS uuid[]))"), {"ids": ids})
            for row in rows.mappings():
                kept = {name: value for name, value in row.items() if name not in _COUNTED}
                found[str(row[key])].setdefault(table, []).append(repr(sorted(kept.items(), key=str)))
        people = session.execute(
            select(CustomerContact.customer_id, CustomerContact.is_primary, Contact)
            .join(Contact, Contact.id == CustomerContact.contact_id)
            .where(Contact.deleted_at.is_(None))
        )
        for customer_id, is_primary, contact in people:
            if str(customer_id) in found:
                found[str(customer_id)].setdefault("contacts", []).append(repr((is_primary, contact.values())))
    return {id_: {table: sorted(rows) for table, rows in of.items()} for id_, of in found.items()}


_ACTS = ["edit", "claim", "activity", "star", "tag", "delete"]


def _anything(customers: Any, chance: random.Random, id_: str, tag: str, acts: Sequence[str]) -> None:
    """Somebody does one of these to a customer."""
    sales, path = customers.organisation.sales, f"/customers/{id_}"
    match chance.choice(acts):
        case "edit":
            other = {"rating": chance.choice([1, 2, 3]), "remark": chance.choice(["人写的", "人改的"])}
            touch_up(customers, id_, **other, profile={"website": "person.cn"})
        case "claim":
            _move(customers, id_)
        case "activity":
            body = {"customer_id": id_, "kind": "log", "title": "电话", "content": "谈过"}
            customers.request("POST", "/activities", sales, json=body)
        case "star":
            customers.request("PUT", f"{path}/star", sales, json={"color": "red"})
        case "tag":
            body = {"tag_ids": [] if read(customers, id_)["tags"] else [tag]}
            customers.request("PUT", f"{path}/tags", sales, json=body)
        case "delete":
            version = read(customers, id_)["version"]
            customers.request("DELETE", path, sales, headers={"If_Match": f'"{version}"'})


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_half_of_the_rows_the_other_half_is_as_before(
    customers: Any, job: Import, importer: Importer, seed: int
) -> None:
    chance, tag = random.Random(seed), _tag(customers)
    words = {
        "rating": ["1", "2", "3", ""],
        "remark": ["展会", "电话", ""],
        "province": ["江苏", "浙江", ""],
        "contact.mobile": ["13800138000", "13900139000", ""],
        "contact.position": ["经理", ""],
        "profile.website": ["a.cn", "b.cn", ""],
        "tags": ["大型", ""],
    }

    def row(name: str) -> dict[str, str]:
        return {"name": name} | {field: chance.choice(values) for field, values in words.items()}

    old = [f"旧客户{number}" for number in range(24)]
    before_import = Import(importer)
    before_import.write(*map(row, old))
    known = [one.record_id for one in before_import.rows]
    before = _everything(customers, known)
    job.write(*map(row, old), update=True, clear_empty=chance.random() < 0.5)
    job.write(*(row(f"新客户{number}") for number in range(24)))
    imported = _everything(customers, [one.record_id for one in job.rows])
    touched = set(chance.sample([one.record_id for one in job.rows], 24))

    for id_ in sorted(touched):
        overwritten = id_ in known and before[id_] != imported[id_]
        _anything(customers, chance, id_, tag, ["edit", "delete"] if overwritten else _ACTS)

    by_people = _everything(customers, sorted(touched))
    seen = {id_: read(customers, id_) for id_ in sorted(touched)}
    reverted = dict(zip([one.record_id for one in job.rows], job.undo(), strict=True))

    untouched = [one for one in job.rows if one.record_id not in touched]
    assert {reverted[one.record_id].outcome for one in untouched} == {UNDONE}
    after = _everything(customers, known)
    assert {id_: after[id_] for id_ in known if id_ not in touched} == {
        id_: before[id_] for id_ in known if id_ not in touched
    }
    with customers.database.reading() as session:
        gone = set(map(str, session.scalars(select(Customer.id).where(Customer.deleted_at.is_not(None)))))
    assert {one.record_id for one in untouched if one.created} <= gone
    made = [one.record_id for one in job.rows if one.created and one.record_id in touched]
    assert [(id_, reverted[id_].outcome) for id_ in made] == [(id_, LEFT) for id_ in made]
    assert all(reverted[id_].problems for id_ in made)
    assert _everything(customers, made) == {id_: by_people[id_] for id_ in made}
    for id_ in touched.intersection(known):
        named = {problem.field for problem in reverted[id_].problems}
        assert (reverted[id_].outcome == UNDONE) is (not named)
        for field in named - {""}:
            assert _value(read(customers, id_), field) == _value(seen[id_], field)
    assert dict(zip([one.record_id for one in job.rows], job.undo(), strict=True)) == reverted


def _value(customer: Any, field: str) -> Any:
    for part in field.split("."):
        customer = customer[part]
    return customer
