"""What chunks of every kind of record have in common: what is asked, how many are written at once, the kept answer."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.database import Database, lock
from chassis.errors import Forbidden, Invalid, TooManyRequests
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.imports.model import BulkWriteResult
from crm_customer.imports.reading import Cells
from crm_customer.imports.rules import Chunk, Decided
from directory.permissions import Permission

MOST_ROWS = 1000
DECIDED = {
    rows_pb.IMPORT_DECISION_UPDATE: Decided.UPDATE,
    rows_pb.IMPORT_DECISION_CREATE: Decided.CREATE,
}


class Admission:
    """Only a few bulk writes at once: imports wait, users do not (design §2.11). As many more wait here for one of them to
    end, so that the next begins at once; whoever comes beyond them is told to come again.
    """

    def __init__(self, at_once: int) -> None:
        self._admitted = threading.BoundedSemaphore(2 * at_once)
        self._writing = threading.BoundedSemaphore(at_once)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place for the block, waiting for it if need be. Raises TooManyRequests."""
        if not self._admitted.acquire(blocking=False):
            raise TooManyRequests("bulk_write_busy", retry_after_seconds=1)
        try:
            with self._writing:
                yield
        finally:
            self._admitted.release()


def chunk_of(
    request: Any, is_known: Callable[[str], bool], matchable: Collection[str] = (), modes: Collection[int] = ()
) -> Chunk:
    """The head of a request, its rows checked for fields that are not `is_known`; without `matchable` fields a kind has
    neither modes nor matches. Raises Invalid when the caller got it wrong.
    """
    _check_rows(request, is_known)
    if matchable and request.mode not in modes:
        raise Invalid("malformed_chunk", reason="mode")
    fields = tuple(dict.fromkeys(request.match_fields)) if matchable else ()
    if matchable and not (fields and set(fields) <= set(matchable)):
        raise Invalid("malformed_chunk", reason="match_fields")
    pool_id = getattr(request, "target_pool_id", "")
    try:
        return Chunk(
            id=UUID(request.chunk_id),
            job_id=UUID(request.job_id),
            actor_id=UUID(request.actor_id),
            update=bool(matchable) and request.mode != rows_pb.IMPORT_MODE_CREATE_ONLY,
            match_fields=fields,
            clear_empty=bool(matchable) and request.clear_empty,
            target_pool_id=UUID(pool_id) if pool_id else None,
            ask=bool(matchable) and request.mode == rows_pb.IMPORT_MODE_ASK,
            rehearsal=request.rehearsal,
            fields=tuple(request.fields),
        )
    except ValueError as error:
        raise Invalid("uuid_parsing") from error


def by_column(request: Any) -> bool:
    """Whether the rows come by column (decision 0037); those of customers alone do."""
    return bool(getattr(request, "row_numbers", ()) or getattr(request, "columns", ()))


def _check_rows(request: Any, is_known: Callable[[str], bool]) -> None:
    columns = request.columns if by_column(request) else ()
    told = [row.row_number for row in request.rows]
    numbers = request.row_numbers if by_column(request) else told
    if len(numbers) > MOST_ROWS:
        raise Invalid("too_many_items", max_items=MOST_ROWS)
    if len(set(numbers)) != len(numbers) or len(set(told)) != len(told) or not set(told) <= set(numbers):
        raise Invalid("malformed_chunk", reason="row_number")
    names = [*request.fields, *(column.field for column in columns)]
    unknown = {name for name in set(names).union(*(row.values for row in request.rows)) if not is_known(name)}
    if unknown:
        raise Invalid("malformed_chunk", reason=f"fields: {min(unknown)[:50]}")
    if len(set(names)) != len(names) or (by_column(request) and request.fields):
        raise Invalid("malformed_chunk", reason="fields")
    if any(len(row.texts) != len(request.fields) for row in request.rows):
        raise Invalid("malformed_chunk", reason="texts")
    if any(len(column.texts) != len(numbers) for column in columns):
        raise Invalid("malformed_chunk", reason="texts")
    if by_column(request) and any(row.values for row in request.rows):
        raise Invalid("malformed_chunk", reason="rows")


def cells_of(request: pb.BulkWriteCustomersRequest, chunk: Chunk) -> list[Cells]:
    """The rows of a request that is checked; for one release also as import sent them before, those with the same fields
    together.
    """
    if by_column(request):
        return [Cells(request.row_numbers, {column.field: column.texts for column in request.columns})]
    alike: dict[tuple[str, ...], dict[int, list[str]]] = {}
    for row in request.rows:
        texts = texts_of(chunk, row)
        fields = tuple(sorted(texts))
        alike.setdefault(fields, {})[row.row_number] = [texts[name] for name in fields]
    return [
        Cells(tuple(rows), dict(zip(fields, zip(*rows.values(), strict=True), strict=True)))
        for fields, rows in alike.items()
    ]


def texts_of(chunk: Chunk, row: rows_pb.ImportRow) -> dict[str, str]:
    """Field → text of a row; for one release also as import sent it before."""
    return dict(zip(chunk.fields, row.texts, strict=True)) if chunk.fields else dict(row.values)


def written_once(
    database: Database, chunk: Chunk, matching: str, write: Callable[[Session], Sequence[rows_pb.ImportRowResult]]
) -> Sequence[rows_pb.ImportRowResult]:
    """The answer that is kept; else what `write` answers, alone among all imports that are `matching`, so that two never
    create one record twice (design §4). A rehearsal reads, and nothing of it is kept.
    """
    with database.reading() as session:
        if chunk.rehearsal:
            return write(session)
        kept = kept_answer(session, chunk.id)
    if kept is not None:
        return kept.results
    with database.transaction() as session:
        lock(session, matching)
        kept = kept_answer(session, chunk.id)
        if kept is not None:
            return kept.results
        results = write(session)
        keep_answer(session, chunk.id, pb.BulkWriteCustomersResponse(results=results), now())
    return results


def importing(session: Session, chunk: Chunk, *needed: str) -> Sight:
    """What the importer sees, whose rights are checked for every chunk again; `needed` beside import.run.

    Raises Unauthenticated for one who has left, Forbidden without the rights.
    """
    sight = sight_of(session, chunk.actor_id)
    for permission in (Permission.IMPORT_RUN, *needed):
        if not sight.scope.may(permission):
            raise Forbidden("forbidden", permission=permission)
    return sight


def kept_answer(session: Session, chunk_id: UUID) -> pb.BulkWriteCustomersResponse | None:
    """What was answered when the chunk was written, or None; of contacts and follow-ups the results in the same form."""
    kept = session.scalar(select(BulkWriteResult.response).where(BulkWriteResult.chunk_id == chunk_id))
    return None if kept is None else pb.BulkWriteCustomersResponse.FromString(kept)


def keep_answer(session: Session, chunk_id: UUID, response: pb.BulkWriteCustomersResponse, at: datetime) -> None:
    """Remember the answer with what was written."""
    kept = response.SerializeToString(deterministic=True)
    session.execute(insert(BulkWriteResult).values(chunk_id=chunk_id, response=kept, written_at=at))
