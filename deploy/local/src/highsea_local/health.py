"""How every part of the system is right now: what its supervisor knows, and what it answers itself."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

from highsea_local.home import Home, HomeDamaged, HomeNewer
from highsea_local.installation import LOOPBACK
from highsea_local.ports import accepts
from highsea_local.probes import answers
from highsea_local.units import State

GREEN, AMBER, RED = "green", "amber", "red"
KEPT_SECONDS = 1.0
SERVERS = ("traefik", "postgres", "nats", "valkey", "mail", "landing")
RUNNING = (State.READY, State.DONE)


@dataclass(frozen=True)
class Health:
    """One process. ``level`` is green, amber (works, something is missing or starting) or red; ``notes`` say what."""

    name: str
    group: str
    role: str
    level: str
    state: str
    notes: tuple[str, ...] = ()
    restarts: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class HealthBoard:
    """Asks everybody at most once a second, however many pages are open."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._threads = ThreadPoolExecutor(20, "health")
        self._lock = Lock()
        self._kept: list[Health] = []
        self._asked_at = float("-inf")

    def now(self) -> list[Health]:
        """Every process that should run, services first."""
        with self._lock:
            if time.monotonic() - self._asked_at > KEPT_SECONDS:
                self._kept = self._ask()
                self._asked_at = time.monotonic()
            return self._kept

    def _ask(self) -> list[Health]:
        ports, units = self._ports(), self._units()
        names = [*_roles(ports), *(name for name in SERVERS if name in units)]
        return list(self._threads.map(lambda name: _judge(name, units.get(name, {}), ports), names))

    def _ports(self) -> dict[str, int]:
        try:
            return dict(self._home.state().get("ports", {}))
        except (HomeDamaged, HomeNewer):
            return {}

    def _units(self) -> dict[str, dict[str, Any]]:
        try:
            status = json.loads(self._home.status_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {unit["name"]: unit for unit in status["units"]}


def worst(levels: Sequence[str]) -> str:
    """The level of a whole from those of its parts; green when there are none."""
    return next((level for level in (RED, AMBER) if level in levels), GREEN)


def _roles(ports: Mapping[str, int]) -> list[str]:
    """``pool-serve`` from the port ``pool.serve.metrics``, in the order of the state file."""
    return ["-".join(name.split(".")[:2]) for name in ports if name.endswith(".metrics")]


def _judge(name: str, unit: Mapping[str, Any], ports: Mapping[str, int]) -> Health:
    state, restarts = State(unit.get("state", State.WAITING)), int(unit.get("restarts", 0))
    group, _, role = name.partition("-")
    if state in (State.WAITING, State.STARTING):
        return Health(name, group, role, AMBER, state.value, restarts=restarts)
    if state not in RUNNING:
        return Health(name, group, role, RED, state.value, tuple(filter(None, [unit.get("detail", "")])), restarts)
    level, notes = _ask_role(name, ports) if role else _ask_server(name, ports)
    return Health(name, group, role, level, state.value, notes, restarts)


def _ask_server(name: str, ports: Mapping[str, int]) -> tuple[str, tuple[str, ...]]:
    asks: dict[str, Callable[[], bool]] = {
        "traefik": lambda: answers(_url(ports["gateway.ping"], "/ready")),
        "nats": lambda: answers(_url(ports["nats.monitor"], "/healthz")),
    }
    is_well = asks.get(name, lambda: accepts(ports[name]))()
    return (GREEN, ()) if is_well else (RED, ("unreachable",))


def _ask_role(name: str, ports: Mapping[str, int]) -> tuple[str, tuple[str, ...]]:
    """What /readyz says: 200 is green, or amber with what is degraded; 503 is red with what fails."""
    request = _url(ports[f"{name.replace('-', '.', 1)}.metrics"], "/readyz")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=2.0) as answer:
            degraded = tuple(_json(answer.read()).get("degraded", ()))
            return (AMBER, degraded) if degraded else (GREEN, ())
    except urllib.error.HTTPError as error:
        with error:
            return RED, tuple(_json(error.read()).get("failing", ()))
    except OSError:
        return RED, ("unreachable",)


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _url(port: int, path: str) -> str:
    return f"http://{LOOPBACK}:{port}{path}"
