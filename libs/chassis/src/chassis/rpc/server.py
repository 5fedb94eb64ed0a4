"""The gRPC server of a service: authenticates callers, maps refusals, measures, bounds its queue."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from chassis import metrics
from chassis.auth.tokens import ServiceTokens
from chassis.errors import Forbidden, Refusal, Unauthenticated
from chassis.logs import get_logger
from chassis.rpc.client import method_options, rpc_step
from chassis.rpc.errors import abort
from chassis.tracing import SpanKind, current_trace_id, failed
from crm.common.v1 import options_pb2

_THREADS = 16
_OWN_FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE})
log = get_logger(__name__)


@dataclass(frozen=True)
class RpcCaller:
    """Who calls: a service, and the member it acts for (None when it acts for itself)."""

    service: str
    actor_id: UUID | None

    def require_actor(self) -> UUID:
        """The member. Raises Unauthenticated when the call names none."""
        if self.actor_id is None:
            raise Unauthenticated("token_missing")
        return self.actor_id


_caller: ContextVar[RpcCaller] = ContextVar("rpc_caller")


def current_caller() -> RpcCaller:
    """The caller of the RPC being answered."""
    return _caller.get()


class GrpcServer:
    """A running gRPC server."""

    def __init__(self, bind: str, tokens: ServiceTokens, register: Sequence[Callable[[grpc.Server], None]]) -> None:
        """`register` adds the servicers. Raises RuntimeError when `bind` is taken."""
        self._health = health.HealthServicer()
        metrics.grpc_threads.labels("limit").set(_THREADS)
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc"),
            interceptors=[_Interceptor(tokens)],
            maximum_concurrent_rpcs=64,
            options=[
                ("grpc.max_receive_message_length", 16 * 1024 * 1024),
                ("grpc.max_send_message_length", 16 * 1024 * 1024),
                ("grpc.max_connection_age_ms", 300_000),
                ("grpc.so_reuseport", 0),
            ],
        )
        for add in register:
            add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_insecure_port(bind)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()
        self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    def drain(self) -> None:
        """Say NOT_SERVING for good, but go on answering."""
        self._health.enter_graceful_shutdown()

    def stop(self, grace_seconds: float = 10) -> None:
        """Say NOT_SERVING, let running calls end, stop."""
        self.drain()
        stopped: threading.Event = self._server.stop(grace_seconds)
        stopped.wait(grace_seconds + 1)


class _Outcome:
    """What becomes of a call."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._refusal: Refusal | None = None
        self._broken_trace_id = ""
        self.code = grpc.StatusCode.OK

    def end(self, error: Exception) -> None:
        """It ends with this; what is no refusal is a bug."""
        if isinstance(error, Refusal):
            self._refusal, self.code = error, error.grpc_status
        else:
            self._broken_trace_id, self.code = current_trace_id(), grpc.StatusCode.INTERNAL
            log.error("rpc_failed", method=self._method, exc_info=error)

    def abort(self, context: grpc.ServicerContext) -> NoReturn:
        """Tell the caller."""
        if self._refusal is not None:
            abort(context, self._refusal)
        context.abort(self.code, f"internal_error {self._broken_trace_id}")
        raise AssertionError("unreachable")


@contextmanager
def _answering(method: str, metadata: dict[str, Any]) -> Iterator[_Outcome]:
    """The edge of gRPC: a call is a step of its caller's trace, and measured."""
    started, outcome = time.perf_counter(), _Outcome(method)
    with rpc_step(method, SpanKind.SERVER, metadata) as span, metrics.grpc_threads.labels("busy").track_inprogress():
        yield outcome
        span.set_attribute("rpc.response.status_code", outcome.code.name)
        if outcome.code in _OWN_FAULTS:
            failed(span, outcome.code.name)
    metrics.grpc_duration.labels(method, outcome.code.name).observe(time.perf_counter() - started)


class _Interceptor(grpc.ServerInterceptor):
    def __init__(self, tokens: ServiceTokens) -> None:
        self._tokens = tokens

    def intercept_service(self, continuation: Callable[..., Any], details: Any) -> Any:
        handler = continuation(details)
        options = method_options(details.method)
        if handler is None or handler.unary_unary is None or options is None:
            return handler
        metadata = dict(details.invocation_metadata)

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            with _answering(details.method, metadata) as outcome:
                try:
                    token = _caller.set(self._authenticated(metadata, options))
                    try:
                        return handler.unary_unary(request, context)
                    finally:
                        _caller.reset(token)
                except Exception as error:
                    outcome.end(error)
            return outcome.abort(context)

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)

    def _authenticated(self, metadata: dict[str, Any], options: Any) -> RpcCaller:
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        if scheme != "Bearer":
            raise Unauthenticated("service_token_required")
        service = self._tokens.verify(token)
        allowed = options.Extensions[options_pb2.callers]
        if allowed and service not in allowed:
            raise Forbidden("forbidden", permission=f"caller:{','.join(allowed)}")
        actor = metadata.get("x-actor")
        try:
            return RpcCaller(service, UUID(str(actor)) if actor else None)
        except ValueError as error:
            raise Unauthenticated("token_invalid") from error
