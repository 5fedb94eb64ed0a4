"""The routing table: every path has one owner, and Traefik agrees with the table."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from highsea_local.files import workspace
from highsea_local.routes import InvalidRoutes, RoutingTable, load, parse, traefik_configuration
from highsea_local.servers import TraefikServer

ROUTES = Path(__file__).parents[2] / "routes.yaml"
TARGETS = ("identity", "customer", "pool", "import", "notify", "notify-push", "local", "mail")
MINIMAL = {
    "prefix": "/api/v1",
    "services": {"pool": {"resources": ["pools"]}, "import": {"resources": ["imports"]}},
    "limits": {"requests_per_second": 10, "burst": 20},
    "headers": {},
}


@pytest.fixture(scope="module")
def table() -> RoutingTable:
    return load(ROUTES)


class Backend(ThreadingHTTPServer):
    """Answers with its name, the path and the length of the body it received; streams where the path ends so."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.name, self.go_on = name, threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Backend
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith("/stream"):
            self.stream()
        else:
            self.answer()

    do_POST = do_GET  # noqa: N815 - the base class's name

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        reply = json.dumps({"name": self.server.name, "path": self.path, "length": len(body)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.wfile.flush()
        self.server.go_on.wait(30)
        self.wfile.write(b"data: second\n\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def backends() -> Iterator[dict[str, Backend]]:
    servers = {name: Backend(name) for name in TARGETS}
    yield servers
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def gateway(table: RoutingTable, backends: dict[str, Backend]) -> Iterator[httpx.Client]:
    routes = traefik_configuration(table, {name: backend.url for name, backend in backends.items()})
    with (
        workspace() as folder,
        TraefikServer(folder / "traefik", routes) as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client,
    ):
        yield client


def test_segment_with_two_owners_is_refused() -> None:
    services = {"pool": {"resources": ["pools"]}, "import": {"resources": ["imports", "pools"]}}

    with pytest.raises(InvalidRoutes, match="pools belongs to pool and to import"):
        parse(MINIMAL | {"services": services})


def test_segment_named_like_a_service_is_refused() -> None:
    with pytest.raises(InvalidRoutes, match="pool belongs to"):
        parse(MINIMAL | {"services": {"import": {"resources": ["pool"]}, "pool": {"resources": ["pools"]}}})


def test_unknown_and_missing_keys_are_refused() -> None:
    with pytest.raises(InvalidRoutes, match="unknown keys"):
        parse(MINIMAL | {"services": {"pool": {"resources": ["pools"], "strip": True}}})
    with pytest.raises(InvalidRoutes, match="limits"):
        parse({"prefix": "/api/v1"})


def test_target_without_address_is_refused(table: RoutingTable) -> None:
    with pytest.raises(InvalidRoutes, match=r"no address for customer, .*notify-push"):
        traefik_configuration(table, {"identity": "http://127.0.0.1:1"})


def test_only_uploads_are_limited_and_buffered(table: RoutingTable) -> None:
    routes = traefik_configuration(table, dict.fromkeys(TARGETS, "http://127.0.0.1:1"))["http"]

    buffered = {
        name: router["middlewares"][2:] for name, router in routes["routers"].items() if router["middlewares"][2:]
    }
    assert buffered == {
        "customer-files": ["upload-limit-files"],
        "import-imports": ["upload-limit-imports"],
        "notify-mailing-attachments": ["upload-limit-mailing-attachments"],
    }
    limits = {name: routes["middlewares"][limit]["buffering"] for name, (limit,) in buffered.items()}
    assert {name: limit["maxRequestBodyBytes"] for name, limit in limits.items()} == {
        "customer-files": 53_477_376,
        "import-imports": 22_020_096,
        "notify-mailing-attachments": 11_534_336,
    }
    assert {limit["memRequestBodyBytes"] for limit in limits.values()} == {2**20}
    assert all(router["middlewares"][:2] == ["rate-limit", "headers"] for router in routes["routers"].values())


def test_headers_are_not_flushed_ahead_of_the_reply(table: RoutingTable) -> None:
    routes = traefik_configuration(table, dict.fromkeys(TARGETS, "http://127.0.0.1:1"))["http"]

    assert all("responseForwarding" not in target["loadBalancer"] for target in routes["services"].values())


def test_local_pages_are_optional(table: RoutingTable) -> None:
    remote = {name: "http://127.0.0.1:1" for name in TARGETS if name not in ("local", "mail")}

    assert {"local", "mail", "nowhere"}.isdisjoint(traefik_configuration(table, remote)["http"]["routers"])


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/api/v1/auth/login", "identity"),
        ("/api/v1/pool/docs/swagger-ui.css", "pool"),
        ("/api/v1/customers", "customer"),
        ("/api/v1/customers?page=2", "customer"),
        ("/api/v1/customers/0199/contacts", "customer"),
        ("/api/v1/contacts/7:reveal", "customer"),
        ("/api/v1/files/content/ticket", "customer"),
        ("/api/v1/assignments", "pool"),
        ("/api/v1/assignments:claim", "pool"),
        ("/api/v1/assignments/1", "pool"),
        ("/api/v1/imports", "import"),
        ("/api/v1/import-templates/customers", "import"),
        ("/api/v1/exports/1/file", "import"),
        ("/api/v1/notifications", "notify"),
        ("/api/v1/message-templates", "notify"),
        ("/api/v1/import/openapi.json", "import"),
        ("/api/v1/pool/docs", "pool"),
        ("/api/v1/pool/audit", "pool"),
        ("/api/v1/pool/audits", "local"),
        ("/api/v1/imports-x", "local"),
        ("/api/v1/importsx/1", "local"),
        ("/api/v1/pool", "local"),
        ("/", "local"),
        ("/local/logs/pool-serve", "local"),
        ("/local/mail", "mail"),
        ("/local/mail/api/messages", "mail"),
        ("/local/mailing", "local"),
    ],
)
def test_gateway_sends_path_to_its_owner_unchanged(gateway: httpx.Client, path: str, owner: str) -> None:
    answer = gateway.get(path)

    assert answer.json() == {"name": owner, "path": path, "length": 0}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_path_outside_the_table_is_not_found(gateway: httpx.Client) -> None:
    assert gateway.get("/elsewhere").status_code == 404


@pytest.mark.parametrize(("path", "most"), [("imports", 20_000_000), ("files?customer_id=7", 52_500_000)])
def test_upload_passes_up_to_the_limit_of_its_resource_only(gateway: httpx.Client, path: str, most: int) -> None:
    assert gateway.post(f"/api/v1/{path}", content=bytes(most)).json()["length"] == most
    assert gateway.post(f"/api/v1/{path}", content=bytes(most + 3_000_000)).status_code == 413


def test_events_arrive_before_the_stream_ends(gateway: httpx.Client, backends: dict[str, Backend]) -> None:
    with gateway.stream("GET", "/api/v1/notifications/stream") as answer:
        chunks = answer.iter_text()
        assert next(chunks) == "data: first\n\n"
        backends["notify-push"].go_on.set()
        assert "".join(chunks) == "data: second\n\n"
