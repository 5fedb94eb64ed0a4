"""Chunks of an import, sent to customer as the import service does."""

from collections.abc import Sequence
from typing import Any

from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb


def by_columns(request: Any) -> Any:
    """The request, all of whose rows have the same fields, as import sends it."""
    made = type(request)()
    made.CopyFrom(request)
    made.fields[:] = sorted(request.rows[0].values)
    for row in made.rows:
        row.texts[:] = [row.values.pop(name) for name in made.fields]
        assert not row.values
    return made


def in_columns(request: Any) -> Any:
    """The request, all of whose rows have the same fields, by column (decision 0037)."""
    made = type(request)()
    made.CopyFrom(request)
    made.row_numbers[:] = [row.row_number for row in request.rows]
    for name in sorted(request.rows[0].values):
        made.columns.add(field=name, texts=[row.values[name] for row in request.rows])
    del made.rows[:]
    for row in request.rows:
        if row.decision:
            made.rows.add(row_number=row.row_number, decision=row.decision, record_id=row.record_id)
    return made


def results_of(response: pb.BulkWriteCustomersResponse) -> list[rows_pb.ImportRowResult]:
    """One result for each row, those told by column too, by number."""
    created = [
        rows_pb.ImportRowResult(
            row_number=number,
            outcome=rows_pb.IMPORT_OUTCOME_CREATED,
            record_id=record_id,
            owner_id=group.owner_id,
            pool_id=group.pool_id,
            pool_name=group.pool_name,
        )
        for group in response.created
        for number, record_id in zip(group.row_numbers, group.record_ids, strict=True)
    ]
    return sorted([*response.results, *created], key=lambda result: result.row_number)


class Importer:
    """Sends chunks for a member through the running gRPC server."""

    def __init__(self, customers: Any, stub: Any) -> None:
        self.customers = customers
        self.stub = stub

    def request(
        self, *rows: Any, actor: Any = None, update: bool = False, **fields: Any
    ) -> pb.BulkWriteCustomersRequest:
        """Rows are numbered from 2, as under a header; a row may bring its own number as (number, values), and what
        else is said of it as a third.
        """
        return pb.BulkWriteCustomersRequest(**self._head(rows, actor) | _matching(["name"], update, fields))

    def contacts_request(
        self, *rows: Any, actor: Any = None, update: bool = False, **fields: Any
    ) -> pb.BulkWriteContactsRequest:
        """The same, of contacts."""
        return pb.BulkWriteContactsRequest(**self._head(rows, actor) | _matching(["mobile", "name"], update, fields))

    def follow_ups_request(self, *rows: Any, actor: Any = None, **fields: Any) -> pb.BulkWriteActivitiesRequest:
        """The same, of follow-up records."""
        return pb.BulkWriteActivitiesRequest(**self._head(rows, actor) | fields)

    def write(self, *rows: Any, **options: Any) -> list[Any]:
        """The results of a chunk."""
        return self.results(self.request(*rows, **options))

    def write_contacts(self, *rows: Any, **options: Any) -> list[Any]:
        """The results of a chunk of contacts."""
        return list(self.send(self.contacts_request(*rows, **options)).results)

    def write_follow_ups(self, *rows: Any, **options: Any) -> list[Any]:
        """The results of a chunk of follow-up records."""
        return list(self.send(self.follow_ups_request(*rows, **options)).results)

    def results(self, request: Any) -> list[Any]:
        """The results of a request of customers, those told by column too, in its order."""
        return results_of(self.send(request))

    def send(self, request: Any) -> Any:
        """The answer to a request of any kind."""
        method = type(request).__name__.removesuffix("Request")
        return getattr(self.stub, method)(request, timeout=30)

    def _head(self, rows: Sequence[Any], actor: Any) -> dict[str, Any]:
        numbered = [row if isinstance(row, tuple) else (number, row) for number, row in enumerate(rows, 2)]
        return {
            "job_id": str(new_id()),
            "chunk_id": str(new_id()),
            "actor_id": str((actor or self.customers.organisation.sales).id),
            "rows": [
                rows_pb.ImportRow(row_number=number, values=row, **head)
                for number, row, *more in numbered
                for head in more or [{}]
            ],
        }


def _matching(match_fields: list[str], update: bool, fields: Any) -> dict[str, Any]:
    mode = rows_pb.IMPORT_MODE_CREATE_AND_UPDATE if update else rows_pb.IMPORT_MODE_CREATE_ONLY
    return {"mode": mode, "match_fields": match_fields, **fields}
