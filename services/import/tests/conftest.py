"""The import service opened for tests, files to upload, and services in place of customer and identity that write rows down."""

import asyncio
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from nats.js.errors import NotFoundError
from openpyxl import Workbook
from sqlalchemy import select
from werkzeug.test import TestResponse

from chassis.auth.tokens import ServiceTokens
from chassis.errors import Refusal, Unavailable
from chassis.events.relay import run_relay
from chassis.events.streams import ensure_queue, reconcile
from chassis.identifiers import new_id
from chassis.roles.work import Connection
from chassis.rpc.server import GrpcServer
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceServicer, add_CustomerServiceServicer_to_server
from crm.identity.v1 import identity_service_pb2 as identity_pb
from crm.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer, add_IdentityServiceServicer_to_server
from crm.imports.v1.imports_events_pb2 import ChunkReady, SplitRequested
from crm_import.chunks.model import Chunk
from crm_import.chunks.role import work_off
from crm_import.chunks.worker import handle_chunk, handle_split
from crm_import.service import SERVICE
from crm_import.streams import WORK
from highsea_local.ports import free_port
from highsea_local.servers.nats import NatsServer
from tests.support.organisation import Member
from tests.support.services import Keys, Opener, OpenService

HEADER = ("客户名称", "手机", "客户行业", "备注")
MEMBERS_HEADER = ("登录名", "姓名", "邮箱", "手机", "部门", "角色", "语言")


@pytest.fixture
def imports(services: Opener, customers: tuple["Customers", str]) -> Iterator[OpenService]:
    """The service with its REST API and database, and a customer service that knows no custom fields yet."""
    with services.open(SERVICE, customer_grpc=customers[1]) as opened:
        yield opened


def texts_of(request: Any) -> list[dict[str, str]]:
    """Field → text of each row of a chunk as it was sent."""
    if getattr(request, "columns", ()):
        names = [column.field for column in request.columns]
        cells = zip(*(column.texts for column in request.columns), strict=True)
        return [dict(zip(names, texts, strict=True)) for texts in cells]
    return [dict(zip(request.fields, row.texts, strict=True)) for row in request.rows]


def make_workbook(*rows: Sequence[Any]) -> bytes:
    """An .xlsx file with these rows on its first sheet."""
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    for row in book.active.iter_rows():
        for cell in row:
            cell.data_type = "s" if cell.data_type == "f" else cell.data_type  # text that looks like a formula
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.fixture
def workbook() -> Callable[..., bytes]:
    """`workbook(row, …)` → content of an .xlsx file."""
    return make_workbook


@dataclass(frozen=True)
class Importer:
    """A member at the import page. Each method is one request and returns the response."""

    service: OpenService
    member: Member

    def upload(self, content: bytes, name: str = "客户.xlsx", query: str = "", **headers: str) -> TestResponse:
        return self.service.client.post(
            f"/api/v1/imports{query}",
            data={"file": (io.BytesIO(content), name)},
            content_type="multipart/form-data",
            headers=self.service.headers(self.member, **headers),
        )

    def uploaded(self, *rows: Sequence[Any]) -> Any:
        """The view of a fresh import of these rows."""
        reply = self.upload(make_workbook(HEADER, *rows))
        assert reply.status_code == 201, reply.text
        return reply.json

    def uploaded_members(self, *rows: Sequence[Any]) -> Any:
        """The view of a fresh import of these rows of members."""
        return self.uploaded_as("members", MEMBERS_HEADER, *rows)

    def uploaded_as(self, kind: str, *rows: Sequence[Any]) -> Any:
        """The view of a fresh import of these rows, the header first."""
        reply = self.upload(make_workbook(*rows), "记录.xlsx", f"?kind={kind}")
        assert reply.status_code == 201, reply.text
        return reply.json

    def patch(self, job: Any, **settings: Any) -> TestResponse:
        headers = self.service.headers(self.member, If_Match=f'"{job["version"]}"')
        return self.service.client.patch(f"/api/v1/imports/{job['id']}", json=settings, headers=headers)

    def post(self, job: Any, verb: str, **body: Any) -> TestResponse:
        """`verb` with a query behind it, if need be."""
        headers = self.service.headers(self.member)
        path = f"/api/v1/imports/{job['id']}:{verb}"
        return self.service.client.post(path, headers=headers, **({"json": body} if body else {}))

    def started(self, *rows: Sequence[Any], **settings: Any) -> Any:
        """The view of an import of these rows that has just been started."""
        job = self.uploaded(*rows)
        assert not settings or self.patch(job, **settings).status_code == 200
        reply = self.post(job, "start")
        assert reply.status_code == 200, reply.text
        return reply.json

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.service.client.get(f"/api/v1{path}", headers=self.service.headers(self.member, **headers))


@pytest.fixture
def sales(imports: OpenService) -> Importer:
    """张三 of the east, who may import."""
    return Importer(imports, imports.organisation.sales)


@pytest.fixture
def importer() -> Callable[[OpenService, Member], Importer]:
    """Anybody at the import page of any opened import service."""
    return Importer


def wait_until(found: Callable[[], Any], seconds: float = 60) -> Any:
    """What `found` returns once it is true; fails when that takes too long."""
    until = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)
    return result


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """`eventually(found)` → what `found()` returns once it is true."""
    return wait_until


@dataclass
class Customers(CustomerServiceServicer):
    """A customer service that keeps names: a new one is created, a known one exists, one with 坏 in it is refused.

    Customers with a word of `owners` in their names are that member's. It takes back all rows but those in `touched`, by
    number, with their reasons. It answers `custom_fields`, unless they are None, and what `export` makes of a request.
    `refusals` are raised by the next calls, one each. After `hold_after` calls it writes but does not answer until
    `gate` opens. Rows created with nothing else to say are told `by_column`, unless it is of the former release;
    `answer` is what it answers in place of all that.
    """

    ids: dict[str, str] = field(default_factory=dict)
    by_column: bool = True
    answer: pb.BulkWriteCustomersResponse | None = None
    owners: dict[str, str] = field(default_factory=dict)
    custom_fields: pb.ListCustomFieldsResponse | None = field(default_factory=pb.ListCustomFieldsResponse)
    fields_asked: int = 0
    written: dict[tuple[str, str, int], rows_pb.ImportRowResult] = field(default_factory=dict)
    requests: list[Any] = field(default_factory=list)
    reverts: list[pb.RevertRowsRequest] = field(default_factory=list)
    touched: dict[int, list[rows_pb.ImportRowProblem]] = field(default_factory=dict)
    refusals: list[Refusal | Exception] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    hold_after: int | None = None
    export: Callable[[pb.ExportRowsRequest], pb.ExportRowsResponse] = lambda _: pb.ExportRowsResponse()
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def sent(self) -> list[dict[str, str]]:
        """Every row that was sent, field → text."""
        return [texts for request in self.requests for texts in texts_of(request)]

    def BulkWriteCustomers(self, request: Any, context: grpc.ServicerContext) -> pb.BulkWriteCustomersResponse:
        with self.lock:
            self.requests.append(request)
            if self.refusals:
                raise self.refusals.pop(0)
            holds = self.hold_after is not None and len(self.requests) > self.hold_after
            results = [
                self._result(request, _row(request, number), texts)
                for number, texts in zip(request.row_numbers, texts_of(request), strict=True)
            ]
        if holds:  # what is written is written, but the answer does not come
            self.gate.wait(60)
        if self.answer is not None:
            return self.answer
        return _together(results) if self.by_column and not request.rehearsal else _one_by_one(results)

    def RevertRows(self, request: pb.RevertRowsRequest, context: grpc.ServicerContext) -> pb.RevertRowsResponse:
        with self.lock:
            self.reverts.append(request)
            if self.refusals:
                raise self.refusals.pop(0)
            holds = self.hold_after is not None and len(self.reverts) > self.hold_after
            rows = [self._reverted(row) for row in request.rows]
        if holds:
            self.gate.wait(60)
        return pb.RevertRowsResponse(rows=rows)

    def _reverted(self, row: pb.WrittenRow) -> pb.RevertedRow:
        problems = self.touched.get(row.row_number, [])
        outcome = pb.REVERT_OUTCOME_UNDONE
        if problems:
            outcome = pb.REVERT_OUTCOME_LEFT if row.created else pb.REVERT_OUTCOME_PARTLY
        return pb.RevertedRow(row_number=row.row_number, outcome=outcome, problems=problems)

    def ExportRows(self, request: Any, context: grpc.ServicerContext) -> pb.ExportRowsResponse:
        return self.export(request)

    def BulkWriteContacts(self, request: Any, context: grpc.ServicerContext) -> pb.BulkWriteContactsResponse:
        return pb.BulkWriteContactsResponse(results=self._created(request))

    def BulkWriteActivities(self, request: Any, context: grpc.ServicerContext) -> pb.BulkWriteActivitiesResponse:
        return pb.BulkWriteActivitiesResponse(results=self._created(request))

    def _created(self, request: Any) -> list[rows_pb.ImportRowResult]:
        """A record of each row that has a customer without 坏."""
        self.requests.append(request)
        if self.refusals:
            raise self.refusals.pop(0)
        return [self._create(row, texts) for row, texts in zip(request.rows, texts_of(request), strict=True)]

    def _create(self, row: rows_pb.ImportRow, texts: dict[str, str]) -> rows_pb.ImportRowResult:
        customer = texts["customer"]
        if "坏" not in customer:
            made = {"outcome": rows_pb.IMPORT_OUTCOME_CREATED, "record_id": str(new_id())}
            return rows_pb.ImportRowResult(row_number=row.row_number, **made)
        problem = rows_pb.ImportRowProblem(field="customer", code="customer_not_found", value=customer)
        return rows_pb.ImportRowResult(
            row_number=row.row_number, outcome=rows_pb.IMPORT_OUTCOME_FAILED, problems=[problem]
        )

    def ListCustomFields(self, request: Any, context: grpc.ServicerContext) -> pb.ListCustomFieldsResponse:
        self.fields_asked += 1
        if self.custom_fields is None:
            raise Unavailable("overloaded")
        return self.custom_fields

    def _result(self, request: Any, row: rows_pb.ImportRow, texts: dict[str, str]) -> rows_pb.ImportRowResult:
        if request.rehearsal:
            return self._rehearse(request, row, texts)
        key = (request.job_id, request.chunk_id, row.row_number)
        if key not in self.written:
            self.written[key] = self._write(request, row, texts)
        return self.written[key]

    def _rehearse(self, request: Any, row: rows_pb.ImportRow, texts: dict[str, str]) -> rows_pb.ImportRowResult:
        known = dict(self.ids)
        result = self._write(request, row, texts)
        self.ids = known
        if result.outcome == rows_pb.IMPORT_OUTCOME_CREATED:
            result.record_id = ""
        elif result.record_id:
            result.changes.add(field="remark", before="旧备注")
            if request.mode == rows_pb.IMPORT_MODE_ASK:
                del result.problems[:]
                result.problems.add(code="undecided")
        return result

    def _place(self, request: Any, name: str) -> dict[str, str]:
        owner = next((owner for word, owner in self.owners.items() if word in name), request.actor_id)
        lies_in = {"pool_id": request.target_pool_id, "pool_name": "华东公海"}
        return lies_in if request.target_pool_id else {"owner_id": owner}

    def _write(self, request: Any, row: rows_pb.ImportRow, texts: dict[str, str]) -> rows_pb.ImportRowResult:
        name = texts["name"]
        if "坏" in name:
            problems = [
                rows_pb.ImportRowProblem(field="industry", code="unknown_option", value=texts.get("industry", "")),
                rows_pb.ImportRowProblem(field="contact.mobile", code="mobile_invalid", value=texts["contact.mobile"]),
            ]
            return rows_pb.ImportRowResult(
                row_number=row.row_number, outcome=rows_pb.IMPORT_OUTCOME_FAILED, problems=problems
            )
        matched_by, updated = ("name" if name in self.ids else ""), rows_pb.IMPORT_DECISION_UPDATE
        if not matched_by or row.decision == rows_pb.IMPORT_DECISION_CREATE:
            self.ids[name] = str(new_id())
            return rows_pb.ImportRowResult(
                row_number=row.row_number,
                outcome=rows_pb.IMPORT_OUTCOME_CREATED,
                record_id=self.ids[name],
                **self._place(request, name),
            )
        if request.mode == rows_pb.IMPORT_MODE_CREATE_AND_UPDATE or row.decision == updated:
            outcome, problems = rows_pb.IMPORT_OUTCOME_UPDATED, []
        else:
            outcome = rows_pb.IMPORT_OUTCOME_SKIPPED
            problems = [rows_pb.ImportRowProblem(field="name", code="customer_exists", value=name)]
        return rows_pb.ImportRowResult(
            row_number=row.row_number,
            outcome=outcome,
            record_id=self.ids[name],
            problems=problems,
            matched_by=matched_by,
        )


def _row(request: Any, number: int) -> rows_pb.ImportRow:
    """What was decided about a row, or that nothing was."""
    decided = {row.row_number: row for row in request.rows}
    return decided.get(number) or rows_pb.ImportRow(row_number=number)


def _one_by_one(results: Sequence[rows_pb.ImportRowResult]) -> pb.BulkWriteCustomersResponse:
    return pb.BulkWriteCustomersResponse(results=results)


def _together(results: Sequence[rows_pb.ImportRowResult]) -> pb.BulkWriteCustomersResponse:
    """Those that were created by column, for each place."""
    answer = pb.BulkWriteCustomersResponse()
    groups: dict[tuple[str, str], rows_pb.CreatedRows] = {}
    for result in results:
        if result.outcome != rows_pb.IMPORT_OUTCOME_CREATED or result.matched_by:
            answer.results.append(result)
            continue
        place = {"owner_id": result.owner_id, "pool_id": result.pool_id, "pool_name": result.pool_name}
        group = groups.setdefault((result.owner_id, result.pool_id), rows_pb.CreatedRows(**place))
        group.row_numbers.append(result.row_number)
        group.record_ids.append(result.record_id)
    answer.created.extend(groups.values())
    return answer


@contextmanager
def _served(name: str, keys: Keys, add: Callable[[grpc.Server], None]) -> Iterator[str]:
    """A real gRPC server in the place of service `name`; its address."""
    bind = f"127.0.0.1:{free_port()}"
    server = GrpcServer(bind, ServiceTokens(name, keys.private(name), keys.public()), [add])
    server.start()
    try:
        yield bind
    finally:
        server.stop(1)


@pytest.fixture
def customers(keys: Keys) -> Iterator[tuple[Customers, str]]:
    """The stand-in for customer, and its address."""
    servicer = Customers()
    with _served("customer", keys, lambda server: add_CustomerServiceServicer_to_server(servicer, server)) as address:
        yield servicer, address
        servicer.gate.set()


@dataclass
class Identity(IdentityServiceServicer):
    """An identity that knows logins and one department, 华东销售部. `refusals` are raised by the next calls."""

    ids: dict[str, str] = field(default_factory=dict)
    requests: list[identity_pb.BulkWriteMembersRequest] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def sent(self) -> list[dict[str, str]]:
        """Every row that was sent, field → text."""
        return [texts for request in self.requests for texts in texts_of(request)]

    def BulkWriteMembers(self, request: Any, context: grpc.ServicerContext) -> identity_pb.BulkWriteMembersResponse:
        self.requests.append(request)
        if self.refusals:
            raise self.refusals.pop(0)
        return identity_pb.BulkWriteMembersResponse(results=[self._write(request, row) for row in request.rows])

    def _place(self, request: Any, name: str) -> dict[str, str]:
        owner = next((owner for word, owner in self.owners.items() if word in name), request.actor_id)
        return {"pool_id": request.target_pool_id} if request.target_pool_id else {"owner_id": owner}

    def _write(self, request: Any, row: rows_pb.ImportRow) -> rows_pb.ImportRowResult:
        texts = dict(zip(request.fields, row.texts, strict=True))
        login, department = texts["login"], texts.get("department", "")
        outcome, problems = rows_pb.IMPORT_OUTCOME_CREATED, []
        if texts.get("name") == "":
            outcome = rows_pb.IMPORT_OUTCOME_FAILED
            problems = [rows_pb.ImportRowProblem(field="name", code="missing")]
        elif department not in ("华东销售部", ""):
            outcome = rows_pb.IMPORT_OUTCOME_FAILED
            problems = [rows_pb.ImportRowProblem(field="department", code="unknown_department", value=department)]
        elif login not in self.ids:
            self.ids[login] = str(new_id())
        elif request.mode == rows_pb.IMPORT_MODE_CREATE_AND_UPDATE:
            outcome = rows_pb.IMPORT_OUTCOME_UPDATED
        else:
            outcome = rows_pb.IMPORT_OUTCOME_SKIPPED
            problems = [rows_pb.ImportRowProblem(field="login", code="member_exists", value=login)]
        id_ = self.ids.get(login, "")
        return rows_pb.ImportRowResult(row_number=row.row_number, outcome=outcome, record_id=id_, problems=problems)


@pytest.fixture
def identity(keys: Keys) -> Iterator[tuple[Identity, str]]:
    """The stand-in for identity, and its address."""
    servicer = Identity()
    with _served("identity", keys, lambda server: add_IdentityServiceServicer_to_server(servicer, server)) as address:
        yield servicer, address


@dataclass
class Running:
    """An import service whose outbox is relayed to NATS; workers run when started, here or as processes."""

    service: OpenService
    customers: Customers
    identity: Identity
    environment: dict[str, str]
    log: Path
    metrics_bind: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")

    @property
    def member(self) -> Importer:
        """张三, who may import."""
        return Importer(self.service, self.service.organisation.sales)

    @property
    def admin(self) -> Importer:
        """管理员, who may import members, too."""
        return Importer(self.service, self.service.organisation.admin)

    def configure(self, **settings: Any) -> None:
        """Change settings of what is started from now on."""
        runtime = self.service.runtime
        self.service.runtime = replace(runtime, settings=runtime.settings.model_copy(update=settings))

    def ended(self, job: Any) -> Any:
        """The view of the job once it has ended."""
        is_over = ("finished", "failed", "cancelled", "undone")
        path = f"/imports/{job['id']}"
        return wait_until(lambda: (now := self.admin.get(path).json)["status"] in is_over and now)

    def handled(self, job: Any) -> Any:
        """The view of the job after all its work that is to be done now."""
        handle_split(self.service.runtime, SplitRequested(job_id=job["id"]))
        for chunk in self.chunks(job):
            self.handle(job, chunk)
        return self.member.get(f"/imports/{job['id']}").json

    def handle(self, job: Any, chunk: Chunk) -> None:
        """Handle a chunk as a worker does."""
        message = ChunkReady(job_id=job["id"], chunk_id=str(chunk.id))
        while handle_chunk(self.service.runtime, message) is not None:
            pass

    def rehearsed(self, *rows: Sequence[Any], **settings: Any) -> Any:
        """The view of an import of these rows that has been rehearsed."""
        job = self.member.uploaded(*rows)
        assert not settings or self.member.patch(job, **settings).status_code == 200
        reply = self.member.post(job, "rehearse")
        assert reply.status_code == 200, reply.text
        return self.handled(job)

    def imported(self, *rows: Sequence[Any], **settings: Any) -> Any:
        """The view of an import of these rows that has ended."""
        job = self.member.started(*rows, **settings)
        with self.workers():
            return self.ended(job)

    def chunks(self, job: Any) -> list[Chunk]:
        """The job's chunks in their order."""
        with self.service.database.reading() as session:
            return list(session.scalars(select(Chunk).where(Chunk.job_id == job["id"]).order_by(Chunk.number)))

    def split(self, job: Any) -> list[ChunkReady]:
        """Split the job's file as a worker does; the messages of its chunks."""
        handle_split(self.service.runtime, SplitRequested(job_id=job["id"]))
        return [ChunkReady(job_id=job["id"], chunk_id=str(chunk.id)) for chunk in self.chunks(job)]

    @contextmanager
    def workers(self) -> Iterator[None]:
        """The process role in this process."""
        with _loop(lambda stopping: _work(self.service, stopping)):
            yield

    def process(self) -> subprocess.Popen[bytes]:
        """The process role as a real process, to be killed."""
        environment = {**self.environment, "METRICS_BIND": self.metrics_bind}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "crm_import", "process"], env=environment, stdout=log, stderr=subprocess.STDOUT
            )


@pytest.fixture
def running(
    services: Opener,
    nats_server: NatsServer,
    customers: tuple[Customers, str],
    identity: tuple[Identity, str],
    tmp_path: Path,
) -> Iterator[Running]:
    """An import service with NATS, customer and identity; chunks of 10 rows, redelivery after 3 s."""
    settings = {
        "nats_url": nats_server.url(),
        "customer_grpc": customers[1],
        "identity_grpc": identity[1],
        "import_chunk_rows": 10,
        "import_bulk_seconds": 20,
    }
    with services.open(SERVICE, **settings) as opened:
        values = {**opened.runtime.settings.model_dump(exclude_none=True), **settings}
        environment = {**os.environ, **{name.upper(): str(value) for name, value in values.items()}}
        with _loop(lambda stopping: _relay(opened, stopping)):
            yield Running(opened, customers[0], identity[0], environment, tmp_path / "process.log")


async def _relay(opened: OpenService, stopping: asyncio.Event) -> None:
    connection = Connection(opened.runtime.settings.nats_url)
    await connection.open()
    js = connection.jetstream()
    with suppress(NotFoundError):
        await js.delete_stream(WORK.name)  # what earlier tests left behind
    await reconcile(js, SERVICE.streams)
    for queue in SERVICE.queues:
        await ensure_queue(js, replace(queue, ack_wait_seconds=3))
    relaying = asyncio.create_task(run_relay(opened.runtime.settings.database_url, js, stopping))
    await stopping.wait()
    relaying.cancel()  # left to itself it listens for a second more
    with suppress(asyncio.CancelledError):
        await relaying
    await connection.close()


async def _work(opened: OpenService, stopping: asyncio.Event) -> None:
    connection = Connection(opened.runtime.settings.nats_url)
    await connection.open()
    await work_off(opened.runtime, connection, stopping)
    await connection.close()


@contextmanager
def _loop(main: Callable[[asyncio.Event], Any]) -> Iterator[None]:
    """Run a coroutine on a loop of its own until the block ends."""
    loop, stopping = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[main(stopping)])
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(60)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
