"""Expected refusals, each with one stable code for HTTP and gRPC alike (RFC 9457, google.rpc.ErrorInfo).

Anything else that escapes a handler is a bug: logged with its trace id and answered as 500 without detail.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import grpc


@dataclass(frozen=True)
class FieldError:
    """One wrong field: `pointer` is an RFC 6901 JSON pointer, `code` stable, `parameters` fill the message."""

    pointer: str
    code: str
    parameters: dict[str, Any] = field(default_factory=dict)


class Refusal(Exception):
    """Base of every expected refusal.

    `code` names the case for programs and the message catalogue; `parameters` fill the message;
    `errors` lists wrong fields; `retry_after_seconds` becomes Retry-After or RetryInfo;
    `extra` holds members added to the problem body.
    """

    status: ClassVar[int] = 500
    grpc_status: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        code: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after_seconds: float | None = None,
        extra: dict[str, Any] | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.errors = tuple(errors)
        self.retry_after_seconds = retry_after_seconds
        self.extra = extra or {}
        self.parameters = parameters


class Malformed(Refusal):
    """The request cannot be read at all."""

    status = 400
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT


class Unauthenticated(Refusal):
    """No valid token."""

    status = 401
    grpc_status = grpc.StatusCode.UNAUTHENTICATED


class Forbidden(Refusal):
    """The caller lacks the right. The parameter `permission` names it, in the problem body as well (Q-23)."""

    status = 403
    grpc_status = grpc.StatusCode.PERMISSION_DENIED

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code, **more)
        if "permission" in self.parameters:
            self.extra = {"permission": str(self.parameters["permission"])} | self.extra


class NotFound(Refusal):
    """No such record, or outside the caller's scope: the two are never told apart."""

    status = 404
    grpc_status = grpc.StatusCode.NOT_FOUND


class Moved(Refusal):
    """The record is found at another address, `location` below the same host."""

    status = 308
    grpc_status = grpc.StatusCode.NOT_FOUND

    def __init__(self, code: str, location: str, **more: Any) -> None:
        super().__init__(code, **more)
        self.location = location


class Conflict(Refusal):
    """A business rule refuses."""

    status = 409
    grpc_status = grpc.StatusCode.FAILED_PRECONDITION


class Stale(Refusal):
    """Someone else changed the record since the caller read it."""

    status = 412
    grpc_status = grpc.StatusCode.ABORTED


class TooLarge(Refusal):
    """The body exceeds the limit."""

    status = 413
    grpc_status = grpc.StatusCode.OUT_OF_RANGE


class UnsupportedMedia(Refusal):
    """The body is of a type that this route does not read."""

    status = 415
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT


class Invalid(Refusal):
    """Fields break their rules."""

    status = 422
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT


def invalid(*errors: FieldError) -> Invalid:
    """The refusal that lists every wrong field."""
    return Invalid("validation_failed", errors=errors, count=len(errors))


class VersionRequired(Refusal):
    """If-Match is missing on an update."""

    status = 428
    grpc_status = grpc.StatusCode.FAILED_PRECONDITION


class TooManyRequests(Refusal):
    """A budget is used up."""

    status = 429
    grpc_status = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(Refusal):
    """The service cannot answer now; trying again later helps."""

    status = 503
    grpc_status = grpc.StatusCode.UNAVAILABLE
