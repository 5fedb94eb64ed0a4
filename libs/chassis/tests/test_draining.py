"""A serving process: its connections, and what it does when it is told to stop."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from grpc import insecure_channel
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from gunicorn.workers.gthread import DEFAULT_WORKER_DATA_TIMEOUT

from chassis.roles.serve import GRACE_SECONDS
from highsea_local.demo.gateway import until
from highsea_local.ports import free_port
from libs.chassis.tests.sample import SAMPLE
from tests.support.collector import collecting
from tests.support.repository import ROOT
from tests.support.services import Opener

# A shell without job control lets what it starts in the background ignore SIGQUIT, and all that is started there.
PROGRAM = """
import signal, sys
from chassis.roles import main
from libs.chassis.tests.sample import SAMPLE
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
sys.exit(main(SAMPLE))
"""


@contextmanager
def serving(
    services: Opener, drain_seconds: str, role: str = "serve", **further: str
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    binds = {name: f"127.0.0.1:{free_port()}" for name in ("HTTP_BIND", "GRPC_BIND", "METRICS_BIND")}
    environment = {
        "DATABASE_URL": services.database(SAMPLE),
        "NATS_URL": "nats://127.0.0.1:1",
        "SERVICE_KEY": services.keys.private(SAMPLE.name),
        "SERVICE_KEYS": services.keys.public(),
        "DRAIN_SECONDS": drain_seconds,
        **binds,
        **further,
    }
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, role], env={**os.environ, **environment}, cwd=ROOT)
    try:
        until(lambda: httpx.get(f"http://{binds['METRICS_BIND']}/readyz").status_code == 200, 60)
        yield process, binds
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(30)


def test_it_says_at_once_that_it_is_leaving_and_goes_on_answering(services: Opener) -> None:
    with serving(services, drain_seconds="60") as (process, binds):
        process.send_signal(signal.SIGTERM)

        until(lambda: httpx.get(f"http://{binds['METRICS_BIND']}/readyz").json()["failing"] == ["draining"], 30)
        assert httpx.get(f"http://{binds['HTTP_BIND']}/readyz").status_code == 503
        assert httpx.get(f"http://{binds['HTTP_BIND']}/api/v1/notes").status_code == 401
        with insecure_channel(binds["GRPC_BIND"]) as channel:
            assert HealthStub(channel).Check(HealthCheckRequest(), timeout=5).status == 2  # NOT_SERVING
        assert process.poll() is None


def test_bulk_answers_grpc_alone_and_goes_on_answering_while_it_leaves(services: Opener) -> None:
    with serving(services, "60", "bulk") as (process, binds), insecure_channel(binds["GRPC_BIND"]) as channel:
        assert HealthStub(channel).Check(HealthCheckRequest(), timeout=5).status == 1  # SERVING
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://{binds['HTTP_BIND']}/readyz")
        process.send_signal(signal.SIGTERM)

        until(lambda: httpx.get(f"http://{binds['METRICS_BIND']}/readyz").json()["failing"] == ["draining"], 30)
        assert HealthStub(channel).Check(HealthCheckRequest(), timeout=5).status == 2  # NOT_SERVING
        assert process.poll() is None


@pytest.mark.parametrize("role", ["serve", "bulk"])
@pytest.mark.parametrize("drain_seconds", ["0", "1"])
def test_it_ends_by_itself_when_it_has_drained(services: Opener, drain_seconds: str, role: str) -> None:
    with serving(services, drain_seconds, role) as (process, _binds):
        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0


def test_it_sends_the_traces_that_it_has_left(services: Opener) -> None:
    with collecting() as collector:
        never = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
        with serving(services, "0", **never) as (process, binds):
            httpx.get(f"http://{binds['HTTP_BIND']}/api/v1/notes")
            assert collector.steps == []
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0

    assert [step.name for step in collector.steps] == ["GET /notes"]


def test_it_says_that_a_connection_ends_with_a_body_too_long_to_be_read_to_the_end(services: Opener) -> None:
    with serving(services, "0") as (_process, binds), httpx.Client(base_url=f"http://{binds['HTTP_BIND']}") as client:
        bodies = (b" " * 60_000, b" " * 66_000, iter([b" "]), b"")
        refused = [client.post("/api/v1/notes", content=body) for body in bodies]

    assert [one.status_code for one in refused] == [401] * 4
    assert [one.headers["Connection"] for one in refused] == ["keep-alive", "close", "close", "keep-alive"]


def test_a_refusal_reaches_whoever_is_still_sending(services: Opener) -> None:
    with serving(services, "0") as (_process, binds):
        host, _, port = binds["HTTP_BIND"].rpartition(":")
        size = 16 * 1024 * 1024  # more than the system holds for a connection
        head = f"POST /api/v1/notes HTTP/1.1\r\nHost: highsea\r\nContent-Length: {size}\r\n\r\n"
        with socket.create_connection((host, int(port)), 60) as connection:
            connection.sendall(head.encode() + bytes(size))

            assert connection.recv(12) == b"HTTP/1.1 401"


def test_it_does_not_wait_for_a_connection_that_never_carried_a_request(services: Opener) -> None:
    with serving(services, drain_seconds="0") as (process, binds):
        host, _, port = binds["HTTP_BIND"].rpartition(":")
        with socket.create_connection((host, int(port)), GRACE_SECONDS - 5) as spare:
            # gunicorn waits so long for a first byte in a thread, and then beside all other idle connections.
            time.sleep(DEFAULT_WORKER_DATA_TIMEOUT + 1)
            process.send_signal(signal.SIGTERM)

            assert spare.recv(1) == b""
            assert process.wait(30) == 0
