"""The bulk role: the service's gRPC in a process of its own, for callers that write and read by the thousand.

A large import shares neither the interpreter nor the threads with people's pages, which `serve` answers (decision 0039).
"""

import signal
import threading

from chassis.health import Health
from chassis.roles.serve import GRACE_SECONDS, serving_checks
from chassis.rpc.server import GrpcServer
from chassis.runtime import Runtime
from chassis.service import Service
from chassis.tracing import export_traces


def bulk(service: Service, runtime: Runtime) -> None:
    """Answer until SIGTERM or SIGINT, drain, then finish what runs."""
    export_traces(service.name, "bulk", runtime.settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    rpc = GrpcServer(runtime.settings.grpc_bind, runtime.service_tokens, service.rpc(runtime))
    rpc.start()
    health = Health(runtime, service.scripts(), serving_checks(runtime))
    server = health.serve_in_thread(runtime.settings.metrics_bind)
    stopping.wait()
    runtime.draining.set()
    rpc.drain()
    threading.Event().wait(runtime.settings.drain_seconds)
    rpc.stop(GRACE_SECONDS)
    server.shutdown()
