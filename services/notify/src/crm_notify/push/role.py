"""The push role: one event loop that holds every stream of its process."""

import signal
from collections.abc import Sequence
from typing import Any, cast

from gunicorn.app.base import BaseApplication

from chassis.database.migration import script_directory
from chassis.health import Health
from chassis.roles.serve import JsonLogger
from chassis.runtime import Runtime
from chassis.service import Role
from chassis.tracing import export_traces
from crm_notify.push.http import create_push_app
from crm_notify.push.hub import Hub
from crm_notify.settings import Settings


def push_role(migrations: Sequence[str]) -> Role:
    """The role for a service with these migrations: it is ready once their schema is there."""

    def push(runtime: Runtime) -> None:
        _PushServer(runtime, migrations).run()

    return push


class _PushServer(BaseApplication):
    """One gunicorn ASGI worker. Nothing is opened before it forks: the runtime connects when first used."""

    def __init__(self, runtime: Runtime, migrations: Sequence[str]) -> None:
        self._runtime = runtime
        self._migrations = migrations
        settings = cast("Settings", runtime.settings)
        self._hub = Hub(settings.database_url, settings.push_streams)
        super().__init__()

    def load_config(self) -> None:
        settings = cast("Settings", self._runtime.settings)
        options: dict[str, Any] = {
            "bind": [settings.http_bind],
            "workers": 1,
            "worker_class": "asgi",
            # Some more than streams: they are refused with an answer.
            "worker_connections": settings.push_streams + 100,
            "asgi_lifespan": "on",
            # Nothing to wind down: a browser that leaves frees its place at once.
            "asgi_disconnect_grace_period": 0,
            "graceful_timeout": settings.drain_seconds + 5,
            "control_socket_disable": True,
            "post_worker_init": self._started,
            "accesslog": None,
            "logger_class": JsonLogger,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        export_traces(self._runtime.service, "push", self._runtime.settings)
        return create_push_app(self._runtime, self._hub)

    def _started(self, worker: Any) -> None:
        health = Health(self._runtime, script_directory(self._migrations), {"listening": self._hub.check})
        health.serve_in_thread(self._runtime.settings.metrics_bind)

        def stop() -> None:
            # gunicorn would wait for the streams to end by themselves.
            self._hub.end_all()
            worker.handle_exit_signal()

        def drain() -> None:
            self._runtime.draining.set()
            worker.loop.call_later(self._runtime.settings.drain_seconds, stop)

        worker.loop.add_signal_handler(signal.SIGTERM, drain)
