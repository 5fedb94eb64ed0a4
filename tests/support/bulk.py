"""Chunks of an import, sent to customer as the import service does."""

from typing import Any

from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb


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
        numbered = [row if isinstance(row, tuple) else (number, row) for number, row in enumerate(rows, 2)]
        values: dict[str, Any] = {
            "mode": rows_pb.IMPORT_MODE_CREATE_AND_UPDATE if update else rows_pb.IMPORT_MODE_CREATE_ONLY,
            "job_id": str(new_id()),
            "chunk_id": str(new_id()),
            "match_fields": ["name"],
            **fields,
        }
        return pb.BulkWriteCustomersRequest(
            actor_id=str((actor or self.customers.organisation.sales).id),
            rows=[
                rows_pb.ImportRow(row_number=number, values=row, **head)
                for number, row, *more in numbered
                for head in more or [{}]
            ],
            **values,
        )

    def write(self, *rows: Any, **options: Any) -> list[Any]:
        """The results of a chunk."""
        return list(self.send(self.request(*rows, **options)).results)

    def send(self, request: pb.BulkWriteCustomersRequest) -> pb.BulkWriteCustomersResponse:
        """The answer to a request."""
        answer: pb.BulkWriteCustomersResponse = self.stub.BulkWriteCustomers(request, timeout=30)
        return answer
