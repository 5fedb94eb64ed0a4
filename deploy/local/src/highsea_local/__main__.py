"""``python -m highsea_local run``: the whole of Highsea on this machine. ``exec``: a command of one service in it."""

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Never

from highsea_local import preflight
from highsea_local.home import Home, HomeDamaged, HomeInUse, HomeNewer, default_home
from highsea_local.runner import Failed
from highsea_local.system import System, attach
from highsea_local.terminal import Terminal
from highsea_local.topology import SERVICES


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand and returns the exit code: 0 well, 1 refused or failed, 2 wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m highsea_local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="start everything, stay until Ctrl-C")
    run_parser.add_argument("--no-demo", action="store_true", help="import no demo data")
    exec_parser = commands.add_parser("exec", help="run python -m crm_<service> … with that service's environment")
    exec_parser.add_argument("service", choices=[service.name for service in SERVICES])
    exec_parser.add_argument("arguments", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(arguments)
    if chosen.command == "exec":
        execute(chosen.service, chosen.arguments)
    return run(has_demo=not chosen.no_demo)


def run(has_demo: bool) -> int:
    """Checks, starts, waits for Ctrl-C or SIGTERM, stops."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ✓ or Chinese shows ?
    terminal, home = Terminal(), Home(default_home())
    try:
        port = preflight.gateway_port()
        preflight.check(home, port)
    except preflight.Refused as refused:
        terminal.refusal(refused.english, refused.chinese)
        return 1
    # SIGINT too: a shell script starts what it puts in the background with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    system = System(
        home.path,
        gateway_port=port,
        has_demo=has_demo,
        log_level=os.environ.get("LOG_LEVEL", "INFO"),
        report=terminal.show,
    )
    terminal.headline("Highsea 公海 starts … 正在启动（首次约一分钟）")
    return _stay(system, terminal)


def _stay(system: System, terminal: Terminal) -> int:
    try:
        system.start()
        terminal.summary(system.home, system.gateway_url, system.notes())
        threading.Event().wait()
    except KeyboardInterrupt:
        terminal.headline("\nStopping … 正在停止")
    except Failed as failed:
        terminal.failure(failed)
        return 1
    except (HomeDamaged, HomeInUse, HomeNewer, OSError) as error:
        terminal.refusal(f"{error}", f"无法使用数据目录 {system.home.path}。")
        return 1
    finally:
        system.stop()
    return 0


def execute(service: str, arguments: Sequence[str]) -> Never:
    """Ends as ``python -m crm_<service> <arguments>`` with the environment of the running system."""
    home = default_home()
    try:
        installation = attach(home)
    except (HomeDamaged, HomeNewer, KeyError, OSError) as error:
        print(f"{home} holds no running system ({error}). Start it first: make run", file=sys.stderr)
        sys.exit(1)
    chosen = next(entry for entry in SERVICES if entry.name == service)
    environment = installation.environment(chosen, "serve")
    rest = [argument for argument in arguments if argument != "--"]
    os.execve(sys.executable, [sys.executable, "-m", chosen.module, *rest], environment)  # noqa: S606 - no shell


def _interrupt(number: int, frame: FrameType | None) -> Never:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
