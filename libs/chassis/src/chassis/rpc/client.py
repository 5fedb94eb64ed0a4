"""gRPC calls to peers: own service token, the actor beside it, a deadline always, the trace, safe retries."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID

import grpc
from google.protobuf.descriptor_pool import Default

from chassis import metrics
from chassis.auth.tokens import ServiceTokens
from chassis.database import in_transaction
from chassis.tracing import current_trace
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
        """The channel to `peer`, for building a stub."""
        if peer not in self._channels:
            options = [
                ("grpc.service_config", json.dumps(_service_config(peer))),
                ("grpc.max_receive_message_length", 16 * 1024 * 1024),
                ("grpc.max_send_message_length", 16 * 1024 * 1024),
                ("grpc.initial_reconnect_backoff_ms", 200),
                ("grpc.max_reconnect_backoff_ms", 2000),
            ]
            plain = grpc.insecure_channel(self._targets[peer], options=options)
            self._channels[peer] = grpc.intercept_channel(plain, _CallInterceptor(peer, self._tokens))
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
        metadata = [
            *(details.metadata or ()),
            ("authorization", f"Bearer {self._tokens.sign(self._peer)}"),
            ("traceparent", current_trace().traceparent),
        ]
        started = time.perf_counter()
        call = continuation(_Details(details, details.timeout or DEFAULT_TIMEOUT_SECONDS, metadata), request)
        code = cast(Any, call).code()
        metrics.grpc_client_duration.labels(details.method, code.name).observe(time.perf_counter() - started)
        return call


def method_options(full_method: str) -> Any:
    """The options of `/package.Service/Method`, or None when it is not one of ours (health, reflection)."""
    service, _, method = full_method.lstrip("/").partition("/")
    if not service.startswith("crm."):
        return None
    try:
        return Default().FindServiceByName(service).methods_by_name[method].GetOptions()
    except KeyError:
        return None
