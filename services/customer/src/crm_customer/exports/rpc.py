"""gRPC of exports, for the import service alone."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast
from uuid import UUID

import grpc
from sqlalchemy.orm import Session

from chassis.errors import FieldError, Forbidden, Invalid, NotFound, TooManyRequests, invalid
from chassis.runtime import Runtime
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.exports.queries import (
    ACTIVITIES,
    CONTACTS,
    CUSTOMERS,
    Asked,
    Exporter,
    load_words,
    without_pools,
)
from crm_customer.exports.rules import Column
from crm_customer.listing.queries import total, total_belonging
from crm_customer.listing.rules import Sort
from crm_customer.listing.selections import filter_selected, uuid_of
from crm_customer.settings import Settings
from directory.actors import DirectoryActors
from directory.permissions import Permission

MOST_ROWS = 1000
MOST_IDS = 10_000
EXPORTS_AT_ONCE = 2
# Milliseconds that counting what customers have may take: somebody waits for the first answer.
_PATIENCE = 1500
# Half of what a message may weigh.
MOST_BYTES = 8 * 1024 * 1024
_EXPORTERS: Mapping[int, Exporter] = {
    pb.RECORD_KIND_CUSTOMERS: CUSTOMERS,
    pb.RECORD_KIND_CONTACTS: CONTACTS,
    pb.RECORD_KIND_ACTIVITIES: ACTIVITIES,
}


class Exports:
    """ExportRows of CustomerService."""

    runtime: Runtime
    export_slots: threading.BoundedSemaphore

    def ExportRows(self, request: pb.ExportRowsRequest, context: grpc.ServicerContext) -> pb.ExportRowsResponse:
        """Rights, scope and masks are those of this moment (decision 0030). Only a few at once: files wait, users do not."""
        exporter, size = _exporter(request), _size(request)
        if not self.export_slots.acquire(blocking=False):
            raise TooManyRequests("export_busy", retry_after_seconds=1)
        try:
            return self._fitting(request, exporter, size)
        finally:
            self.export_slots.release()

    def _fitting(self, request: pb.ExportRowsRequest, exporter: Exporter, size: int) -> pb.ExportRowsResponse:
        """A page no larger than a message may be: where rows are long, of fewer of them."""
        response = self._page(request, exporter, size)
        while response.ByteSize() > MOST_BYTES and size > 1:
            size //= 2
            response = self._page(request, exporter, size)
        return response

    def _page(self, request: pb.ExportRowsRequest, exporter: Exporter, size: int) -> pb.ExportRowsResponse:
        with self.runtime.database.reading() as session:
            actor_id = uuid_of(request.actor_id)
            whole = self._asked(session, sight_of(session, actor_id), request)
            asked = replace(whole, sight=without_pools(session, whole.sight))
            _require_administered(request.selection.filter.pool_id, whole.sight, asked.sight)
            words, custom = load_words(session, asked.sight, _language(session, actor_id))
            columns = _chosen(exporter.columns(custom), request.fields)
            page = exporter.page(session, asked, request.after, size)
            known = exporter.visible(session, asked) if asked.wanted is None and not request.after else 0
        response = pb.ExportRowsResponse(
            columns=[pb.ExportColumn(name=one.name, label_zh=one.zh, label_en=one.en) for one in columns],
            rows=[
                pb.ExportRow(cells=[words.cell(one.name, row.get(one.name)) for one in columns]) for row in page.rows
            ],
            next=page.next,
        )
        if not request.after:
            response.total, response.left_out = self._counts(whole, asked, known, exporter)
        return response

    def _asked(self, session: Session, sight: Sight, request: pb.ExportRowsRequest) -> Asked:
        for permission in (Permission.CUSTOMER_READ, Permission.CUSTOMER_EXPORT):
            if not sight.scope.may(permission):
                raise Forbidden("forbidden", permission=permission)
        if request.selection.WhichOneof("kind") == "filter":
            pattern = cast(Settings, self.runtime.settings).mobile_pattern
            wanted = filter_selected(session, sight, request.selection.filter, pattern)
            # An order in which nothing moves while the pages are read.
            return Asked(sight, wanted=replace(wanted, sort=Sort.NEWEST))
        ids = tuple(dict.fromkeys(map(uuid_of, request.selection.ids.ids)))
        if not 0 < len(ids) <= MOST_IDS:
            raise Invalid("too_many_items" if ids else "select_customers_first", max_items=MOST_IDS)
        return Asked(sight, ids=ids)

    def _counts(self, whole: Asked, asked: Asked, known: int, exporter: Exporter) -> tuple[int, int]:
        """About how many rows there are, and how many of the records or customers asked for are left out."""
        if asked.wanted is None:
            return known, len(asked.ids) - known
        database, wanted = self.runtime.database, asked.wanted
        found = total(database, asked.sight, wanted).rows
        every = total(database, whole.sight, wanted).rows if whole.sight != asked.sight else found
        rows = found
        if exporter.belonging is not None:
            rows = total_belonging(database, asked.sight, wanted, exporter.belonging, _PATIENCE).rows
        return rows, max(0, every - found)


def _exporter(request: pb.ExportRowsRequest) -> Exporter:
    if request.kind not in _EXPORTERS:
        raise Invalid("malformed_export", reason="kind")
    return _EXPORTERS[request.kind]


def _size(request: pb.ExportRowsRequest) -> int:
    size = request.page_size or MOST_ROWS
    if not 0 < size <= MOST_ROWS:
        raise Invalid("limit_out_of_range", most=MOST_ROWS)
    return size


def _require_administered(pool_id: str, whole: Sight, own: Sight) -> None:
    """Refuse a pool as such to all but its administrators; nobody is told of one out of sight."""
    if not pool_id or uuid_of(pool_id) in own.pool_ids:
        return
    if uuid_of(pool_id) in whole.pool_ids:
        raise Forbidden("pool_administrators_only")
    raise NotFound("pool_not_found")


def _language(session: Session, actor_id: UUID) -> str:
    actor = DirectoryActors().actor(session, actor_id)
    return actor.language if actor else "zh"


def _chosen(columns: Sequence[Column], names: Sequence[str]) -> list[Column]:
    """Those columns that are asked for, in their own order, and the id, by which a file finds its records again."""
    known = {column.name for column in columns}
    errors = [FieldError(f"/fields/{place}", "unknown_field") for place, name in enumerate(names) if name not in known]
    if errors:
        raise invalid(*errors)
    return [column for column in columns if not names or column.name in ("id", *names)]
