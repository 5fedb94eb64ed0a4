"""The serve role: REST and gRPC in one gunicorn worker."""

import signal
import threading
import time
from contextlib import suppress
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

from chassis.health import Health
from chassis.http.app import create_app
from chassis.logs import configure_logs
from chassis.rpc.server import GrpcServer
from chassis.runtime import Runtime, open_runtime
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.tracing import export_traces

GRACE_SECONDS = 25
_SPARE_THREADS = 8
# gunicorn reads so much of what a refused request left unread; over more it closes the connection.
_READ_TO_THE_END_BYTES = 64 * 1024
_LINGER_SECONDS = 5


def serve(service: Service, settings: ServiceSettings) -> int:
    """Answer until SIGTERM, drain, then finish what runs. gunicorn opens everything in its worker, never before a fork."""
    _Server(service, settings).run()
    return 0


def _end_with_long_body(_worker: Any, request: Any) -> None:
    """Let the answer say that the connection ends: a gateway would send the next request over it, and answer 502 when that is
    lost.
    """
    headers = dict(request.headers)
    length = headers.get("CONTENT-LENGTH", "0")
    if "TRANSFER-ENCODING" in headers or not length.isdecimal() or int(length) >= _READ_TO_THE_END_BYTES:
        request.force_close()


def _linger(_worker: Any, request: Any, environ: dict[str, Any], _response: Any) -> None:
    """Read what is left of a long body until its sender has heard the answer: closing under its hands would take that away."""
    end = time.monotonic() + _LINGER_SECONDS
    with suppress(OSError, ParseException):
        while request.must_close and (left := end - time.monotonic()) > 0:
            environ["gunicorn.socket"].settimeout(left)
            if not request.body.read(_READ_TO_THE_END_BYTES):
                return


class JsonLogger(Logger):
    """gunicorn's own messages go the way of all others: one JSON line each."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers[:] = []
            logger.propagate = True


class Worker(ThreadWorker):
    """A worker that does not wait for requests over connections that never carried any: gateways keep spare ones."""

    def murder_pending(self) -> None:
        if not self.alive:
            for connection in self.pending_conns:
                connection.timeout = 0
        super().murder_pending()


class _Server(BaseApplication):
    def __init__(self, service: Service, settings: ServiceSettings) -> None:
        self._service = service
        self._settings = settings
        self._runtime: Runtime | None = None
        self._rpc: GrpcServer | None = None
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": [self._settings.http_bind],
            "workers": 1,
            "worker_class": Worker,
            # A few threads more than are let in at once: they refuse quickly when all others are busy.
            "threads": self._settings.http_threads + _SPARE_THREADS,
            "keepalive": 75,
            "graceful_timeout": self._settings.drain_seconds + GRACE_SECONDS,
            "timeout": 120,
            "control_socket_disable": True,
            "pre_request": _end_with_long_body,
            "post_request": _linger,
            "post_worker_init": self._started,
            "worker_exit": self._stopped,
            "accesslog": None,
            "logger_class": JsonLogger,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        service = self._service
        configure_logs(service.name, "serve", self._settings.log_level)
        export_traces(service.name, "serve", self._settings)
        self._runtime = open_runtime(service.name, self._settings, service.actors, tuple(service.messages))
        self._health = Health(self._runtime, service.scripts(), serving_checks(self._runtime))
        return create_app(self._runtime, service.apis, self._health)

    def _started(self, worker: Any) -> None:
        runtime = self._runtime
        assert runtime is not None
        self._rpc = GrpcServer(self._settings.grpc_bind, runtime.service_tokens, self._service.rpc(runtime))
        self._rpc.start()
        self._health.serve_in_thread(self._settings.metrics_bind)
        signal.signal(signal.SIGTERM, lambda *_: self._drain(worker))

    def _drain(self, worker: Any) -> None:
        """Say at once that this process is leaving, stop only when those who send requests have had time to hear it."""
        assert self._runtime is not None
        assert self._rpc is not None
        if self._runtime.draining.is_set():
            return
        self._runtime.draining.set()
        self._rpc.drain()
        leave = threading.Timer(self._settings.drain_seconds, self._leave, (worker, self._rpc))
        leave.daemon = True
        leave.start()

    def _leave(self, worker: Any, rpc: GrpcServer) -> None:
        """Take nothing new and finish what runs; callers by gRPC are told at once, however long a request lasts."""
        worker.handle_exit(signal.SIGTERM, None)
        rpc.stop()

    def _stopped(self, _server: Any, _worker: Any) -> None:
        if self._runtime is not None:
            self._runtime.draining.set()
        if self._rpc is not None:
            self._rpc.stop()
        if self._runtime is not None:
            self._runtime.close()


def serving_checks(runtime: Runtime) -> dict[str, Any]:
    """Checks of what a serving process can do without for a while."""
    checks: dict[str, Any] = {}
    if runtime.settings.valkey_url:
        import redis

        client = redis.Redis.from_url(runtime.settings.valkey_url, socket_timeout=0.5, socket_connect_timeout=0.5)
        checks["valkey"] = client.ping
    if runtime.objects is not None:
        checks["object_store"] = runtime.objects.check
    return checks
