"""Releases: what a batch took from its owners is listed and can be undone for 72 hours (decision 0015)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from chassis.audit import audit_of
from chassis.clock import now
from chassis.days import day_of
from crm.customer.v1 import customer_events_pb2 as facts
from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.model import AssignmentRow
from crm_pool.assignments.records import Release
from crm_pool.releases.queries import taken_by


def _released(sea: Any, member: Any, ids: list[str], **body: Any) -> Any:
    """Release by hand, and the release as its actor reads it."""
    reply = sea.act("release", member, ids, **body)
    return sea.send("GET", f"/releases/{reply.json['batch_id']}", member).json


def _undo(sea: Any, release_id: str, member: Any, **headers: str) -> Any:
    return sea.send("POST", f"/releases/{release_id}:undo", member, **headers)


def _items(sea: Any, reply: Any) -> dict[str, Any]:
    path = f"/assignments/batches/{reply.json['undo']['batch_id']}/items?page_size=200"
    return {item["item_id"]: item["code"] for item in sea.send("GET", path, sea.organisation.admin).json["items"]}


def _age(sea: Any, hours: int) -> None:
    with sea.opened.database.transaction() as session:
        session.execute(text("UPDATE releases SET at = at - make_interval(hours => :hours)"), {"hours": hours})


def _finished(sea: Any) -> list[Any]:
    return [one for one in sea.opened.outbox(events.AssignmentBatchFinished) if one.cause == events.CAUSE_UNDO]


def test_several_customers_released_at_once_are_a_release_and_a_single_one_is_none(sea: Any) -> None:
    supervisor, sales = sea.organisation.supervisor, sea.organisation.sales
    pool, ids = sea.create_pool(name="东区公海"), sea.create(3, owner=sales)
    pooled = sea.create()
    sea.act("release", sales, ids[:1])

    one = _released(sea, supervisor, [*ids[1:], *pooled], pool_id=pool["id"])

    assert (one["cause"], one["actor"]["name"], one["former_owner"]["name"]) == ("release", "东区主管", "张三")
    assert (one["pool"]["name"], one["customers"], one["skipped"], one["undo"]) == ("东区公海", 2, 1, None)
    assert one["undo_until"] > one["at"]
    assert len(sea.rows(Release)) == 1


def test_what_a_selection_released_is_a_release_once_it_is_through(sea: Any, customer: Any) -> None:
    supervisor = sea.organisation.supervisor
    ids = sea.create(201, owner=sea.organisation.sales) + sea.create(owner=sea.organisation.colleague)
    customer.visible[str(supervisor.id)] = ids
    reply = sea.select("release", supervisor)
    sea.work()
    meanwhile = len(sea.rows(Release))

    sea.finish()

    (one,) = sea.send("GET", "/releases", supervisor).json["items"]
    assert (meanwhile, one["id"], one["customers"], one["former_owner"]) == (0, reply.json["batch_id"], 202, None)


def test_a_batch_that_took_nothing_from_anybody_is_no_release(sea: Any, customer: Any) -> None:
    supervisor = sea.organisation.supervisor
    customer.visible[str(supervisor.id)] = sea.create(2)

    sea.select("release", supervisor)
    sea.finish()

    assert sea.rows(Release) == []


def test_releases_are_seen_by_their_actor_the_former_owners_supervisor_and_who_manages_pools(sea: Any) -> None:
    sales = sea.organisation.sales
    one = _released(sea, sales, sea.create(2, owner=sales))
    _released(sea, sea.organisation.rival, sea.create(2, owner=sea.organisation.rival))

    def seen(member: Any) -> list[str]:
        listed = sea.send("GET", "/releases", member).json
        assert listed["total"] == len(listed["items"])
        return [item["former_owner"]["name"] for item in listed["items"]]

    assert (seen(sales), seen(sea.organisation.supervisor)) == (["张三"], ["张三"])
    assert seen(sea.organisation.operations) == ["王五", "张三"]
    assert seen(sea.organisation.colleague) == []
    for member in (sea.organisation.colleague, sea.organisation.rival_supervisor):
        assert sea.send("GET", f"/releases/{one['id']}", member).status_code == 404
        assert _undo(sea, one["id"], member).status_code == 404


def test_an_undo_returns_each_to_its_former_owner_with_a_fresh_clock_and_its_home_pool(sea: Any, customer: Any) -> None:
    supervisor, sales, colleague = sea.organisation.supervisor, sea.organisation.sales, sea.organisation.colleague
    home, target = sea.create_pool(), sea.create_pool()
    (claimed,) = sea.create(pool=home["id"])
    sea.act("claim", sales, [claimed])
    (other,) = sea.create(owner=colleague)
    released = _released(sea, supervisor, [claimed, other], pool_id=target["id"])
    before = {row.customer_id: row.held_since for row in sea.rows(AssignmentRow)}

    reply = _undo(sea, released["id"], supervisor)
    sea.finish()

    assert (reply.status_code, reply.json["undo"]["returned"]) == (202, None)
    assert sea.owners() == {claimed: sales.id, other: colleague.id}
    rows = {str(row.customer_id): row for row in sea.rows(AssignmentRow)}
    assert str(rows[claimed].home_pool_id) == home["id"]
    assert all(row.held_since > before[row.customer_id] for row in rows.values())
    entry = sea.history(claimed)[-1]
    assert (entry.cause, entry.actor_id, entry.to_owner_id) == ("undo", supervisor.id, sales.id)
    view = sea.send("GET", f"/releases/{released['id']}", supervisor).json["undo"]
    assert (view["actor"]["name"], view["returned"], view["not_returned"], view["over_cap"]) == ("东区主管", 2, 0, 0)
    (finished,) = _finished(sea)
    assert (finished.batch_id, finished.succeeded, finished.notice.in_app) == (view["batch_id"], 2, True)
    assert {one.member_id for one in finished.receivers} == {str(sales.id), str(colleague.id)}
    assert {state.customer_id for state in customer.applied[-2:]} == {claimed, other}
    with sea.opened.database.reading() as session:
        (audited,) = audit_of(session, "release", sea.rows(Release)[0].id)
    assert (audited.action, audited.actor_id, audited.after) == ("release.undone", supervisor.id, {"customers": 2})


def test_an_undo_returns_wecom_friends_too_and_counts_what_the_release_skipped(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    friend, *others = sea.create(4, owner=sales)
    sea.report_again([friend], wecom_friend=True)
    released = _released(sea, supervisor, [friend, *others])
    sea.report_again(others[:1], wecom_friend=True)

    _undo(sea, released["id"], supervisor)
    sea.finish()

    assert (released["customers"], released["skipped"]) == (3, 1)
    assert set(sea.owners().values()) == {sales.id}
    assert {sea.history(one)[-1].undoes_version for one in others} == {2}


def test_a_locked_customer_of_a_release_is_named_to_its_owner_alone(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    taken, lying = sorted(sea.create(2, owner=sales))
    released = _released(sea, supervisor, [taken, lying])
    sea.act("claim", sales, [taken])
    sea.report_again([taken], locked=True)
    path = f"/releases/{released['id']}/items"

    names = [one["name"] for one in sea.send("GET", path, supervisor).json["items"]]

    assert names == [None, "星河贸易"]


def test_what_was_claimed_assigned_moved_or_deleted_since_is_skipped_and_listed(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    state = sea.state(owner=sales)
    sea.report(facts.CustomerCreated(customers=[state], actor_id=str(sales.id)))
    claimed, assigned, moved, returned = sea.create(4, owner=sales)
    released = _released(sea, sales, [claimed, assigned, moved, returned, state.id])
    sea.act("claim", sea.organisation.rival, [claimed])
    sea.act("assign", supervisor, [assigned], member_ids=[str(sea.organisation.colleague.id)])
    sea.act("move", supervisor, [moved], pool_id=sea.create_pool()["id"])
    state.facts_version, state.deleted = 2, True
    sea.report(facts.CustomerDeleted(customers=[state]))

    reply = _undo(sea, released["id"], sales)
    sea.finish()

    skipped = dict.fromkeys([claimed, assigned, moved, state.id], "changed_since")
    assert _items(sea, reply) == {**skipped, returned: ""}
    owners = sea.owners()
    assert (owners[returned], owners[claimed]) == (sales.id, sea.organisation.rival.id)
    view = sea.send("GET", f"/releases/{released['id']}", sales).json["undo"]
    assert (view["returned"], view["not_returned"]) == (1, 4)
    assert (_finished(sea)[0].succeeded, _finished(sea)[0].skipped) == (1, 4)


def test_the_customers_of_a_release_are_listed_with_what_an_undo_would_return(sea: Any) -> None:
    sales, rival = sea.organisation.sales, sea.organisation.rival
    claimed, lying = sorted(sea.create(2, owner=sales))
    released = _released(sea, sales, [claimed, lying])
    sea.act("claim", rival, [claimed])
    path = f"/releases/{released['id']}/items"

    mine, all_ = (sea.send("GET", path, who).json for who in (sales, sea.organisation.admin))
    second = sea.send("GET", f"{path}?page_size=1&page=2", sales).json

    def told(reply: Any) -> list[tuple[str, Any, str, bool]]:
        return [
            (one["customer_id"], one["name"], one["former_owner"]["name"], one["untouched"]) for one in reply["items"]
        ]

    assert told(mine) == [(claimed, None, "张三", False), (lying, "星河贸易", "张三", True)]
    assert told(all_) == [(claimed, "星河贸易", "张三", False), (lying, "星河贸易", "张三", True)]
    assert (told(second), second["total"]) == (told(mine)[1:], 2)
    assert sea.send("GET", path, rival).status_code == 404


def test_what_a_release_took_is_found_by_its_index(sea: Any) -> None:
    sales = sea.organisation.sales
    released = _released(sea, sales, sea.create(2, owner=sales))
    asked: list[tuple[str, Any]] = []
    listen = lambda _c, _cursor, statement, parameters, *_rest: asked.append((statement, parameters))
    event.listen(sea.opened.database.engine, "before_cursor_execute", listen)
    with sea.opened.database.reading() as session:
        taken_by(session, released["id"])
    event.remove(sea.opened.database.engine, "before_cursor_execute", listen)

    (statement, parameters), *_ = [one for one in asked if "assignment_history" in one[0]]
    with sea.opened.database.engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
    assert "ix_assignment_history_released" in "\n".join(plan)


def test_an_undo_never_fails_on_a_cap_and_reports_it(sea: Any) -> None:
    sales = sea.organisation.sales
    ids = sea.create(3, owner=sales)
    released = _released(sea, sales, ids[:2])
    sea.set_holding_cap(2)

    reply = _undo(sea, released["id"], sales)
    sea.finish()

    assert set(sea.owners().values()) == {sales.id}
    assert sorted(_items(sea, reply).values()) == ["", "returned_over_cap"]
    assert sea.send("GET", f"/releases/{released['id']}", sales).json["undo"]["over_cap"] == 1


def test_a_release_is_undone_once_and_within_72_hours(sea: Any) -> None:
    sales = sea.organisation.sales
    first, second = (_released(sea, sales, sea.create(2, owner=sales)) for _ in range(2))
    in_time = [_undo(sea, first["id"], sales, Idempotency_Key="once") for _ in range(2)]
    again = _undo(sea, first["id"], sales, Accept_Language="en")
    _age(sea, 73)

    late = _undo(sea, second["id"], sales, Accept_Language="en")

    assert [reply.status_code for reply in in_time] == [202, 202]
    assert in_time[0].json == in_time[1].json
    assert [(one.status_code, one.json["code"]) for one in (again, late)] == [
        (409, "already_undone"),
        (409, "undo_expired"),
    ]
    assert "72 hours" in late.json["detail"]


def test_two_who_undo_at_once_start_one_undo(sea: Any) -> None:
    sales = sea.organisation.sales
    released = _released(sea, sales, sea.create(2, owner=sales))

    with ThreadPoolExecutor(2) as threads:
        replies = list(threads.map(lambda who: _undo(sea, released["id"], who), [sales, sea.organisation.admin]))
    sea.finish()

    assert sorted(reply.status_code for reply in replies) == [202, 409]
    assert len(_finished(sea)) == 1


def test_seeing_a_release_does_not_entitle_to_undo_it(sea: Any) -> None:
    sales = sea.organisation.sales
    released = _released(sea, sales, sea.create(2, owner=sales))
    by_supervisor = _undo(sea, released["id"], sea.organisation.supervisor)
    sea.change_role("sales", without="pool.release")
    without_the_right = _undo(sea, released["id"], sales)

    assert [(one.status_code, one.json["code"]) for one in (by_supervisor, without_the_right)] == [
        (403, "forbidden")
    ] * 2
    assert _undo(sea, released["id"], sea.organisation.operations).status_code == 202


@pytest.mark.parametrize("how", ["left", "lost the right"])
def test_whoever_leaves_or_loses_the_right_meanwhile_returns_nothing_more(sea: Any, how: str) -> None:
    sales = sea.organisation.sales
    ids = sea.create(2, owner=sales)
    reply = _undo(sea, _released(sea, sales, ids)["id"], sales)
    if how == "left":
        sea.dismiss(sales)
    else:
        sea.change_role("sales", without="pool.release")

    sea.finish()

    code = "actor_inactive" if how == "left" else "forbidden"
    assert _items(sea, reply) == dict.fromkeys(ids, code)
    assert set(sea.owners().values()) == {None}


def test_a_hand_over_is_undone_for_a_leaver_who_is_still_gone_and_waits_seven_more_days(sea: Any) -> None:
    sales, operations = sea.organisation.sales, sea.organisation.operations
    ids = sea.create(3, owner=sales)
    sea.leave(sales, days_ago=8)
    sea.hand_over()
    (released,) = sea.send("GET", "/releases", sea.organisation.supervisor).json["items"]
    refused = _undo(sea, released["id"], sea.organisation.supervisor)

    _undo(sea, released["id"], operations)
    sea.finish()
    sea.hand_over()

    assert (released["cause"], released["actor"], released["former_owner"]["name"]) == ("handover", None, "张三")
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert set(sea.owners_of(ids)) == {sales.id}
    (listed,) = sea.send("GET", "/assignments/leavers", sea.organisation.supervisor).json["items"]
    day = (day_of(now(), "Asia/Shanghai") + timedelta(days=7)).isoformat()
    assert (listed["customers"], listed["hand_over_on"]) == (3, day)
    told = [(one.customers, one.hands_over_on) for one in sea.opened.outbox(events.OwnerLeft)]
    assert told[1:] == [(3, day)]
    assert (_finished(sea)[0].succeeded, list(_finished(sea)[0].receivers)) == (3, [])


def test_after_an_undo_the_seven_days_end_in_a_release_of_its_own(sea: Any) -> None:
    sales, operations = sea.organisation.sales, sea.organisation.operations
    sea.create(2, owner=sales)
    sea.leave(sales, days_ago=8)
    sea.hand_over()
    (first,) = sea.send("GET", "/releases", operations).json["items"]
    _undo(sea, first["id"], operations)
    sea.finish()
    sea.send("POST", f"/assignments/leavers/{sales.id}:hand-over", operations)

    sea.hand_over()

    newest, oldest = sea.send("GET", "/releases", operations).json["items"]
    assert (newest["actor"]["name"], newest["customers"], oldest["id"]) == ("运营小陈", 2, first["id"])
    assert newest["id"] != first["id"]


def test_an_undo_survives_a_worker_that_dies_and_is_shared_by_several(sea: Any) -> None:
    sales = sea.organisation.sales
    ids = sea.create(450, owner=sales)
    released = _released(sea, sales, ids)
    _undo(sea, released["id"], sales)
    with sea.opened.database.transaction() as session:
        session.execute(
            text(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE 'killed' USING ERRCODE = '40001'; END $$;"
                "CREATE TRIGGER fail AFTER INSERT ON assignment_history FOR EACH STATEMENT EXECUTE FUNCTION fail()"
            )
        )
    sea.work()
    with sea.opened.database.transaction() as session:
        session.execute(text("DROP TRIGGER fail ON assignment_history"))

    with ThreadPoolExecutor(2) as workers:
        for worker in [workers.submit(sea.finish) for _ in range(2)]:
            worker.result()
    sea.finish()

    assert set(sea.owners_of(ids)) == {sales.id}
    assert [one.succeeded for one in _finished(sea)] == [450]
    assert max(len(sea.history(one)) for one in ids[:3]) == 3


def test_a_page_of_an_undo_needs_as_many_statements_for_many_customers_as_for_few(sea: Any) -> None:
    sales, counts = sea.organisation.sales, []
    sea.set_holding_cap(1000)
    for size in (2, 200):
        _undo(sea, _released(sea, sales, sea.create(size, owner=sales))["id"], sales)
        with sea.counting_statements() as statements:
            assert sea.work()
        counts.append(len(statements))

    assert counts[0] == counts[1]
