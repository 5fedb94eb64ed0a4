"""The landing page at ``/``: health, what the demo import did, who can log in, where to look. Loopback only.

``python -m highsea_local.landing`` with HIGHSEA_HOME and HTTP_BIND (host:port) in the environment.
"""

import json
import os
import re
from itertools import groupby
from typing import Any

import flask

from highsea_local import web
from highsea_local.health import AMBER, Health, HealthBoard, worst
from highsea_local.home import Home, default_home
from highsea_local.spawn import tail

LOG_LINES = 400
LOG_NAME = re.compile(r"[a-z0-9-]+")
SUMMARY = {
    "green": ("一切正常", "All is well"),
    "amber": ("正在启动或部分降级", "Starting, or partly degraded"),
    "red": ("有部分不可用", "Something is down"),
}
STATES = {
    "ready": ("正常", "running"),
    "done": ("完成", "done"),
    "waiting": ("等待", "waiting"),
    "starting": ("启动中", "starting"),
    "crashed": ("崩溃，即将重启", "crashed, about to restart"),
    "stopping": ("停止中", "stopping"),
    "stopped": ("已停止", "stopped"),
    "failed": ("启动失败", "failed to start"),
}
OWNERS = {
    "identity": ("身份与组织", "identity and organisation"),
    "customer": ("客户", "customers"),
    "pool": ("公海与归属", "pools and ownership"),
    "import": ("导入导出", "import and export"),
    "notify": ("通知", "notifications"),
}


def create_app(home: Home, board: HealthBoard) -> flask.Flask:
    """The pages over an installation's folder."""
    app = web.create_app("landing")

    @app.get("/")
    def index() -> str:
        parts = board.now()
        groups = [
            (name, list(members)) for name, members in groupby(parts, lambda part: part.group if part.role else "")
        ]
        level = worst([part.level for part in parts])
        page = {"groups": groups, "level": level, "summary": SUMMARY[level], "owners": OWNERS, "note": _note}
        return flask.render_template("landing.html", demo=_demo(home), **page)

    @app.get("/local/health")
    def health() -> flask.Response:
        parts = board.now()
        level = worst([part.level for part in parts])
        shown = [part.as_json() | {"text": _note(part)} for part in parts]
        return flask.jsonify(level=level, text=web.say(*SUMMARY[level]), parts=shown)

    @app.get("/local/logs")
    @app.get("/local/logs/")
    def logs() -> str:
        names = sorted(path.stem for path in home.logs.glob("*.log"))
        return flask.render_template("logs.html", names=names)

    @app.get("/local/logs/<name>")
    def log(name: str) -> str:
        if not LOG_NAME.fullmatch(name) or not home.log(name).is_file():
            flask.abort(404)
        lines = tail(home.log(name), LOG_LINES)
        return flask.render_template("log.html", name=name, lines=lines, path=home.log(name))

    @app.get("/local/demo/<name>")
    def demo_file(name: str) -> flask.Response:
        return flask.send_from_directory(home.demo, name, as_attachment=True)

    @app.get("/favicon.ico")
    def icon() -> "flask.typing.ResponseReturnValue":
        return "", 204

    @app.route("/api/v1/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def nowhere(path: str) -> "flask.typing.ResponseReturnValue":
        return _no_such_route()

    return app


def _note(part: Health) -> str:
    """What is shown beside a process, e.g. ``running · without nats · 2 restarts``."""
    words = [web.say(*STATES[part.state])]
    if part.notes:
        without = web.say("缺少 ", "without ") if part.level == AMBER else ""
        words.append(without + ", ".join(part.notes))
    if part.restarts:
        words.append(web.say(f"重启 {part.restarts} 次", f"{part.restarts} restarts"))
    return " · ".join(words)


def _demo(home: Home) -> dict[str, Any] | None:
    try:
        report = json.loads(home.demo_report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def _no_such_route() -> "flask.typing.ResponseReturnValue":
    """The answer to an API path that belongs to no service, in the form every service uses."""
    problem = {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "route_not_found",
        "detail": web.say(
            "没有这个接口。接口文档见首页。", "No service owns this path. The landing page lists the API documents."
        ),
    }
    response = flask.jsonify(problem)
    response.mimetype = "application/problem+json"
    return response, 404


def main() -> None:
    """Serves until SIGTERM."""
    home = Home(default_home())
    web.serve(create_app(home, HealthBoard(home)), os.environ["HTTP_BIND"])


if __name__ == "__main__":
    main()
