"""gRPC of custom fields and options, for mappings and templates of imports."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import grpc

from chassis.rpc.server import current_caller
from chassis.runtime import Runtime
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.dictionaries.queries import load_options
from crm_customer.dictionaries.rules import Option
from crm_customer.fields.model import CustomField
from crm_customer.fields.queries import custom_fields
from directory.scope import resolve_scope


class CustomFields:
    """ListCustomFields of CustomerService."""

    runtime: Runtime

    def ListCustomFields(
        self, request: pb.ListCustomFieldsRequest, context: grpc.ServicerContext
    ) -> pb.ListCustomFieldsResponse:
        actor_id = current_caller().require_actor()
        with self.runtime.database.reading() as session:
            fields = custom_fields(session, resolve_scope(session, actor_id))
            offered = [option for option in load_options(session).options if option.active]
            return pb.ListCustomFieldsResponse(fields=map(_message, fields), options=_options(offered))


def _options(offered: Iterable[Option]) -> Iterator[pb.FieldOptions]:
    for field, options in groupby(offered, lambda option: option.dictionary):
        yield pb.FieldOptions(field=field, labels=[option.label_zh for option in options])


def _message(field: CustomField) -> pb.CustomField:
    return pb.CustomField(
        key=field.key,
        label_zh=field.label_zh,
        label_en=field.label_en,
        kind=field.kind,
        required=field.required,
        options=[option["zh"] for option in field.options if option["active"]],
    )
