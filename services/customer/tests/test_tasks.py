"""Tasks: what may be asked of whom, who sees and does what with it, and who is told."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from chassis.clock import now
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.customers.model import Customer
from crm_customer.tasks.rules import (
    CLOSED,
    Act,
    People,
    Standing,
    Status,
    acts_open_to,
    may,
    not_theirs,
    standing_of,
    wrong_moments,
)
from directory import store


class Tasks:
    """Gives tasks and asks about them."""

    def __init__(self, customers: Any) -> None:
        self.customers = customers
        self.organisation = customers.organisation

    def ask(self, member: Any, headers: Any = None, **body: Any) -> Any:
        """The response to giving a task."""
        given = {"subject": "回访老客户", "kind": "call"} | body
        return self.customers.request("POST", "/tasks", member, json=given, headers=headers or {})

    def give(self, member: Any, **body: Any) -> Any:
        """A task that was given."""
        reply = self.ask(member, **body)
        assert reply.status_code == 201, reply.text
        return reply.json

    def act(self, member: Any, task: Any, verb: str, **body: Any) -> Any:
        more = {"json": body} if verb in ("complete", "end") else {}
        return self.customers.request("POST", f"/tasks/{task['id']}:{verb}", member, **more)

    def read(self, member: Any, task: Any) -> Any:
        return self.customers.request("GET", f"/tasks/{task['id']}", member)

    def patch(self, member: Any, task: Any, **changes: Any) -> Any:
        headers = {"If_Match": f'"{task["version"]}"'}
        return self.customers.request("PATCH", f"/tasks/{task['id']}", member, json=changes, headers=headers)

    def delete(self, member: Any, task: Any) -> int:
        headers = {"If_Match": f'"{task["version"]}"'}
        return int(self.customers.request("DELETE", f"/tasks/{task['id']}", member, headers=headers).status_code)

    def listed(self, member: Any, **query: Any) -> list[str]:
        """Subjects of a list, which counts them right."""
        reply = self.customers.request("GET", "/tasks", member, query_string={"page_size": 200, **query})
        assert reply.status_code == 200, reply.text
        assert reply.json["total"] == len(reply.json["items"])
        return [item["subject"] for item in reply.json["items"]]

    def told(self) -> list[tuple[int, set[str]]]:
        """What was told about tasks, and to whom."""
        return [(one.act, set(one.receiver_ids)) for one in self.customers.outbox(pb.TaskChanged)]

    def leave(self, member: Any) -> None:
        """The member leaves the organisation."""
        state = self.organisation.member_state(member, version=9)
        state.active = False
        with self.customers.database.transaction() as session:
            store.store_members(session, [state])


@pytest.fixture
def tasks(customers: Any) -> Tasks:
    return Tasks(customers)


def _at(**ahead: float) -> str:
    return (now() + timedelta(**ahead)).isoformat()


def test_a_task_with_a_subject_alone_is_ones_own(tasks: Tasks) -> None:
    """F-20."""
    sales = tasks.organisation.sales

    made = tasks.give(sales, subject=" 整理名片 ", kind="other")

    assert made.items() >= {"subject": "整理名片", "status": "open", "progress": 0, "priority": "normal"}.items()
    person = {"id": str(sales.id), "name": "张三", "active": True}
    assert made["issuer"] == made["owner"] == made["handler"] == person
    assert made["may"] == ["change", "start", "complete", "end", "delete"]
    assert (made["customer"], made["overdue"]) == (None, False)
    assert tasks.read(sales, made).json == made
    assert tasks.told() == []


def test_whoever_gets_a_task_is_told_and_reads_the_name_of_a_customer_they_do_not_see(tasks: Tasks) -> None:
    organisation = tasks.organisation
    customer = tasks.customers.create(organisation.sales)
    due = _at(days=3)

    made = tasks.give(
        organisation.sales,
        customer_id=customer["id"],
        handler_id=str(organisation.rival.id),
        owner_id=str(organisation.colleague.id),
        due_at=due,
    )

    (told,) = tasks.customers.outbox(pb.TaskChanged)
    assert (told.task_id, told.act, told.customer_name) == (made["id"], pb.TASK_ACT_ASSIGNED, customer["name"])
    assert {*told.receiver_ids} == {str(organisation.rival.id), str(organisation.colleague.id)}
    assert told.due_at.ToDatetime(UTC) == datetime.fromisoformat(due)
    name = {"id": customer["id"], "name": customer["name"]}
    assert tasks.read(organisation.sales, made).json["customer"] == name | {"visible": True}
    assert tasks.read(organisation.rival, made).json["customer"] == name | {"visible": False}
    assert tasks.customers.request("GET", f"/customers/{customer['id']}", organisation.rival).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"subject": "  "}, "/subject", "string_too_short"),
        ({"subject": "字" * 101}, "/subject", "string_too_long"),
        ({"description": "字" * 2001}, "/description", "string_too_long"),
        ({"kind": "dance"}, "/kind", "enum"),
        ({"due_at": "2026-11-01T00:00:00Z"}, "/due_at", "moment_past"),
        ({"due_at": "2027-11-01T00:00:00"}, "/due_at", "timezone_aware"),
        ({"due_at": "9999-12-31T23:59:59-12:00"}, "/due_at", "day_out_of_range"),
        ({"remind_at": "2026-11-01T00:00:00Z"}, "/remind_at", "moment_past"),
        (
            {"due_at": "2150-01-01T00:00:00Z", "remind_at": "2150-01-01T00:00:01Z"},
            "/remind_at",
            "reminds_after_due",
        ),
        ({"handler_id": str(new_id())}, "/handler_id", "member_inactive"),
        ({"owner_id": str(new_id())}, "/owner_id", "member_inactive"),
        ({"customer_id": str(new_id())}, "/customer_id", "customer_not_found"),
        ({"status": "done"}, "/status", "extra_forbidden"),
    ],
)
def test_a_wrong_task_is_refused_by_the_name_of_its_field(tasks: Tasks, body: Any, pointer: str, code: str) -> None:
    reply = tasks.ask(tasks.organisation.sales, **body)

    assert reply.status_code == 422, reply.text
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


def test_nobody_gets_a_task_after_leaving(tasks: Tasks) -> None:
    tasks.leave(tasks.organisation.colleague)

    refused = tasks.ask(tasks.organisation.sales, handler_id=str(tasks.organisation.colleague.id))

    assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [
        ("/handler_id", "member_inactive")
    ]


def test_a_task_is_given_only_about_a_customer_that_one_may_change(tasks: Tasks) -> None:
    organisation = tasks.organisation
    customer = tasks.customers.create(organisation.sales)
    share = {"collaborators": [{"member_id": str(organisation.rival.id), "access": "read"}]}
    path = f"/customers/{customer['id']}/collaborators"

    hidden = tasks.ask(organisation.rival, customer_id=customer["id"])
    tasks.customers.request("POST", path, organisation.sales, json=share)
    read_only = tasks.ask(organisation.rival, customer_id=customer["id"])
    tasks.customers.move(customer, 2, Place(pool_id=str(tasks.customers.open_pool)))
    pooled = tasks.ask(organisation.sales, customer_id=customer["id"])

    assert hidden.json["errors"][0]["code"] == "customer_not_found"
    assert (read_only.status_code, read_only.json["code"]) == (403, "read_only_collaborator")
    assert (pooled.status_code, pooled.json["code"]) == (409, "claim_first")
    assert tasks.ask(organisation.supervisor, customer_id=customer["id"]).status_code == 201


def test_the_same_request_again_gives_one_task(tasks: Tasks) -> None:
    first, again = (tasks.ask(tasks.organisation.sales, headers={"Idempotency_Key": "a"}) for _ in range(2))

    assert first.json == again.json
    assert tasks.listed(tasks.organisation.sales) == ["回访老客户"]


ME, OTHER, THIRD = new_id(), new_id(), new_id()
_OPEN_TO = {
    Standing.READER: "",
    Standing.HANDLER: "change start complete",
    Standing.OWNER: "change start complete end",
    Standing.ISSUER: "change start complete end delete",
}


@pytest.mark.parametrize(
    ("people", "overseen", "standing"),
    [
        ((ME, OTHER, OTHER), (), Standing.ISSUER),
        ((OTHER, ME, OTHER), (), Standing.OWNER),
        ((OTHER, OTHER, ME), (), Standing.HANDLER),
        ((OTHER, ME, ME), (), Standing.OWNER),
        ((OTHER, OTHER, OTHER), (), Standing.READER),
        ((OTHER, THIRD, THIRD), (OTHER,), Standing.ISSUER),
        ((OTHER, THIRD, ME), (THIRD,), Standing.OWNER),
        ((OTHER, OTHER, THIRD), (THIRD,), Standing.OWNER),
    ],
)
def test_who_is_what_to_a_task_and_may_do_what(people: Any, overseen: Any, standing: Standing) -> None:
    assert standing_of(ME, People(*people), overseen) is standing
    assert acts_open_to(standing, Status.OPEN, closed_it=False) == [Act(act) for act in _OPEN_TO[standing].split()]


@given(st.sampled_from(Standing), st.sampled_from(Status), st.booleans())
def test_nothing_is_open_that_may_not_be_done_and_closed_tasks_are_reopened_first(
    standing: Standing, status: Status, closed_it: bool
) -> None:
    offered = acts_open_to(standing, status, closed_it=closed_it)

    assert all(may(act, standing, closed_it=closed_it) for act in offered)
    assert (Act.REOPEN in offered) == (status in CLOSED and may(Act.REOPEN, standing, closed_it=closed_it))
    assert status not in CLOSED or {*offered} <= {Act.REOPEN, Act.DELETE}


@pytest.mark.parametrize(
    ("standing", "theirs"),
    [
        (Standing.HANDLER, {"progress", "description", "remind_at"}),
        (Standing.OWNER, {"progress", "description", "remind_at", "handler_id"}),
        (
            Standing.ISSUER,
            {"progress", "description", "remind_at", "handler_id", "owner_id", "subject", "kind", "priority", "due_at"},
        ),
    ],
)
def test_what_is_asked_for_is_the_issuers_and_how_far_it_is_the_handlers(standing: Standing, theirs: set[str]) -> None:
    everything = {
        "progress",
        "description",
        "remind_at",
        "handler_id",
        "owner_id",
        "subject",
        "kind",
        "priority",
        "due_at",
    }

    assert not_theirs(everything, standing) == sorted(everything - theirs)


@given(st.integers(-5, 5), st.integers(-5, 5), st.sets(st.sampled_from(["due_at", "remind_at"])))
def test_what_was_said_before_may_have_passed_and_what_is_said_now_not(
    due: int, remind: int, changed: set[str]
) -> None:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    moments = {"due_at": at + timedelta(hours=due), "remind_at": at + timedelta(hours=remind)}

    wrong = [(error.pointer[1:], error.code) for error in wrong_moments(**moments, changed=changed, now=at)]

    assert {name for name, code in wrong if code == "moment_past"} == {one for one in changed if moments[one] <= at}
    assert (("remind_at", "reminds_after_due") in wrong) == (bool(changed) and remind > due)


def test_each_changes_what_is_theirs_and_the_first_progress_starts_it(tasks: Tasks) -> None:
    organisation = tasks.organisation
    people = {"handler_id": str(organisation.rival.id), "owner_id": str(organisation.colleague.id)}
    task = tasks.give(organisation.sales, **people)

    refused = tasks.patch(organisation.rival, task, subject="别的", progress=10)
    by_handler = tasks.patch(organisation.rival, task, progress=40, description="已联系两家")
    handed_on = tasks.patch(organisation.colleague, by_handler.json, handler_id=str(organisation.admin.id))
    wanted = {"subject": "改过", "priority": "high", "due_at": _at(days=1), "description": " "}
    by_issuer = tasks.patch(organisation.sales, handed_on.json, **wanted)

    assert (refused.status_code, refused.json["code"]) == (403, "task_field_not_yours")
    assert [error["pointer"] for error in refused.json["errors"]] == ["/subject"]
    assert (by_handler.json["status"], by_handler.json["progress"]) == ("in_progress", 40)
    assert handed_on.json["handler"]["name"] == "管理员"
    assert (by_issuer.status_code, by_issuer.json["version"], by_issuer.json["subject"]) == (200, 4, "改过")
    assert by_issuer.json["description"] is None
    assert tasks.read(organisation.rival, task).status_code == 404


def test_whoever_gets_a_task_and_whoever_loses_it_are_told_and_who_hands_it_on_is_not(tasks: Tasks) -> None:
    organisation = tasks.organisation
    sales, rival, colleague = (str(one.id) for one in (organisation.sales, organisation.rival, organisation.colleague))
    task = tasks.give(organisation.sales, handler_id=rival)

    # The former handler answers for it still, then hands over that, too; the last one gets what they answer for to do.
    handed_on = tasks.patch(organisation.sales, task, handler_id=colleague).json
    left = tasks.patch(organisation.sales, handed_on, owner_id=sales).json
    tasks.patch(organisation.colleague, tasks.give(organisation.colleague, owner_id=rival), handler_id=rival)

    assert left["handler"]["id"] == colleague
    assert tasks.told()[1:] == [
        (pb.TASK_ACT_ASSIGNED, {colleague}),
        (pb.TASK_ACT_HANDED_ON, {rival}),
        (pb.TASK_ACT_HANDED_ON, {rival}),
        (pb.TASK_ACT_ASSIGNED, {rival}),
        (pb.TASK_ACT_ASSIGNED, {rival}),
    ]


def test_a_change_on_top_of_another_names_what_clashes(tasks: Tasks) -> None:
    sales = tasks.organisation.sales
    task = tasks.give(sales)
    tasks.patch(sales, task, subject="先改的", priority="low")

    stale = tasks.patch(sales, task, subject="后改的", kind="visit")
    unsaid = tasks.customers.request("PATCH", f"/tasks/{task['id']}", sales, json={"subject": "无版本"})
    same = tasks.patch(sales, tasks.read(sales, task).json, subject="先改的")

    assert (stale.status_code, stale.json["version"]) == (412, 2)
    assert stale.json["conflicts"] == [{"field": "subject", "current": "先改的", "yours": "后改的"}]
    assert unsaid.status_code == 428
    assert same.json["version"] == 2


@pytest.mark.parametrize("field", ["subject", "kind", "priority", "owner_id", "handler_id", "progress"])
def test_what_every_task_has_is_not_cleared(tasks: Tasks, field: str) -> None:
    refused = tasks.patch(tasks.organisation.sales, tasks.give(tasks.organisation.sales), **{field: None})

    assert [error["pointer"] for error in refused.json["errors"]] == [f"/{field}"]


def test_a_task_goes_from_open_to_done_and_back(tasks: Tasks) -> None:
    organisation = tasks.organisation
    task = tasks.give(
        organisation.sales, handler_id=str(organisation.rival.id), owner_id=str(organisation.colleague.id)
    )

    started = [tasks.act(organisation.rival, task, "start").json["version"] for _ in range(2)]
    done = tasks.act(organisation.rival, task, "complete", note="都联系上了").json
    again = tasks.act(organisation.rival, task, "complete")
    edited = tasks.patch(organisation.sales, done, subject="太晚")
    reopened = tasks.act(organisation.rival, task, "reopen").json
    open_already = tasks.act(organisation.sales, task, "reopen")

    assert started == [2, 2]
    assert (done["status"], done["progress"], done["close_note"]) == ("done", 100, "都联系上了")
    assert done["closed_by"] == {"id": str(organisation.rival.id), "name": "王五"}
    assert done["may"] == ["reopen"]
    assert again.json["code"] == edited.json["code"] == "task_closed"
    assert (reopened["status"], reopened["closed_at"], reopened["close_note"]) == ("open", None, None)
    assert (open_already.status_code, open_already.json["code"]) == (409, "task_not_closed")
    assert tasks.told()[1:] == [
        (pb.TASK_ACT_COMPLETED, {str(organisation.sales.id), str(organisation.colleague.id)}),
    ]


def test_issuer_and_owner_end_a_task_and_the_handler_does_not(tasks: Tasks) -> None:
    """F-29."""
    organisation = tasks.organisation
    task = tasks.give(
        organisation.sales, handler_id=str(organisation.rival.id), owner_id=str(organisation.colleague.id)
    )

    refused = tasks.act(organisation.rival, task, "end")
    ended = tasks.act(organisation.colleague, task, "end", note="客户倒闭")

    assert (refused.status_code, refused.json["code"]) == (403, "task_not_yours")
    assert (ended.json["status"], ended.json["close_note"]) == ("ended", "客户倒闭")
    assert tasks.act(organisation.rival, task, "reopen").status_code == 403
    assert tasks.told()[1:] == [(pb.TASK_ACT_ENDED, {str(organisation.sales.id), str(organisation.rival.id)})]


def test_completing_a_plan_logs_the_follow_up_in_the_same_moment(tasks: Tasks) -> None:
    """F-17."""
    sales = tasks.organisation.sales
    customer = tasks.customers.create(sales)
    task = tasks.give(sales, customer_id=customer["id"], kind="follow_up")

    wrong = tasks.act(sales, task, "complete", follow_up={"method": "鸿雁", "content": "看了样品"})
    done = tasks.act(sales, task, "complete", follow_up={"method": "phone", "content": "看了样品"})

    assert [error["pointer"] for error in wrong.json["errors"]] == ["/follow_up/method"]
    assert done.json["status"] == "done"
    (logged,) = tasks.customers.request("GET", "/activities", sales, query_string={"customer_id": customer["id"]}).json[
        "items"
    ]
    assert (logged["method"], logged["content"], logged["at"][:23]) == (
        "phone",
        "看了样品",
        done.json["closed_at"][:23],
    )
    touched = tasks.customers.request("GET", f"/customers/{customer['id']}", sales).json["last_touch_at"]
    assert touched == logged["at"]


def test_a_follow_up_needs_a_customer_that_the_handler_sees(tasks: Tasks) -> None:
    organisation = tasks.organisation
    customer = tasks.customers.create(organisation.sales)
    handler = str(organisation.rival.id)
    unseen = tasks.give(organisation.sales, customer_id=customer["id"], handler_id=handler)
    alone = tasks.give(organisation.sales, handler_id=handler)
    written = {"method": "phone", "content": "聊了聊"}

    replies = [tasks.act(organisation.rival, task, "complete", follow_up=written) for task in (unseen, alone)]

    codes = [[(error["pointer"], error["code"]) for error in reply.json["errors"]] for reply in replies]
    assert codes == [[("/follow_up", "customer_not_found")], [("/follow_up", "task_without_customer")]]
    assert tasks.act(organisation.rival, unseen, "complete").json["status"] == "done"


def test_only_the_issuer_and_whoever_sees_their_department_deletes(tasks: Tasks) -> None:
    """F-21."""
    organisation = tasks.organisation
    handler = str(organisation.rival.id)
    task, other = (tasks.give(organisation.sales, handler_id=handler) for _ in range(2))

    assert tasks.delete(organisation.rival, task) == 403
    assert tasks.delete(organisation.rival_supervisor, task) == 403
    assert tasks.delete(organisation.sales, task | {"version": 7}) == 412
    assert tasks.delete(organisation.sales, task) == tasks.delete(organisation.supervisor, other) == 204
    assert tasks.read(organisation.sales, task).status_code == 404
    assert tasks.listed(organisation.rival) == []


def test_each_list_has_its_own_and_supervisors_see_what_their_departments_do(tasks: Tasks) -> None:
    """X-38."""
    organisation = tasks.organisation
    sales, rival = organisation.sales, organisation.rival
    tasks.give(sales, subject="给王五", handler_id=str(rival.id))
    tasks.give(sales, subject="我负责", handler_id=str(rival.id), owner_id=str(sales.id))
    tasks.give(rival, subject="王五自己")

    lists = {name: tasks.listed(sales, list=name) for name in ("todo", "issued", "responsible", "supervised")}
    seen = {
        name: set(tasks.listed(organisation.members[name], list="supervised"))
        for name in ("supervisor", "rival_supervisor", "colleague", "operations", "admin")
    }

    assert lists == {"todo": [], "issued": ["给王五", "我负责"], "responsible": ["我负责"], "supervised": []}
    everything = {"给王五", "我负责", "王五自己"}
    assert seen == {
        "supervisor": {"给王五", "我负责"},
        "rival_supervisor": everything,
        "colleague": set(),
        "operations": everything,
        "admin": everything,
    }
    assert tasks.listed(rival) == ["给王五", "我负责", "王五自己"]


def test_a_customers_tasks_are_listed_to_whoever_sees_it(tasks: Tasks) -> None:
    organisation = tasks.organisation
    customer = tasks.customers.create(organisation.sales)
    task = tasks.give(organisation.admin, customer_id=customer["id"], handler_id=str(organisation.rival.id))

    assert tasks.listed(organisation.sales, customer_id=customer["id"]) == ["回访老客户"]
    read = tasks.read(organisation.sales, task).json
    assert read["may"] == []
    assert tasks.act(organisation.sales, task, "complete").json["code"] == "task_not_yours"
    hidden = tasks.customers.request("GET", "/tasks", organisation.rival, query_string={"customer_id": customer["id"]})
    assert hidden.status_code == 404
    assert tasks.read(organisation.colleague, task).status_code == 404


def test_a_list_begins_with_what_is_due_first_and_narrows(tasks: Tasks) -> None:
    sales = tasks.organisation.sales
    tasks.give(sales, subject="无期限", kind="other")
    tasks.give(sales, subject="后天", due_at=_at(days=2), priority="high")
    tasks.give(sales, subject="一小时", due_at=_at(hours=1))
    started = tasks.give(sales, subject="百分之五十%_", due_at=_at(hours=2), kind="visit")
    tasks.act(sales, started, "start")
    ended = tasks.give(sales, subject="结束的", due_at=_at(minutes=30))
    tasks.act(sales, ended, "end")

    assert tasks.listed(sales, closed="false") == ["一小时", "百分之五十%_", "后天", "无期限"]
    assert tasks.listed(sales) == ["结束的", "一小时", "百分之五十%_", "后天", "无期限"]
    assert tasks.listed(sales, closed="true") == tasks.listed(sales, status="ended") == ["结束的"]
    assert tasks.listed(sales, status="ended", closed="false") == []
    assert tasks.listed(sales, kind="visit") == tasks.listed(sales, search="%_") == ["百分之五十%_"]
    assert tasks.listed(sales, priority="high") == ["后天"]
    assert tasks.listed(sales, due_from=_at(days=2)[:10], due_to="2199-12-31") == ["后天"]
    assert tasks.listed(sales, handler_id=str(tasks.organisation.rival.id)) == []
    page = tasks.customers.request("GET", "/tasks", sales, query_string={"page": 2, "page_size": 2}).json
    assert ([item["subject"] for item in page["items"]], page["total"]) == (["百分之五十%_", "后天"], 5)


def test_what_is_overdue_says_so_until_it_is_closed(tasks: Tasks) -> None:
    from crm_customer.tasks.model import Task

    sales = tasks.organisation.sales
    late, closed = tasks.give(sales, subject="逾期"), tasks.give(sales, subject="完成")
    tasks.act(sales, closed, "complete")
    with tasks.customers.database.transaction() as session:
        session.execute(update(Task).values(due_at=now() - timedelta(hours=1)))

    assert tasks.listed(sales, overdue="true") == ["逾期"]
    assert [tasks.read(sales, task).json["overdue"] for task in (late, closed)] == [True, False]


def test_a_deleted_customer_takes_its_tasks_out_of_sight(tasks: Tasks) -> None:
    sales = tasks.organisation.sales
    customer = tasks.customers.create(sales)
    task = tasks.give(sales, customer_id=customer["id"])

    headers = {"If_Match": '"1"'}
    tasks.customers.request("DELETE", f"/customers/{customer['id']}", sales, headers=headers)
    gone = (tasks.read(sales, task).status_code, tasks.listed(sales), tasks.listed(tasks.organisation.admin))
    tasks.customers.request("POST", f"/customers/{customer['id']}:restore", sales)

    assert gone == (404, [], [])
    assert tasks.listed(sales) == ["回访老客户"]


def test_tasks_stay_when_the_customer_goes_to_a_pool_and_are_listed_to_the_supervisor(tasks: Tasks) -> None:
    """Design §3."""
    sales = tasks.organisation.sales
    customer = tasks.customers.create(sales)
    task = tasks.give(sales, customer_id=customer["id"])

    tasks.customers.move(customer, 2, Place(pool_id=str(tasks.customers.hidden_pool)))

    assert tasks.read(sales, task).json["customer"] == {
        "id": customer["id"],
        "name": customer["name"],
        "visible": False,
    }
    tasks.give(sales, subject="别的", customer_id=tasks.customers.create(sales)["id"])
    assert tasks.listed(tasks.organisation.supervisor, list="supervised", in_pool="true") == ["回访老客户"]


def test_what_a_leaver_had_to_do_is_listed_to_the_supervisor_who_hands_it_on(tasks: Tasks) -> None:
    """Design §3."""
    organisation = tasks.organisation
    task = tasks.give(organisation.admin, handler_id=str(organisation.sales.id), owner_id=str(organisation.admin.id))
    tasks.give(organisation.admin, subject="别人的", handler_id=str(organisation.colleague.id))
    tasks.leave(organisation.sales)

    left = tasks.listed(organisation.supervisor, list="supervised", handler_left="true")
    handed_on = tasks.patch(organisation.supervisor, task, handler_id=str(organisation.colleague.id))

    assert left == ["回访老客户"]
    assert handed_on.json["handler"]["name"] == "李四"
    assert tasks.listed(organisation.supervisor, list="supervised", handler_left="true") == []


def test_a_customer_that_its_owner_has_locked_has_no_name_in_others_tasks(tasks: Tasks) -> None:
    """H-17."""
    organisation = tasks.organisation
    customer = tasks.customers.create(organisation.sales)
    task = tasks.give(organisation.sales, customer_id=customer["id"], handler_id=str(organisation.colleague.id))
    with tasks.customers.database.transaction() as session:
        session.execute(
            update(Customer)
            .where(Customer.id == UUID(customer["id"]))
            .values(locked_at=now(), locked_by=organisation.sales.id)
        )

    assert tasks.read(organisation.colleague, task).json["customer"] is None
    assert tasks.read(organisation.sales, task).json["customer"]["name"] == customer["name"]
    tasks.act(organisation.colleague, task, "complete")
    assert [one.customer_name for one in tasks.customers.outbox(pb.TaskChanged)] == [customer["name"], ""]


def test_every_change_is_in_the_audit(tasks: Tasks) -> None:
    sales = tasks.organisation.sales
    task = tasks.give(sales)
    tasks.patch(sales, task, progress=30)
    for verb in ("complete", "reopen", "end"):
        tasks.act(sales, task, verb)
    query = {"subject_type": "task", "subject_id": task["id"]}

    entries = tasks.customers.request("GET", "/customer/audit", tasks.organisation.admin, query_string=query).json[
        "items"
    ]

    assert [entry["action"] for entry in entries] == [
        "task.ended",
        "task.reopened",
        "task.completed",
        "task.changed",
        "task.created",
    ]
    assert (entries[3]["before"], entries[3]["after"]) == (
        {"version": 1, "progress": 0},
        {"version": 2, "progress": 30},
    )
