"""Calls to the gRPC servers of the running services, as one of them or as somebody else."""

import importlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor

from chassis.auth.tokens import ServiceTokens
from highsea_local.demo.gateway import until
from tests.support.repository import ROOT


def methods() -> Iterator[tuple[str, MethodDescriptor]]:
    """Every method of every contract as `service.Method`, with its descriptor."""
    for path in sorted(ROOT.glob("proto/crm/*/v1/*_service.proto")):
        name = ".".join(path.relative_to(ROOT / "proto").with_suffix("").parts)
        for service in importlib.import_module(f"{name}_pb2").DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"{path.parts[-3]}.{method.name}", method


METHODS = dict(methods())
_LATER = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)


def signed(system: Any, service: str, audience: str) -> str:
    """A token of a running service, for calling another one."""
    environment = system.environment(service)
    own, everybody = (
        Path(environment[name]).read_text(encoding="utf-8") for name in ("SERVICE_KEY_FILE", "SERVICE_KEYS_FILE")
    )
    return ServiceTokens(service, own, everybody).sign(audience)


def call(system: Any, caller: str, method: str, request: Any, *, actor: str = "", token: str | None = None) -> Any:
    """Call `service.Method` as the service `caller`, or with another token; "" sends none. Raises grpc.RpcError."""
    callee, descriptor = method.partition(".")[0], METHODS[method]
    token = signed(system, caller, callee) if token is None else token
    metadata = [("authorization", f"Bearer {token}")] if token else []
    metadata += [("x-actor", actor)] if actor else []
    full_name = f"/{descriptor.containing_service.full_name}/{descriptor.name}"
    reply = descriptor.output_type._concrete_class
    stub = _channel(system.grpc_address(callee)).unary_unary(
        full_name, type(request).SerializeToString, reply.FromString
    )
    return until(lambda: _reply(lambda: stub(request, metadata=metadata, timeout=10, wait_for_ready=True)))[0]


def _reply(ask: Callable[[], Any]) -> tuple[Any] | None:
    """The reply; None from a service that has enough to do, or whose peer is just back, and wants to be asked again."""
    try:
        return (ask(),)
    except grpc.RpcError as error:
        if error.code() in _LATER:  # type: ignore[attr-defined]
            return None
        raise


@cache
def _channel(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address)
