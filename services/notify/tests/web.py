"""A real HTTP server that answers as vendors do, late, or not at all."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Posted:
    """One request: path with its query, headers, body."""

    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


class Drop(Exception):
    """Read the request and hang up."""


@dataclass
class WebServer:
    """`answer` makes status and JSON, or raises Drop; `headers` are sent with it."""

    host: str = ""
    posted: list[Posted] = field(default_factory=list)
    answer: Callable[[Posted], tuple[int, Any]] = lambda _: (200, {"errcode": 0, "errmsg": "ok"})
    headers: dict[str, str] = field(default_factory=dict)
    # Set when the test is over, so that no late answer holds it up.
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def web_server() -> Iterator[WebServer]:
    """A server on a free port of this machine."""
    here = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = Posted(self.path, self.headers, body)
            here.posted.append(request)
            try:
                status, answer = here.answer(request)
            except Drop:
                self.close_connection = True
                return
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **here.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    here.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield here
    finally:
        here.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
