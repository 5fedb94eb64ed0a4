"""Exports: asked for, written by workers out of what customer answers, fetched with a ticket."""

import io
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from sqlalchemy import delete, select, update

from chassis.clock import now
from chassis.database.tables import audit_entries, outbox
from chassis.errors import FieldError, Forbidden, Invalid, NotFound, Unavailable
from chassis.events.consumer import Event
from chassis.identifiers import new_id
from crm.customer.v1 import customer_service_pb2 as pb
from crm.identity.v1.identity_events_pb2 import MemberDeactivated
from crm.imports.v1.imports_events_pb2 import ExportFinished, ExportRequested
from crm_import.exports import clients
from crm_import.exports.due import delete_expired, republish
from crm_import.exports.files import write_file
from crm_import.exports.model import ExportJob
from crm_import.exports.rules import MOST_TRIES, Format
from crm_import.exports.worker import handle_export
from crm_import.jobs.events import DIRECTORY
from crm_import.reading.tables import Layout, Table
from crm_import.service import SERVICE

COLUMNS = (
    ("id", "ID", "ID"),
    ("name", "Name in customer", "Name"),
    ("custom.memo", "备注", "Memo"),
    ("remark", "备注", "Remark"),
)
UGLY = [
    "=1+1",
    "'=1",
    "+8613800138000",
    "-1",
    "@x",
    "00138",
    "1.38E+10",
    'a "b", c',
    "一\n二",
    "𠮷👨‍👩‍👧",
    "2026-11-26",
    "_x0041_",
]


@dataclass
class Records:
    """What customer has: rows of cells, `page` a page. `refusal` is raised instead of the page numbered `at`, which
    `reached` and `gate` hold otherwise.
    """

    rows: Sequence[Sequence[str]]
    page: int = 2
    total: int | None = None
    at: int = 0
    refusal: Exception | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    requests: list[pb.ExportRowsRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def answer(self, request: pb.ExportRowsRequest) -> pb.ExportRowsResponse:
        self.requests.append(request)
        start = int(request.after or 0)
        number = start // self.page + 1
        if request.page_size > 1 and number == self.at:
            self.reached.set()
            if self.refusal is not None:
                raise self.refusal
            self.gate.wait(60)
        end = start + self.page
        return pb.ExportRowsResponse(
            columns=[pb.ExportColumn(name=name, label_zh=zh, label_en=en) for name, zh, en in COLUMNS],
            rows=[pb.ExportRow(cells=row) for row in self.rows[start:end]],
            next=str(end) if end < len(self.rows) else "",
            total=len(self.rows) if self.total is None else self.total,
            left_out=3,
        )


@pytest.fixture
def records(running: Any) -> Callable[..., Records]:
    """`records(rows, …)`: from now on customer has these."""

    def have(rows: Sequence[Sequence[str]], **more: Any) -> Records:
        found = Records(rows, **more)
        running.customers.export = found.answer
        return found

    return have


@dataclass(frozen=True)
class Page:
    """A member at the export page."""

    running: Any
    member: Any

    def ask(self, idempotency_key: str | None = None, **body: Any) -> Any:
        headers = self.running.service.headers(self.member)
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        return self.running.service.client.post("/api/v1/exports", json={"kind": "customers", **body}, headers=headers)

    def asked(self, **body: Any) -> Any:
        reply = self.ask(**({"filter": {}} | body))
        assert reply.status_code == 202, reply.text
        return reply.json

    def read(self, job: Any) -> Any:
        return self.get(f"/exports/{job['id']}").json

    def get(self, path: str) -> Any:
        return self.running.service.client.get(f"/api/v1{path}", headers=self.running.service.headers(self.member))

    def post(self, job: Any, verb: str) -> Any:
        headers = self.running.service.headers(self.member)
        return self.running.service.client.post(f"/api/v1/exports/{job['id']}:{verb}", headers=headers)

    def fetched(self, job: Any) -> Any:
        """The file, fetched as a browser does, without a token."""
        return self.running.service.client.get(self.post(job, "ticket").json["url"])

    def write(self, job: Any) -> Any:
        """What a worker makes of the job; its view after that."""
        handle_export(self.running.service.runtime, ExportRequested(export_id=job["id"]))
        return self.read(job)


@pytest.fixture
def lead(running: Any) -> Page:
    """东区主管, who may export."""
    return Page(running, running.service.organisation.supervisor)


def _rows(count: int) -> list[list[str]]:
    return [[str(number), UGLY[number % len(UGLY)], f"备{number}", ""] for number in range(count)]


def _sheet(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content)).active


def _objects(running: Any, job: Any) -> list[str]:
    with running.service.database.reading() as session:
        found = session.get_one(ExportJob, job["id"])
        keys = [*found.former_keys, found.key]
    store = running.service.runtime.object_store()
    return [key for key in keys if _is_there(store, key)]


def _is_there(store: Any, key: str) -> bool:
    try:
        return bool(store.get(key))
    except FileNotFoundError:
        return False


def _audit(running: Any, job: Any) -> list[Any]:
    with running.service.database.reading() as session:
        found = select(audit_entries.c.action, audit_entries.c.after).order_by(audit_entries.c.id)
        return [
            (row.action, row.after) for row in session.execute(found.where(audit_entries.c.subject_id == job["id"]))
        ]


def test_a_workbook_is_written_by_a_worker_and_fetched_with_a_ticket(
    running: Any, lead: Page, records: Any, eventually: Any
) -> None:
    known = records(_rows(len(UGLY)))
    job = lead.asked(filter={"industry": "教育/培训"}, fields=["name"])
    assert (job["status"], job["total"], job["rows"]) == ("queued", len(UGLY), 0)

    with running.workers():
        job = eventually(lambda: (seen := lead.read(job))["status"] == "finished" and seen)

    assert (job["rows"], job["percent"], job["left_out"]) == (len(UGLY), 100, 3)
    assert {(request.selection.filter.industry, tuple(request.fields)) for request in known.requests} == {
        ("教育/培训", ("name",))
    }
    reply = lead.fetched(job)
    assert (reply.status_code, len(reply.data)) == (200, job["file_bytes"])
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "filename*=UTF-8''%E5%AE%A2%E6%88%B7-20" in reply.headers["Content-Disposition"]
    sheet = _sheet(reply.data)
    assert (sheet.title, sheet.freeze_panes, sheet.auto_filter.ref) == ("客户", "A2", f"A1:D{len(UGLY) + 1}")
    header, *rows = sheet.iter_rows(values_only=True)
    assert header == ("ID", "客户名称", "备注", "remark")
    safe = [f"'{text}" if text[0] in "=+-@'" else text for text in UGLY]
    assert [row[1] for row in rows][:-1] == safe[:-1]  # openpyxl leaves _x0041_ escaped
    assert {cell.data_type for cell in sheet["B"]} == {"s"}
    assert [action for action, _ in _audit(running, job)] == ["export.ask", "export.fetch"]
    assert _audit(running, job)[0][1] == {
        "kind": "customers",
        "format": "xlsx",
        "total": len(UGLY),
        "filter": {"industry": "教育/培训"},
        "fields": ["name"],
    }
    (event,) = running.service.outbox(ExportFinished)
    assert (event.job.status, event.job.rows, event.job.file_name) == ("finished", len(UGLY), job["file_name"])
    assert event.job.HasField("expires_at")


def test_a_csv_is_for_excel_and_programs_alike(lead: Page, records: Any) -> None:
    records([["1", "=1+1", "一\n二", 'a "b"']])

    content = lead.fetched(lead.write(lead.asked(format="csv"))).data

    assert content.decode("utf-8-sig") == '"ID","客户名称","备注","remark"\r\n"1","\'=1+1","一\n二","a ""b"""\r\n'
    assert content.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("file_format", ["xlsx", "csv"])
def test_an_export_of_nothing_has_a_header(lead: Page, records: Any, file_format: str) -> None:
    records([])

    job = lead.write(lead.asked(format=file_format))

    assert (job["status"], job["rows"]) == ("finished", 0)
    content = lead.fetched(job).data
    assert "ID" in (
        content.decode("utf-8-sig") if file_format == "csv" else [cell.value for cell in _sheet(content)[1]]
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [("customers", "请先选择客户信息。"), ("contacts", "请先选择联系人信息。"), ("activities", "请先选择跟进记录。")],
)
def test_without_a_selection_one_is_asked_for(lead: Page, records: Any, kind: str, words: str) -> None:
    records([])
    for reply in (lead.ask(kind=kind), lead.ask(kind=kind, ids=[])):
        assert (reply.status_code, reply.json["code"], reply.json["detail"]) == (422, f"select_{kind}_first", words)
        assert [error["pointer"] for error in reply.json["errors"]] == ["/ids"]


def test_what_is_wrong_is_named_with_its_field(lead: Page, records: Any) -> None:
    known = records([])
    some = str(new_id())
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ids": [some], "pool_id": some}, "/pool_id"),
        ({"ids": ["x"]}, "/ids/0"),
        ({"ids": [some] * 10_001}, "/ids"),
        ({"ids": [some], "format": "pdf"}, "/format"),
        ({"kind": "members", "ids": [some]}, "/kind"),
        ({"filter": {"view": "deleted"}}, "/filter/view"),
        ({"filter": {"address": "路"}}, "/filter/address"),
        ({"ids": [some], "fields": [""]}, "/fields/0"),
    ]
    for body, pointer in cases:
        reply = lead.ask(**body)
        assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, pointer), body
        assert reply.json["errors"][0]["message"]
    assert known.requests == []


def test_what_customer_refuses_is_the_callers_at_once(running: Any, lead: Page) -> None:
    wrong = [FieldError("/industry", "unknown_option"), FieldError("/fields/0", "unknown_field")]
    refusals = [
        (Invalid("validation_failed", errors=wrong, count=2), 422, ["/filter/industry", "/fields/0"]),
        (Forbidden("pool_administrators_only"), 403, []),
        (NotFound("pool_not_found"), 404, []),
    ]
    for refusal, status, pointers in refusals:
        running.customers.export = _refusing(refusal)
        reply = lead.ask(filter={"industry": "空气"}, fields=["nothing"])
        assert (reply.status_code, reply.json["code"]) == (status, refusal.code)
        assert [error["pointer"] for error in reply.json.get("errors", [])] == pointers
    assert lead.get("/exports").json["total"] == 0


def _refusing(refusal: Exception) -> Callable[[Any], Any]:
    def refuse(_request: Any) -> Any:
        raise refusal

    return refuse


def test_an_export_is_asked_for_while_customer_is_away(running: Any, lead: Page, records: Any) -> None:
    running.customers.export = _refusing(Unavailable("overloaded"))
    job = lead.asked()
    assert (job["status"], job["total"]) == ("queued", 0)

    records(_rows(3))

    assert lead.write(job)["status"] == "finished"


def test_the_same_request_makes_one_export(lead: Page, records: Any) -> None:
    known = records(_rows(3))
    first, second = (lead.ask("key", filter={}) for _ in range(2))

    assert first.json == second.json
    assert (lead.get("/exports").json["total"], len(known.requests)) == (1, 1)
    assert lead.ask("key", filter={"search": "别的"}).json["code"] == "idempotency_key_reused"


def test_exports_are_ones_own_and_take_the_right(running: Any, lead: Page, records: Any) -> None:
    records(_rows(1))
    organisation = running.service.organisation
    job = lead.write(lead.asked())
    admin, sales = Page(running, organisation.admin), Page(running, organisation.sales)

    assert admin.get("/exports").json["items"] == []
    assert [admin.get(f"/exports/{job['id']}").status_code] == [404]
    assert [admin.post(job, verb).status_code for verb in ("cancel", "ticket")] == [404, 404]
    assert sales.ask(filter={}).json["permission"] == "customer.export"
    assert sales.get("/exports").status_code == 403


def test_a_ticket_is_for_one_use_and_only_while_there_is_a_file(running: Any, lead: Page, records: Any) -> None:
    records(_rows(1))
    job = lead.asked()
    early = lead.post(job, "ticket")
    assert (early.status_code, early.json["code"]) == (409, "export_not_finished")
    job = lead.write(job)
    url = lead.post(job, "ticket").json["url"]
    assert [running.service.client.get(url).status_code for _ in range(2)] == [200, 404]

    with running.service.database.transaction() as session:
        session.execute(update(ExportJob).values(expires_at=now() - timedelta(seconds=1)))
    assert lead.post(job, "ticket").json["code"] == "export_expired"
    assert len(_objects(running, job)) == 1
    assert delete_expired(running.service.runtime) is False

    assert _objects(running, job) == []
    assert (lead.read(job)["status"], lead.read(job)["file_bytes"]) == ("finished", None)


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Forbidden("forbidden", permission="customer.export"), "exporter_not_allowed"),
        (Forbidden("pool_administrators_only"), "export_pool_gone"),
        (Invalid("validation_failed"), "export_refused"),
    ],
)
def test_a_right_lost_in_the_middle_leaves_no_file(
    running: Any, lead: Page, records: Any, refusal: Exception, code: str
) -> None:
    records(_rows(6), at=2, refusal=refusal)

    job = lead.write(lead.asked())

    assert (job["status"], job["failure_code"], job["file_bytes"]) == ("failed", code, None)
    assert job["failure_message"]
    assert _objects(running, job) == []
    (event,) = running.service.outbox(ExportFinished)
    assert (event.job.status, event.job.failure_code) == ("failed", code)
    assert lead.post(job, "ticket").status_code == 409


def test_whoever_leaves_exports_nothing(running: Any, lead: Page, records: Any) -> None:
    records(_rows(3))
    job = lead.asked()
    state = running.service.organisation.member_state(lead.member, 2)
    state.active = False
    told = [Event(new_id(), MemberDeactivated(members=[state]), "2026-01-01T00:00:00Z", "")]

    with running.service.database.transaction() as session:
        DIRECTORY.apply(session, told)
    handle_export(running.service.runtime, ExportRequested(export_id=job["id"]))

    with running.service.database.reading() as session:
        found = session.get_one(ExportJob, job["id"])
        assert (found.status, found.failure_code, found.tries) == ("failed", "exporter_not_allowed", 0)


def test_what_is_cancelled_in_the_middle_leaves_no_file(
    running: Any, lead: Page, records: Any, eventually: Any
) -> None:
    known = records(_rows(6), at=2)
    known.gate.clear()
    job = lead.asked()

    with running.workers():
        assert known.reached.wait(30)
        assert lead.post(job, "cancel").json["status"] == "cancelled"
        known.gate.set()

    assert (lead.read(job)["status"], _objects(running, job)) == ("cancelled", [])
    assert lead.post(job, "cancel").status_code == 200
    assert [event.job.status for event in running.service.outbox(ExportFinished)] == ["cancelled"]


def test_a_killed_worker_is_followed_by_another_that_begins_anew(
    running: Any, lead: Page, records: Any, eventually: Any
) -> None:
    known = records(_rows(6), at=2)
    known.gate.clear()
    job = lead.asked()
    process = running.process()
    assert known.reached.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    known.gate.set()

    with running.workers():
        job = eventually(lambda: (seen := lead.read(job))["status"] == "finished" and seen)

    assert job["rows"] == 6
    assert [row[0] for row in _sheet(lead.fetched(job).data).iter_rows(min_row=2, values_only=True)] == list("012345")
    assert len(_objects(running, job)) == 1
    assert len(running.service.outbox(ExportFinished)) == 1


def test_what_a_dead_worker_has_stored_of_a_cancelled_export_is_deleted(
    running: Any, lead: Page, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    records(_rows(3))
    job = lead.asked()

    def die(*_: Any) -> None:
        lead.post(job, "cancel")
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr("crm_import.exports.worker.commands.finish", die)
        lead.write(job)
    delete_expired(running.service.runtime)
    left = _objects(running, job)
    with running.service.database.transaction() as session:
        session.execute(update(ExportJob).values(finished_at=now() - timedelta(hours=2)))
    delete_expired(running.service.runtime)

    assert (len(left), _objects(running, job)) == (1, [])
    assert lead.read(job)["status"] == "cancelled"


def test_two_workers_at_once_make_one_file(running: Any, lead: Page, records: Any) -> None:
    known = records(_rows(6), at=2)
    known.gate.clear()
    job = lead.asked()
    first = threading.Thread(target=lead.write, args=[job])
    first.start()
    assert known.reached.wait(30)
    known.at = 0

    lead.write(job)
    known.gate.set()
    first.join(30)

    assert len(_objects(running, job)) == 1
    assert len(running.service.outbox(ExportFinished)) == 1
    assert lead.fetched(job).status_code == 200


def test_an_export_waits_for_customer_and_gives_up_in_the_end(
    running: Any, lead: Page, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_WAIT_SECONDS", 0)
    records(_rows(6), at=2, refusal=Unavailable("overloaded"))
    job = lead.asked()
    message = ExportRequested(export_id=job["id"])

    for _ in range(MOST_TRIES):
        assert handle_export(running.service.runtime, message) is not None
    assert handle_export(running.service.runtime, message) is None

    assert (lead.read(job)["status"], lead.read(job)["failure_code"]) == ("failed", "export_gave_up")


def test_a_silent_export_is_handed_out_again(running: Any, lead: Page, records: Any, eventually: Any) -> None:
    records(_rows(1))
    job = lead.asked()
    with running.service.database.transaction() as session:
        session.execute(delete(outbox))
    running.configure(import_silent_seconds=-1)

    republish(running.service.runtime)

    with running.workers():
        assert eventually(lambda: lead.read(job)["status"] == "finished")


def test_the_days_budget_is_kept_while_the_file_is_written(running: Any, lead: Page, records: Any) -> None:
    running.configure(export_rows_per_day=5)
    records(_rows(3))
    assert lead.write(lead.asked())["status"] == "finished"

    failed = lead.write(lead.asked())

    assert (failed["status"], failed["failure_code"]) == ("failed", "export_budget_used")
    assert failed["failure_message"] == "每天最多导出 5 行，今天还可导出 0 行；请缩小范围或明天再试"


def test_more_than_the_days_budget_is_refused_at_once(services: Any, customers: Any) -> None:
    customers[0].export = Records(_rows(6)).answer
    with services.open(SERVICE, customer_grpc=customers[1], export_rows_per_day=5) as opened:
        refused = Page(SimpleNamespace(service=opened), opened.organisation.supervisor).ask(filter={})

    assert (refused.status_code, refused.json["code"]) == (429, "export_budget_used")
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400


def test_more_rows_than_a_sheet_holds_are_offered_as_csv(lead: Page, records: Any) -> None:
    records([], total=1_048_576)

    refused = lead.ask(filter={})

    assert (refused.status_code, refused.json["code"]) == (422, "too_many_rows_for_xlsx")
    assert "CSV" in refused.json["detail"]
    assert lead.ask(filter={}, format="csv").status_code == 202


def test_a_member_has_a_few_exports_under_way(lead: Page, records: Any) -> None:
    records(_rows(1))
    jobs = [lead.asked() for _ in range(5)]

    assert lead.ask(filter={}).json["code"] == "too_many_exports"
    lead.post(jobs[0], "cancel")
    assert lead.ask(filter={}).status_code == 202
    assert [job["id"] for job in lead.get("/exports?status=cancelled").json["items"]] == [jobs[0]["id"]]


def test_columns_that_change_in_the_middle_end_the_export(running: Any, lead: Page, records: Any) -> None:
    known = records(_rows(6))

    def answer(request: pb.ExportRowsRequest) -> pb.ExportRowsResponse:
        page = known.answer(request)
        if request.after:
            del page.columns[-1]
        return page

    running.customers.export = answer

    assert lead.write(lead.asked())["failure_code"] == "export_columns_changed"


@pytest.mark.parametrize("file_format", list(Format))
def test_cells_of_a_file_are_read_back_as_they_were(tmp_path: Any, file_format: Format) -> None:
    path = tmp_path / f"a.{file_format}"
    write_file(path, file_format, "客户", ["名称", "备注"], [[text, "x"] for text in UGLY])

    layout = Layout("xlsx") if file_format is Format.XLSX else Layout("csv", None, "utf-8-sig", ",")
    header, *rows = Table(path, layout).rows()
    assert [row.cells[0] for row in rows] == UGLY
    assert header.cells == ["名称", "备注"]
