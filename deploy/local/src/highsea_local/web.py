"""The frame of the local pages: Flask on loopback, strict headers, two languages."""

import logging
import os
import secrets
import signal
import sys
from typing import Any

import flask
from werkzeug.serving import WSGIRequestHandler, make_server

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'; "
    "img-src 'self' data:; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LANGUAGES = ("zh", "en")
LOCAL_NAMES = ["127.0.0.1", "localhost", "[::1]"]  # any other Host is a stranger's page that points a name at us


def language() -> str:
    """``zh`` or ``en``: what ``?lang=`` says, else what the browser prefers, else Chinese."""
    wanted = flask.request.args.get("lang", "")
    if wanted in LANGUAGES:
        return wanted
    return flask.request.accept_languages.best_match(LANGUAGES) or "zh"


def say(zh: Any, en: str = "") -> str:
    """The text in the reader's language; ``zh`` may also be one text for both, or a dict with both."""
    if isinstance(zh, dict):
        return str(zh.get(language()) or next(iter(zh.values()), ""))
    return str(zh) if language() == "zh" or not en else en


def create_app(name: str) -> flask.Flask:
    """A Flask app with our templates, ``say`` in them, ``/livez``, and headers that let no foreign content in."""
    app = flask.Flask(name, template_folder="templates", root_path=os.path.dirname(__file__), static_folder=None)
    app.config["TRUSTED_HOSTS"] = LOCAL_NAMES
    app.jinja_env.globals.update(say=say, language=language)
    app.add_url_rule("/livez", "livez", lambda: flask.jsonify(alive=True))

    @app.before_request
    def choose_nonce() -> None:
        flask.g.nonce = secrets.token_urlsafe(12)

    @app.after_request
    def add_headers(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = POLICY.format(nonce=flask.g.get("nonce", ""))
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return app


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Pages that refresh themselves would fill the log."""


def serve(app: flask.Flask, bind: str) -> None:
    """Answers on ``host:port`` until SIGTERM. Exits with 2 when the address is not a loopback one."""
    host, _, port = bind.rpartition(":")
    if host not in ("127.0.0.1", "::1"):
        print(f"{bind}: the local pages bind to loopback addresses only", file=sys.stderr)
        sys.exit(2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    make_server(host, int(port), app, threaded=True, request_handler=_Quiet).serve_forever()
