"""Asking customer which fields administrators have defined, and which options they offer today."""

from dataclasses import dataclass
from uuid import UUID

from chassis.errors import Refusal
from chassis.logs import get_logger
from chassis.rpc.client import on_behalf_of
from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from crm.customer.v1 import customer_service_pb2 as pb
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from crm_import.kinds.kind import Field, Form, Kind

_TIMEOUT_SECONDS = 1
log = get_logger(__name__)


@dataclass(frozen=True)
class Offered:
    """Custom fields as a member may fill them, and the options of other fields by name."""

    custom: tuple[Field, ...] = ()
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()


def offered_to(runtime: Runtime, actor_id: UUID, kind: Kind) -> Offered | None:
    """What the member finds beyond the kind itself; None while customer is away: an import goes on without it."""
    if not kind.asks_customer:
        return Offered()
    try:
        with peer_errors("customer"):
            reply = CustomerServiceStub(runtime.peers.channel("customer")).ListCustomFields(
                pb.ListCustomFieldsRequest(), timeout=_TIMEOUT_SECONDS, metadata=on_behalf_of(actor_id)
            )
    except Refusal as refusal:
        log.warning("custom_fields_unknown", code=refusal.code)
        return None
    options = tuple((one.field, tuple(one.labels)) for one in reply.options)
    return Offered(tuple(map(_custom, reply.fields)) if kind.custom_fields else (), options)


def custom_fields_of(runtime: Runtime, actor_id: UUID, kind: Kind) -> tuple[Field, ...] | None:
    """The custom fields that the member may fill by a file; None while customer is away, which is asked only where there
    are any.
    """
    if not kind.custom_fields:
        return ()
    offered = offered_to(runtime, actor_id, kind)
    return offered.custom if offered else None


def _custom(field: pb.CustomField) -> Field:
    return Field(
        name=f"custom.{field.key}",
        zh=field.label_zh,
        en=field.label_en,
        options=tuple(field.options),
        suggests=field.kind == "multiple_choice",
        rule=f"custom.{field.kind}",
        required=field.required,
        form=Form.DAY if field.kind == "date" else Form.TEXT,
    )
