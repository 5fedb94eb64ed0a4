"""Refusals on the wire of gRPC: google.rpc.Status with ErrorInfo, BadRequest and RetryInfo, both ways."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from chassis.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    Stale,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

DOMAIN = "highsea"
_BY_STATUS: dict[grpc.StatusCode, type[Refusal]] = {
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.ABORTED: Stale,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooManyRequests,
}
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def abort(context: grpc.ServicerContext, refusal: Refusal) -> NoReturn:
    """End the call with `refusal`."""
    details: list[Any] = [
        error_details_pb2.ErrorInfo(
            reason=refusal.code,
            domain=DOMAIN,
            metadata={key: str(value) for key, value in refusal.parameters.items()},
        )
    ]
    if refusal.errors:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=error.pointer, reason=error.code, description=error.code)
            for error in refusal.errors
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if refusal.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(refusal.retry_after_seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = []
    for detail in details:
        wrapper = any_pb2.Any()
        wrapper.Pack(detail)
        packed.append(wrapper)
    code = code_pb2.Code.Value(refusal.grpc_status.name)
    status = status_pb2.Status(code=code, message=refusal.code, details=packed)
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("unreachable")


@contextmanager
def peer_errors(peer: str) -> Iterator[None]:
    """Turn a failed call to `peer` into the refusal it carried; Unavailable when the peer is away or too slow."""
    try:
        yield
    except grpc.RpcError as error:
        raise refusal_of(error, peer) from error


def refusal_of(error: Any, peer: str) -> Refusal:
    """The refusal inside a gRPC error."""
    status = error.code()
    found = rpc_status.from_call(error)
    info, violations, retry = _details(found)
    if status in _AWAY or info is None:
        return Unavailable("peer_unavailable", retry_after_seconds=retry or 2, peer=peer)
    refusal = _BY_STATUS.get(status, Unavailable)
    return refusal(info.reason, errors=violations, retry_after_seconds=retry, **dict(info.metadata))


def _details(status: Any) -> tuple[error_details_pb2.ErrorInfo | None, list[FieldError], float | None]:
    info: error_details_pb2.ErrorInfo | None = None
    violations: list[FieldError] = []
    retry: float | None = None
    for packed in status.details if status is not None else ():
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
            detail: Any = kind()
            if not packed.Unpack(detail):
                continue
            if isinstance(detail, error_details_pb2.ErrorInfo):
                info = detail
            elif isinstance(detail, error_details_pb2.BadRequest):
                violations = [FieldError(item.field, item.reason) for item in detail.field_violations]
            else:
                retry = detail.retry_delay.ToMilliseconds() / 1000
    return info, violations, retry
