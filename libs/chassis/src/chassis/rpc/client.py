"""gRPC calls to peers: own service token, the actor beside it, a deadline always, the trace, safe retries."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast
from uuid import UUID

import grpc
from google.protobuf.descriptor_pool import Default

from chassis import metrics
from chassis.auth.tokens import ServiceTokens
from chassis.database import in_transaction
from chassis.tracing import Headers, Span, SpanKind, carried, failed, traced
from crm.common.v1 import options_pb2
from crm.customer.v1 import customer_service_pb2
from crm.identity.v1 import identity_service_pb2
from crm.pool.v1 import pool_service_pb2

DEFAULT_TIMEOUT_SECONDS = 2.0
AFTER_COMMIT_TIMEOUT_SECONDS = 0.3
_SERVICES = {
    "customer": customer_service_pb2.DESCRIPTOR,
    "identity": identity_service_pb2.DESCRIPTOR,
    "pool": pool_service_pb2.DESCRIPTOR,
}
_RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.05s",
    "maxBackoff": "0.5s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def on_behalf_of(actor_id: UUID) -> tuple[tuple[str, str], ...]:
    """Call metadata that names the member for whom this service acts."""
    return (("x-actor", str(actor_id)),)


class Peers:
    """Channels to the other services, opened when first used."""

    def __init__(self, tokens: ServiceTokens, targets: dict[str, str]) -> None:
        """`targets`: peer name → host:port (or dns:///…)."""
        self._tokens = tokens
        self._targets = targets
        self._channels: dict[str, grpc.Channel] = {}

    def channel(self, peer: str) -> grpc.Channel:
        """The channel to `peer`, for building a stub; `<service>_bulk`: to the processes of it that answer in bulk."""
        if peer not in self._channels:
            service = peer.removesuffix("_bulk")
            options = [
                ("grpc.service_config", json.dumps(_service_config(service))),
                ("grpc.max_receive_message_length", 16 * 1024 * 1024),
                ("grpc.max_send_message_length", 16 * 1024 * 1024),
                ("grpc.initial_reconnect_backoff_ms", 200),
                ("grpc.max_reconnect_backoff_ms", 500),
                # A roll replaces every address sooner than in the 30 s for which gRPC would not ask DNS again.
                ("grpc.dns_min_time_between_resolutions_ms", 1000),
                # A peer whose machine vanished is left when nothing was acknowledged for 5 s, not after TCP's quarter of
                # an hour. Servers end connections that ping more often than every 5 minutes.
                ("grpc.keepalive_time_ms", 300_000),
                ("grpc.keepalive_timeout_ms", 5000),
            ]
            plain = grpc.insecure_channel(self._targets[peer], options=options)
            self._channels[peer] = grpc.intercept_channel(plain, _CallInterceptor(service, self._tokens))
        return self._channels[peer]

    def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            channel.close()


def _service_config(peer: str) -> dict[str, Any]:
    service = next(iter(_SERVICES[peer].services_by_name.values()))
    safe = [
        {"service": service.full_name, "method": method.name}
        for method in service.methods
        if method.GetOptions().Extensions[options_pb2.idempotent]
    ]
    # No "timeout" here: gRPC applies it a second early (grpc/grpc 34547); deadlines are set per call.
    return {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": safe, "retryPolicy": _RETRY}] if safe else [],
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }


class _Details(grpc.ClientCallDetails):
    def __init__(self, base: Any, timeout: float, metadata: Sequence[tuple[str, str]]) -> None:
        self.method = base.method
        self.timeout = timeout
        self.metadata = tuple(metadata)
        self.credentials = base.credentials
        self.wait_for_ready = base.wait_for_ready
        self.compression = base.compression


class _CallInterceptor(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, peer: str, tokens: ServiceTokens) -> None:
        self._peer = peer
        self._tokens = tokens

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        if in_transaction():
            raise RuntimeError(f"call to {self._peer} while a database transaction is open")
        with _calling(details.method) as measured:
            metadata = [
                *(details.metadata or ()),
                ("authorization", f"Bearer {self._tokens.sign(self._peer)}"),
                *carried().items(),
            ]
            call = continuation(_Details(details, details.timeout or DEFAULT_TIMEOUT_SECONDS, metadata), request)
            measured(cast(Any, call).code())
        return call


@contextmanager
def _calling(method: str) -> Iterator[Callable[[grpc.StatusCode], None]]:
    """The edge of calls: each is a step of the running trace, and measured once its code is known."""
    started = time.perf_counter()
    with rpc_step(method, SpanKind.CLIENT) as span:

        def measured(code: grpc.StatusCode) -> None:
            metrics.grpc_client_duration.labels(method, code.name).observe(time.perf_counter() - started)
            span.set_attribute("rpc.response.status_code", code.name)
            if code is not grpc.StatusCode.OK:
                failed(span, code.name)

        yield measured


def rpc_step(method: str, kind: SpanKind, metadata: Headers | None = None) -> AbstractContextManager[Span]:
    """A call of `/package.Service/Method` as a step of a trace."""
    name = method.lstrip("/")
    return traced(name, kind, metadata, {"rpc.system.name": "grpc", "rpc.method": name})


def method_options(full_method: str) -> Any:
    """The options of `/package.Service/Method`, or None when it is not one of ours (health, reflection)."""
    service, _, method = full_method.lstrip("/").partition("/")
    if not service.startswith("crm."):
        return None
    try:
        return Default().FindServiceByName(service).methods_by_name[method].GetOptions()
    except KeyError:
        return None
