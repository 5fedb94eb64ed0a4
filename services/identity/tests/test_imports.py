"""Members out of a workbook, chunk by chunk (decision 0014)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from chassis import clock
from chassis.auth.tokens import ServiceTokens
from chassis.database.tables import audit_entries
from chassis.errors import Forbidden, Invalid, Refusal, Unauthenticated
from chassis.identifiers import new_id
from chassis.rpc.client import Peers
from chassis.rpc.errors import peer_errors
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.identity.v1 import identity_events_pb2 as events
from crm.identity.v1 import identity_service_pb2 as pb
from crm.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from crm_identity.credentials.model import Credential
from crm_identity.imports.model import BulkWriteResult
from crm_identity.organisation.model import Department, Member
from crm_identity.service import SERVICE
from tests.support.services import OpenService

CREATE, UPDATE = rows_pb.IMPORT_MODE_CREATE_ONLY, rows_pb.IMPORT_MODE_CREATE_AND_UPDATE
CREATED, UPDATED, SKIPPED, FAILED = (
    rows_pb.IMPORT_OUTCOME_CREATED,
    rows_pb.IMPORT_OUTCOME_UPDATED,
    rows_pb.IMPORT_OUTCOME_SKIPPED,
    rows_pb.IMPORT_OUTCOME_FAILED,
)
Write = Callable[..., pb.BulkWriteMembersResponse]


@pytest.fixture
def caller() -> str:
    return "import"


@pytest.fixture
def write(identity: Any, caller: str) -> Iterator[Write]:
    """Sends rows (texts by field) as one chunk for the administrator."""
    keys = identity.service.keys
    with identity.service.rpc() as bind:
        peers = Peers(ServiceTokens(caller, keys.private(caller), keys.public()), {"identity": bind})
        stub = IdentityServiceStub(peers.channel("identity"))

        def send(*rows: dict[str, str], mode: Any = CREATE, first: int = 2, **head: Any) -> Any:
            request = pb.BulkWriteMembersRequest(
                **{
                    "job_id": str(new_id()),
                    "chunk_id": str(new_id()),
                    "actor_id": str(identity.people.admin.id),
                    "mode": mode,
                    "rows": [rows_pb.ImportRow(row_number=n, values=row) for n, row in enumerate(rows, first)],
                    **head,
                }
            )
            with peer_errors("identity"):
                return stub.BulkWriteMembers(request, timeout=30)

        yield send
        peers.close()


def person(login: str, **more: str) -> dict[str, str]:
    return {"login": login, "name": "新人", "email": f"{login}@example.test", "department": "华东销售部", **more}


def problems(result: Any) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in result.problems]


def stored(service: OpenService, login: str) -> Member:
    with service.database.reading() as session:
        return session.scalars(select(Member).where(Member.login == login)).one()


def create_department(identity: Any, name: str, parent_id: Any) -> str:
    body = {"name": name, "parent_id": str(parent_id)}
    return identity.call("POST", "/departments", identity.people.admin, body).json["id"]


def test_fields_may_be_named_once_for_all_rows(write: Write) -> None:
    wang = person("wang.xin", phone="+86 138", roles="销售")
    row = rows_pb.ImportRow(row_number=2, texts=list(wang.values()))

    once = write(rows=[row], fields=list(wang), rehearsal=True)

    assert once == write(wang, rehearsal=True)
    assert [result.outcome for result in once.results] == [CREATED]


def test_rows_become_members_who_cannot_log_in_yet(identity: Any, write: Write) -> None:
    people = identity.people
    row = person("Wang.Xin", name="王新", phone="+86 138", roles="销售、销售主管", language="English")

    answer = write(row, person("zhao", phone="", roles="", language=""))

    assert [result.outcome for result in answer.results] == [CREATED, CREATED]
    wang, zhao = stored(identity.service, "wang.xin"), stored(identity.service, "zhao")
    assert (wang.name, wang.phone, wang.language, wang.department_id) == ("王新", "+86 138", "en", people.east)
    assert set(wang.role_ids) == {people.role_ids["sales"], people.role_ids["supervisor"]}
    assert (zhao.phone, zhao.role_ids, zhao.language, zhao.active) == (None, [], "zh-CN", True)
    with identity.service.database.reading() as session:
        assert session.get(Credential, wang.id) is None
        entries = session.execute(select(audit_entries).order_by(audit_entries.c.id)).all()
    assert identity.log_in("zhao").json["code"] == "login_failed"
    assert [(one.action, one.actor_id, one.subject_id) for one in entries] == [
        ("member.created_by_import", people.admin.id, wang.id),
        ("member.created_by_import", people.admin.id, zhao.id),
    ]
    [told] = identity.service.outbox(events.MemberChanged)
    assert {(state.login, state.version) for state in told.members} == {("wang.xin", 1), ("zhao", 1)}


def test_everything_that_is_wrong_with_a_row_is_said(identity: Any, write: Write) -> None:
    east = create_department(identity, "销售组", identity.people.east)
    create_department(identity, "销售组", identity.people.south)

    answer = write(
        {"login": "", "name": "", "department": "", "email": ""},
        person("x y", email="nobody", phone="call me", department="火星", roles="销售、船长，厨师", language="tlh"),
        person("a" * 65, name="长" * 51, department="销售组", email="a\0@b.test"),
        person("good", department="华东销售部/销售组"),
        person("GOOD", name="又一个"),
        person("many", roles="、".join(f"角色{number}" for number in range(21))),
    )

    assert [problems(result) for result in answer.results] == [
        [("login", "missing"), ("name", "missing"), ("email", "missing"), ("department", "missing")],
        [
            ("login", "login_invalid"),
            ("email", "email_invalid"),
            ("phone", "phone_invalid"),
            ("department", "unknown_department"),
            ("roles", "unknown_role"),
            ("roles", "unknown_role"),
            ("language", "language_unknown"),
        ],
        [
            ("login", "string_too_long"),
            ("name", "string_too_long"),
            ("email", "null_character"),
            ("department", "ambiguous_department"),
        ],
        [],
        [("login", "repeated_in_file")],
        [("roles", "too_many_roles")],
    ]
    unknown = [problem.value for problem in answer.results[1].problems if problem.code == "unknown_role"]
    assert unknown == ["船长", "厨师"]
    assert answer.results[2].problems[0].parameters == {"max_length": "64"}
    assert answer.results[4].problems[0].parameters == {"first_row": "5"}
    assert [result.row_number for result in answer.results] == [2, 3, 4, 5, 6, 7]
    assert stored(identity.service, "good").department_id == type(identity.people.east)(east)


@pytest.mark.parametrize(
    "path", ["华东销售部/上海", "公司/华东销售部/上海", " 公司 / 华东销售部 / 上海 ", "华东销售部/上海/"]
)
def test_a_path_names_one_of_several_departments_of_a_name(identity: Any, write: Write, path: str) -> None:
    shanghai = create_department(identity, "上海", identity.people.east)
    create_department(identity, "上海", identity.people.south)
    create_department(identity, "上海", create_department(identity, "华东销售部", identity.people.south))

    [result] = write(person("new", department=path)).results

    assert (result.outcome, str(stored(identity.service, "new").department_id)) == (CREATED, shanghai)


def test_known_logins_are_skipped_or_updated_as_the_mode_says(identity: Any, write: Write) -> None:
    people = identity.people
    row = {"login": "SALES", "department": "华南销售部", "phone": "", "name": ""}

    [skipped] = write(person("sales")).results
    [updated] = write(row, mode=UPDATE).results
    [again] = write(row, mode=UPDATE).results

    assert (skipped.outcome, problems(skipped)) == (SKIPPED, [("login", "member_exists")])
    assert {result.record_id for result in (skipped, updated, again)} == {str(people.sales.id)}
    assert (updated.outcome, again.outcome) == (UPDATED, UPDATED)
    sales = stored(identity.service, "sales")
    assert (sales.name, sales.phone, sales.department_id, sales.version, sales.epoch) == (
        "张三",
        "13800000000",
        people.south,
        2,
        0,
    )
    [told] = identity.service.outbox(events.MemberChanged)
    assert (told.members[0].department_id, told.members[0].version) == (str(people.south), 2)
    with identity.service.database.reading() as session:
        entry = session.execute(select(audit_entries)).one()
    assert (entry.action, entry.before) == ("member.changed_by_import", {"department_id": str(people.east)})


def test_empty_cells_clear_what_can_be_empty_when_they_are_to(identity: Any, write: Write) -> None:
    rows = ({"login": "sales", "phone": "", "roles": ""}, {"login": "rival", "name": "", "phone": ""})

    cleared, refused = write(*rows, mode=UPDATE, clear_empty=True).results

    sales = stored(identity.service, "sales")
    assert (cleared.outcome, sales.phone, sales.role_ids, sales.epoch) == (UPDATED, None, [], 1)
    assert (refused.outcome, problems(refused)) == (FAILED, [("name", "missing")])
    assert stored(identity.service, "rival").phone == "13800000000"


def test_who_left_and_accounts_and_the_last_administrator_are_left_alone(identity: Any, write: Write) -> None:
    people = identity.people
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)
    account = {"login": "erp", "name": "ERP", "service_account": True, "department_id": str(people.south)}
    identity.call("POST", "/members", people.admin, account)
    before = len(identity.service.outbox(events.MemberChanged))

    answer = write(
        {"login": "rival", "name": "归来"},
        {"login": "erp", "name": "别名"},
        {"login": "admin", "roles": "销售"},
        {"login": "colleague", "roles": "企业管理员"},
        mode=UPDATE,
    )
    [now_possible] = write({"login": "admin", "roles": "销售、运营"}, mode=UPDATE).results

    assert [problems(result) for result in answer.results] == [
        [("login", "member_inactive")],
        [("login", "is_service_account")],
        [("roles", "last_administrator")],
        [],
    ]
    assert now_possible.outcome == UPDATED
    states = [state for told in identity.service.outbox(events.MemberChanged)[before:] for state in told.members]
    assert [(state.login, state.epoch) for state in states] == [("colleague", 1), ("admin", 1)]


def test_a_repeated_chunk_answers_the_same_and_writes_nothing(identity: Any, write: Write) -> None:
    chunk_id = str(new_id())
    rows = [person("one"), person("two", department="火星")]

    first, second = (write(*rows, chunk_id=chunk_id) for _ in range(2))

    assert first == second
    assert len(identity.service.outbox(events.MemberChanged)) == 1


def test_the_same_chunk_sent_twice_at_once_is_written_once(identity: Any, write: Write) -> None:
    chunk_id, rows = str(new_id()), [person(f"p{number}") for number in range(200)]

    def send(_: int) -> Any:
        try:
            return write(*rows, chunk_id=chunk_id)
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))

    assert {"bulk_write_busy"} >= {answer for answer in answers if isinstance(answer, str)}
    assert {result.outcome for result in write(*rows, chunk_id=chunk_id).results} == {CREATED}
    with identity.service.database.reading() as session:
        assert session.scalar(select(func.count()).where(Member.login.startswith("p"))) == 200


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(identity: Any, write: Write) -> None:
    counts: list[int] = []
    engine = identity.service.database.engine

    def count(*_: Any) -> None:
        counts[-1] += 1

    event.listen(engine, "before_cursor_execute", count)
    for number, size in enumerate((2, 400)):
        counts.append(0)
        answer = write(*(person(f"n{number}-{row}") for row in range(size)))
        assert {result.outcome for result in answer.results} == {CREATED}
        counts.append(0)
        write(*({"login": f"n{number}-{row}", "name": "改名"} for row in range(size)), mode=UPDATE)
    event.remove(engine, "before_cursor_execute", count)

    assert counts[:2] == counts[2:]


@pytest.mark.parametrize("who", ["supervisor", "operations"])
def test_the_importer_needs_the_right_to_manage_members(identity: Any, write: Write, who: str) -> None:
    with pytest.raises(Forbidden, match="forbidden") as refused:
        write(person("new"), actor_id=str(identity.people.members[who].id))

    assert refused.value.parameters["permission"] == "organisation.manage"


def test_whoever_left_imports_nothing(identity: Any, write: Write) -> None:
    people = identity.people
    roles = {"role_ids": [str(people.role_ids["administrator"])]}
    identity.call("PATCH", f"/members/{people.rival.id}", people.admin, roles, If_Match='"1"')
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)

    for nobody in (str(people.rival.id), str(new_id())):
        with pytest.raises(Unauthenticated, match="token_revoked"):
            write(person("new"), actor_id=nobody)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ({"mode": 0}, "malformed_chunk"),
        ({"mode": 9}, "malformed_chunk"),
        ({"job_id": "x"}, "uuid_parsing"),
        ({"rows": [rows_pb.ImportRow(row_number=2)] * 2}, "malformed_chunk"),
        ({"rows": [rows_pb.ImportRow(row_number=2, values={"password": "secret"})]}, "malformed_chunk"),
        ({"fields": ["password"], "rows": [rows_pb.ImportRow(row_number=2, texts=["secret"])]}, "malformed_chunk"),
        ({"fields": ["login", "login"], "rows": [rows_pb.ImportRow(texts=["a", "b"])]}, "malformed_chunk"),
        ({"fields": ["login"], "rows": [rows_pb.ImportRow()]}, "malformed_chunk"),
        ({"rows": [rows_pb.ImportRow(row_number=n) for n in range(1001)]}, "too_many_items"),
    ],
)
def test_a_malformed_chunk_is_refused(write: Write, head: Any, code: str) -> None:
    with pytest.raises(Invalid, match=code):
        write(**head)


@pytest.mark.parametrize("caller", ["customer", "pool", "notify"])
def test_only_the_import_service_writes_members(write: Write, caller: str) -> None:
    with pytest.raises(Forbidden, match="forbidden") as refused:
        write(person("new"))

    assert refused.value.parameters["permission"] == "caller:import"


def test_answers_are_forgotten_after_a_week(identity: Any, write: Write) -> None:
    write(person("one"))
    write(person("two"))
    with identity.service.database.transaction() as session:
        old = session.scalars(select(BulkWriteResult.chunk_id).limit(1)).one()
        long_ago = clock.now() - timedelta(days=8)
        session.execute(update(BulkWriteResult).where(BulkWriteResult.chunk_id == old).values(written_at=long_ago))

    task = next(task for task in SERVICE.due if task.name == "forget-bulk-write-answers")
    assert task.run(identity.service.runtime) is False

    with identity.service.database.reading() as session:
        left = session.scalars(select(BulkWriteResult.chunk_id)).all()
        assert session.scalar(select(func.count()).select_from(Department)) == 3
    assert len(left) == 1
    assert old not in left


def test_a_rehearsal_tells_what_writing_does_and_writes_nothing(identity: Any, write: Write) -> None:
    write(person("old", roles="销售", phone="1"))
    east = stored(identity.service, "old")
    rows = [
        person("new"),
        person("old", name="改名", roles="销售主管", department="华南销售部", phone="2", language="English"),
        person("bad", department="火星"),
        person("new"),
    ]
    events_before = len(identity.service.outbox(events.MemberChanged))

    rehearsed = write(*rows, mode=UPDATE, rehearsal=True).results

    after = stored(identity.service, "old")
    assert (after.name, after.version, after.role_ids) == (east.name, east.version, east.role_ids)
    assert len(identity.service.outbox(events.MemberChanged)) == events_before
    with identity.service.database.reading() as session:
        assert session.scalar(select(func.count()).where(Member.login == "new")) == 0
        assert session.scalar(select(func.count()).select_from(BulkWriteResult)) == 1
    assert [(one.outcome, one.matched_by) for one in rehearsed] == [
        (CREATED, ""), (UPDATED, "login"), (FAILED, ""), (FAILED, ""),
    ]  # fmt: skip
    assert [one.record_id for one in rehearsed[:2]] == ["", str(east.id)]
    changes = {one.field: one.before for one in rehearsed[1].changes}
    assert changes.pop("department").endswith("华东销售部")
    assert changes == {"name": "新人", "roles": "销售", "phone": "1", "language": "中文"}
    assert [one.outcome for one in write(*rows, mode=UPDATE).results] == [one.outcome for one in rehearsed]
