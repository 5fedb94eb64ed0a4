"""/livez asks only the process; /readyz fails only for what makes answering impossible (design §5)."""

import threading
from collections.abc import Callable
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import flask
from alembic.script import ScriptDirectory
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chassis import metrics
from chassis.database.migration import missing_revisions
from chassis.due import measure_connections
from chassis.runtime import Runtime

Check = Callable[[], None]


class Health:
    """Answers for one process. A check raises when its dependency is away."""

    def __init__(self, runtime: Runtime, scripts: ScriptDirectory, degraded: dict[str, Check] | None = None) -> None:
        """`degraded`: name → check of what the process can do without for a while."""
        self._runtime = runtime
        self._scripts = scripts
        self._degraded = degraded or {}
        self._schema_known = False

    def add_to(self, app: flask.Flask) -> None:
        """Answer /livez and /readyz in `app`."""
        app.add_url_rule("/livez", "livez", lambda: flask.jsonify(alive=True))
        app.add_url_rule("/readyz", "readyz", self._readyz)

    def _readyz(self) -> tuple[flask.Response, int]:
        failing = self.failing()
        degraded = sorted(name for name, check in self._degraded.items() if not _passes(name, check))
        status = 503 if failing else 200
        return flask.jsonify(ready=not failing, failing=failing, degraded=degraded), status

    def failing(self) -> list[str]:
        """Names of what makes answering impossible now; empty when ready."""
        found = ["draining"] if self._runtime.draining.is_set() else []
        found += [] if _passes("database", self._check_database) else ["database_or_schema"]
        return found

    def _check_database(self) -> None:
        with self._runtime.database.engine.connect() as connection:
            if self._schema_known:
                connection.exec_driver_sql("SELECT 1")
                return
            missing = missing_revisions(connection, self._scripts)
            if missing:
                raise RuntimeError(f"schema lacks {sorted(missing)}")
            self._schema_known = True

    def serve_in_thread(self, bind: str) -> WSGIServer:
        """Answer /livez, /readyz and /metrics at `bind` (host:port) from a thread of its own."""
        app = flask.Flask("health", static_folder=None)
        self.add_to(app)

        def metrics_view() -> flask.Response:
            measure_connections(self._runtime.database)
            return flask.Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)

        app.add_url_rule("/metrics", "metrics", metrics_view)
        host, _, port = bind.rpartition(":")
        server = make_server(host, int(port), app, server_class=_ThreadingServer, handler_class=_QuietHandler)
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        return server


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Probes are not worth a log line."""


def _passes(name: str, check: Check) -> bool:
    try:
        check()
    except Exception:
        metrics.dependency_up.labels(name).set(0)
        return False
    metrics.dependency_up.labels(name).set(1)
    return True
