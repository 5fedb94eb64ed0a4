"""Acts on all customers that match a filter: frozen, worked page by page, told of once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.records import HistoryEntry

VERBS = ["claim", "assign", "transfer", "release", "move"]


def _matching(sea: Any, customer: Any, member: Any, count: int, **place: Any) -> list[str]:
    """Customers that a selection of `member` finds."""
    customer.visible[str(member.id)] = ids = sea.create(count, **place)
    return ids


def _body(sea: Any, verb: str) -> dict[str, Any]:
    member_id, pool_id = str(sea.organisation.colleague.id), str(sea.default("to_be_assigned"))
    bodies = {"assign": {"member_ids": [member_id]}, "transfer": {"member_id": member_id}, "move": {"pool_id": pool_id}}
    return bodies.get(verb, {})


def _codes(sea: Any, reply: Any, outcome: str) -> Counter[str]:
    """The codes of the items of one outcome."""
    path, codes = reply.headers["Location"].removeprefix("/api/v1"), Counter[str]()
    for page in range(1, 5):
        items = sea.send("GET", f"{path}/items?outcome={outcome}&page={page}&page_size=200", sea.organisation.admin)
        codes.update(item["code"] for item in items.json["items"])
    return codes


def _fail_after_effect(sea: Any, statement: str) -> None:
    """Let the next page's transaction meet `statement` when its effects are written and its results are not."""
    with sea.opened.database.transaction() as session:
        session.execute(
            text(
                "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN {statement}; RETURN NULL; END $$"
            )
        )
        session.execute(
            text("CREATE TRIGGER fail AFTER INSERT ON assignment_history FOR EACH STATEMENT EXECUTE FUNCTION fail()")
        )


def _heal(sea: Any) -> None:
    with sea.opened.database.transaction() as session:
        session.execute(text("DROP TRIGGER fail ON assignment_history"))


def test_450_customers_go_to_three_members_in_turn_over_several_pages_and_one_notice_is_due(
    sea: Any, customer: Any
) -> None:
    supervisor, former = sea.organisation.supervisor, sea.organisation.colleague
    chosen = [sea.organisation.sales, sea.hire("赵六"), sea.hire("孙七")]
    ids = _matching(sea, customer, supervisor, 440, pool=sea.default("to_be_assigned"))
    ids += sea.create(10, owner=former)

    reply = sea.select("assign", supervisor, member_ids=[str(member.id) for member in chosen])
    told = []
    while sea.work():
        told.append(len(sea.opened.outbox(events.AssignmentBatchFinished)))

    assert (reply.status_code, reply.json["status"], reply.json["total"]) == (202, "running", 450)
    assert told == [0, 0, 1]
    owners = sea.owners()
    assert [owners[one] for one in ids] == [chosen[place % 3].id for place in range(450)]
    (finished,) = sea.opened.outbox(events.AssignmentBatchFinished)
    assert (finished.batch_id, finished.cause) == (reply.json["batch_id"], events.CAUSE_ASSIGN)
    assert (finished.succeeded, finished.skipped, finished.notice.in_app) == (450, 0, True)
    assert {one.member_id: one.customers for one in finished.receivers} == {str(one.id): 150 for one in chosen}
    assert [(one.member_id, one.customers) for one in finished.former_owners] == [(str(former.id), 10)]
    pages = [
        message for message in sea.opened.outbox(events.AssignmentsChanged) if message.cause == events.CAUSE_ASSIGN
    ]
    assert [len(page.changes) for page in pages] == [200, 200, 50]
    assert {page.batch_id for page in pages} == {reply.json["batch_id"]}
    assert [state.customer_id for state in customer.applied] == ids
    assert sea.batch(reply, supervisor)["status"] == "finished"


def test_the_turn_of_a_page_begins_with_whoever_got_fewest_when_some_were_skipped_before(
    sea: Any, customer: Any
) -> None:
    supervisor, sales, colleague = sea.organisation.supervisor, sea.organisation.sales, sea.organisation.colleague
    sea.set_holding_cap(150)
    _matching(sea, customer, supervisor, 200, owner=sales)
    customer.visible[str(supervisor.id)] += sea.create(300)

    reply = sea.select("assign", supervisor, member_ids=[str(sales.id), str(colleague.id)])
    sea.finish()

    received = Counter(sea.owners().values())
    assert (received[sales.id], received[colleague.id]) == (150, 150)
    assert _codes(sea, reply, "skipped") == {"holding_cap_reached": sea.batch(reply)["skipped"]}


def test_two_workers_share_a_batch_and_the_turn_stays_fair(sea: Any, customer: Any) -> None:
    supervisor = sea.organisation.supervisor
    chosen = [sea.organisation.sales.id, sea.organisation.colleague.id, sea.hire("赵六").id]
    _matching(sea, customer, supervisor, 900)
    reply = sea.select("assign", supervisor, member_ids=list(map(str, chosen)))

    with ThreadPoolExecutor(2) as workers:
        for worker in [workers.submit(sea.finish) for _ in range(2)]:
            worker.result()
    sea.finish()

    assert Counter(sea.owners().values()) == dict.fromkeys(chosen, 300)
    assert sea.batch(reply)["done"] == 900
    assert [one.succeeded for one in sea.opened.outbox(events.AssignmentBatchFinished)] == [900]


def test_the_document_says_that_a_verb_answers_at_once_or_accepts(sea: Any) -> None:
    document = sea.opened.client.get("/api/v1/pool/openapi.json").json

    for verb in VERBS:
        replies = document["paths"][f"/api/v1/assignments:{verb}"]["post"]["responses"]
        assert replies["200"]["content"] == replies["202"]["content"]
        assert "Location" in replies["202"]["headers"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_works_a_selection_and_repeats_its_reply_for_one_idempotency_key(
    sea: Any, customer: Any, verb: str
) -> None:
    supervisor = sea.organisation.supervisor
    place = {"owner": sea.organisation.sales} if verb in ("transfer", "release") else {}
    ids = _matching(sea, customer, supervisor, 3, **place)
    once = {"Idempotency_Key": "once"}

    first = sea.select(verb, supervisor, headers=once, **_body(sea, verb))
    customer.away = True
    again = sea.select(verb, supervisor, headers=once, **_body(sea, verb))
    customer.away = False
    sea.finish()

    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.json, again.headers["Location"]) == (first.json, first.headers["Location"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [[entry.cause for entry in sea.history(one)] for one in ids] == [["birth", verb]] * 3
    counts = {one.cause: one.succeeded for one in sea.opened.outbox(events.AssignmentBatchFinished)}
    assert counts == {events.Cause.Value(f"CAUSE_{verb.upper()}"): 3}


@pytest.mark.parametrize(
    "failure",
    ["PERFORM pg_terminate_backend(pg_backend_pid())", "RAISE EXCEPTION 'met' USING ERRCODE = '40P01'"],
    ids=["connection lost", "deadlock"],
)
def test_a_batch_goes_on_after_a_crash_without_doing_a_customer_twice(sea: Any, customer: Any, failure: str) -> None:
    sales = sea.organisation.sales
    ids = _matching(sea, customer, sales, 210)
    reply = sea.select("claim", sales)
    sea.work()

    _fail_after_effect(sea, failure)
    assert sea.work() is False
    assert (sea.batch(reply)["done"], sea.batch(reply)["pending"]) == (200, 10)
    _heal(sea)
    sea.finish()

    assert sea.batch(reply)["done"] == 210
    assert set(sea.owners().values()) == {sales.id}
    assert Counter(str(entry.customer_id) for entry in sea.rows(HistoryEntry)) == dict.fromkeys(ids, 2)
    assert len(sea.ledger()) == 210
    (finished,) = sea.opened.outbox(events.AssignmentBatchFinished)
    assert (finished.succeeded, finished.skipped) == (210, 0)


def test_a_cancelled_batch_leaves_the_rest_untouched_and_tells_what_was_done(sea: Any, customer: Any) -> None:
    sales, rival = sea.organisation.sales, sea.organisation.rival
    ids = _matching(sea, customer, sales, 230)
    reply = sea.select("claim", sales)
    sea.work()
    path = reply.headers["Location"].removeprefix("/api/v1")

    foreign = [sea.send("GET", path, rival), sea.send("POST", f"{path}:cancel", rival)]
    cancelled = sea.send("POST", f"{path}:cancel", sales)
    sea.finish()

    assert [one.status_code for one in foreign] == [404, 404]
    assert (cancelled.json["status"], sea.batch(reply, sales)["status"]) == ("cancelling", "cancelled")
    owners = sea.owners()
    assert [owners[one] for one in ids] == [sales.id] * 200 + [None] * 30
    (finished,) = sea.opened.outbox(events.AssignmentBatchFinished)
    assert (finished.succeeded, finished.skipped) == (200, 30)
    items = sea.send("GET", f"{path}/items?outcome=skipped", sales).json
    assert (items["total"], items["items"][0]["message"]) == (30, "批量操作已取消，该条未处理")


def test_what_is_left_is_skipped_once_the_actor_has_left_or_lost_the_right(sea: Any, customer: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    left = sea.hire("钱八", role="supervisor")
    for member in (sales, left):
        _matching(sea, customer, member, 205)
    replies = [sea.select("claim", sales), sea.select("assign", left, member_ids=[str(colleague.id)])]
    sea.work()

    sea.change_role("sales", without="pool.claim")
    sea.dismiss(left)
    sea.finish()

    assert [_codes(sea, reply, "skipped") for reply in replies] == [{"forbidden": 5}, {"actor_inactive": 5}]
    assert Counter(sea.owners().values()) == {sales.id: 200, colleague.id: 200, None: 10}


def test_customers_outside_the_scope_are_neither_found_nor_changed(sea: Any, customer: Any) -> None:
    supervisor, rival = sea.organisation.supervisor, sea.organisation.rival
    mine = _matching(sea, customer, supervisor, 2, owner=sea.organisation.sales)
    foreign = _matching(sea, customer, sea.organisation.rival_supervisor, 2, owner=rival)
    sea.select("release", supervisor)
    sea.finish()
    assert sea.owners_of(mine + foreign) == [None, None, rival.id, rival.id]

    customer.visible[str(supervisor.id)] = foreign
    moved_meanwhile = sea.select("release", supervisor)
    sea.finish()

    assert _codes(sea, moved_meanwhile, "skipped") == {"not_found": 2}
    assert sea.owners_of(foreign) == [rival.id, rival.id]


@pytest.mark.parametrize("verb", VERBS)
def test_either_ids_or_a_selection_are_given_and_whoever_lacks_the_right_starts_nothing(
    sea: Any, customer: Any, verb: str
) -> None:
    admin, body = sea.organisation.admin, _body(sea, verb)
    both = sea.act(verb, admin, sea.create(), selection={"filter": {}}, **body)
    neither = sea.send("POST", f"/assignments:{verb}", admin, body, Accept_Language="en")
    service = sea.hire("无权", role="sales")
    sea.change_role("sales", without=f"pool.{'assign' if verb == 'move' else verb}")

    refused = sea.select(verb, service, **body)

    for reply in (both, neither):
        assert reply.status_code == 422
        assert [error["code"] for error in reply.json["errors"]] == ["ids_or_selection"]
    assert neither.json["errors"][0]["message"].startswith("Give either customer_ids")
    assert (refused.status_code, customer.asked) == (403, [])


@pytest.mark.parametrize("view", ["mine", "owner_left", "assisting", "starred", "starred_in_scope"])
def test_the_whole_filter_reaches_customer_with_days_of_the_organisations_zone(
    sea: Any, customer: Any, view: str
) -> None:
    options = ["customer_type", "source", "company_nature", "annual_turnover", "employee_count", "province", "city"]
    texts = {name: name for name in ["search", "address", *options]}
    ids = {"pool_id": str(sea.default()), "owner_id": str(sea.organisation.sales.id)}
    wanted = {**texts, **ids, "view": view, "rating": 2, "created_from": "2026-01-05", "created_to": "2026-01-31"}
    conditions = [
        {"field": "tags", "operator": "empty"},
        {"field": "custom.budget", "operator": "between", "values": [1.5, ""]},
    ]

    reply = sea.select("claim", sea.organisation.sales, filter=wanted | {"conditions": conditions})

    assert reply.status_code == 202, reply.json
    (request,) = customer.asked
    sent = request.selection.filter
    for name, value in {**texts, **ids, "view": view, "rating": "2"}.items():
        assert getattr(sent, name) == value
    assert [(one.field, one.operator, [*one.values]) for one in sent.conditions] == [
        ("tags", "empty", []),
        ("custom.budget", "between", ["1.5", ""]),
    ]
    assert sent.created_from.ToJsonString() == "2026-01-04T16:00:00Z"
    assert sent.created_to.ToJsonString() == "2026-01-31T15:59:59.999999Z"
    assert request.limit == 20_000


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_days_at_the_ends_of_the_calendar_are_understood(sea: Any, day: str) -> None:
    reply = sea.select("claim", sea.organisation.sales, filter={"created_from": day, "created_to": day})

    assert (reply.status_code, reply.json["total"]) == (202, 0)


def test_customers_refusal_is_the_callers_and_its_absence_is_a_503(sea: Any, customer: Any) -> None:
    sales = sea.organisation.sales
    unknown = sea.select("claim", sales, filter={"industry": "空气"})
    misspelt = sea.select("claim", sales, filter={"industri": "空气"})
    customer.visible[str(sales.id)] = [str(UUID(int=number)) for number in range(20_001)]
    many = sea.select("claim", sales)
    customer.away = True
    away = sea.select("claim", sales)

    assert [(one.status_code, one.json["code"]) for one in (unknown, misspelt, many, away)] == [
        (422, "validation_failed"),
        (422, "validation_failed"),
        (409, "selection_too_large"),
        (503, "peer_unavailable"),
    ]
    pointers = [one.json["errors"][0]["pointer"] for one in (unknown, misspelt)]
    assert pointers == ["/selection/filter/industry", "/selection/filter/industri"]
    assert unknown.json["errors"][0]["message"] == "系统中不存在该选项，请改为已有选项"
    assert many.json["detail"] == "一次最多选择 20000 个客户，请缩小范围"


def test_a_target_that_cannot_be_is_refused_before_anything_is_frozen(sea: Any, customer: Any) -> None:
    supervisor, colleague = sea.organisation.supervisor, sea.organisation.colleague
    _matching(sea, customer, supervisor, 2)
    sea.dismiss(colleague)

    replies = [
        sea.select("assign", supervisor, member_ids=[str(colleague.id)]),
        sea.select("transfer", supervisor, member_id=str(colleague.id)),
        sea.select("move", supervisor, pool_id=str(colleague.id)),
    ]

    assert [(one.status_code, one.json["code"]) for one in replies] == [
        (409, "assignee_inactive"),
        (409, "assignee_inactive"),
        (404, "pool_not_found"),
    ]
    assert sea.work() is False


def test_a_target_that_goes_meanwhile_skips_the_rest_with_its_code(sea: Any, customer: Any) -> None:
    supervisor, colleague = sea.organisation.supervisor, sea.organisation.colleague
    _matching(sea, customer, supervisor, 201)
    reply = sea.select("assign", supervisor, member_ids=[str(colleague.id)])
    sea.work()

    sea.dismiss(colleague)
    sea.finish()

    assert _codes(sea, reply, "skipped") == {"assignee_inactive": 1}


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_needs_as_many_statements_for_many_customers_as_for_few(sea: Any, customer: Any, verb: str) -> None:
    supervisor = sea.organisation.supervisor
    sea.set_holding_cap(1000)
    sea.change_pool(sea.default(), daily_claim_quota=1000, cool_down_days=1)
    counts = []
    for size in (2, 200):
        place = {"owner": sea.organisation.sales} if verb in ("transfer", "release") else {}
        _matching(sea, customer, supervisor, size, **place)
        sea.select(verb, supervisor, **_body(sea, verb))
        with sea.counting_statements() as statements:
            assert sea.work()
        counts.append(len(statements))

    assert counts[0] == counts[1]
    assert [one.succeeded for one in sea.opened.outbox(events.AssignmentBatchFinished)] == [2, 200]
