"""What ``make run`` prints: one line per step, a summary, and failures that say where to look."""

import json
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from highsea_local.home import Home
from highsea_local.runner import Failed
from highsea_local.units import Report, State

GREEN, RED, YELLOW, BOLD, PLAIN = "\033[32m", "\033[31m", "\033[33m", "\033[1m", "\033[0m"
WIDTH = 22


class Terminal:
    """Prints reports as they come; in colour on a terminal, plain into a file."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._has_colour = out.isatty()
        self._began = time.monotonic()

    def show(self, report: Report) -> None:
        """One line for what became ready, done, crashed, failed or stopped; nothing for what is under way."""
        if report.state in (State.READY, State.DONE):
            self._line(GREEN, "✓", report.name, f"{report.seconds:5.1f} s")
        elif report.state is State.STOPPED:
            self._line(GREEN, "■", report.name, f"stopped {report.detail}".strip())
        elif report.state is State.CRASHED:
            self._line(YELLOW, "!", report.name, f"crashed ({report.detail}); see {report.log}")
        elif report.state is State.FAILED:
            self._line(RED, "✗", report.name, report.detail)

    def headline(self, text: str) -> None:
        """A line in bold."""
        self._print(self._paint(BOLD, text))

    def failure(self, failed: Failed) -> None:
        """Why the start ended: what failed, its log file and the last lines there."""
        self._print(f"\n{self._paint(RED, f'{failed.name} did not start: {failed.what}')}")
        if failed.last_lines:
            self._print(f"Last lines of {failed.log}:")
            for line in failed.last_lines:
                self._print(f"  {line}")

    def refusal(self, english: str, chinese: str) -> None:
        """Why nothing was started."""
        self._print(f"{self._paint(RED, 'Highsea cannot start.')} {english}\n{chinese}")

    def summary(self, home: Home, gateway_url: str, notes: list[str]) -> None:
        """Where to go, who can log in, how to stop."""
        seconds = time.monotonic() - self._began
        self._print(f"\n{self._paint(BOLD, f'Highsea 公海 is ready at {gateway_url}/')}   ({seconds:.0f} s)\n")
        demo = read_demo(home.demo_report)
        self._logins(demo.get("logins") or [])
        self._imported(demo.get("import") or {})
        rows = {
            "API documents 接口文档": f"{gateway_url}/api/v1/<service>/docs  (identity customer pool import notify)",
            "Mail 邮件": f"{gateway_url}/local/mail",
            "Logs 日志": f"{home.logs}  or {gateway_url}/local/logs",
            "Data 数据": f"{home.path}  (kept; to begin anew stop and delete it)",
        }
        for name, value in rows.items():
            self._print(f"  {name}: {value}")
        for note in notes:
            self._print(f"  {note}")
        self._print("\nCtrl-C stops everything. 按 Ctrl-C 停止。")

    def _logins(self, logins: list[dict[str, Any]]) -> None:
        if logins:
            self._print("  Demo accounts 演示账号:")
        for login in logins:
            title = _both(login.get("title", ""))
            self._print(
                f"    {login.get('login', ''):<24} {login.get('password', ''):<20} {_both(login.get('name', ''))} {title}"
            )

    def _imported(self, counts: dict[str, Any]) -> None:
        if counts:
            parts = [f"{counts.get(name, 0)} {name}" for name in ("created", "updated", "skipped", "failed")]
            self._print(f"  Demo import 演示导入: {counts.get('rows', '?')} rows: {', '.join(parts)}")

    def _line(self, colour: str, sign: str, name: str, text: str) -> None:
        self._print(f"  {self._paint(colour, sign)} {name:<{WIDTH}} {text}")

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._has_colour else text

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def read_demo(path: Path) -> dict[str, Any]:
    """What the seed wrote about the demo; empty when it did not, or not in a readable way."""
    try:
        demo = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return demo if isinstance(demo, dict) else {}


def _both(text: Any) -> str:
    return " ".join(str(part) for part in text.values()) if isinstance(text, dict) else str(text)
