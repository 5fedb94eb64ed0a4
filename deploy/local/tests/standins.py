"""Stand-ins for the services: packages ``crm_<name>`` that migrate, answer HTTP and report their environment."""

from collections.abc import Sequence
from pathlib import Path

PROGRAM = """
import json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        keep = {name: value for name, value in os.environ.items() if name != "KEY_ENCRYPTION_KEY"}
        body = {"ready": True, "failing": [], "degraded": []} if self.path == "/readyz" else {
            "service": __package__, "role": sys.argv[1], "path": self.path, "environment": keep}
        reply = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *arguments):
        pass

def listen(name):
    host, _, port = os.environ[name].rpartition(":")
    threading.Thread(target=ThreadingHTTPServer((host, int(port)), Answer).serve_forever, daemon=True).start()

if sys.argv[1] == "migrate":
    import psycopg
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO starts DEFAULT VALUES")
        print("migrated", flush=True)
elif sys.argv[1] == "greet":
    print("hello", *sys.argv[2:], os.environ["DATABASE_URL"].rpartition("/")[2])
else:
    signal.signal(signal.SIGTERM, lambda *_: (print("ended cleanly", flush=True), sys.exit(0)))
    listen("METRICS_BIND")
    listen("HTTP_BIND")
    time.sleep(3600)
"""


def write_standins(folder: Path, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Writes the packages and returns the environment, by service, in which they hide the real ones."""
    for name in names:
        package = folder / f"crm_{name}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(PROGRAM)
    return {name: {"PYTHONPATH": str(folder)} for name in names}
