"""Reads the table of rights (routes.txt), and collects what it must cover."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.http.api import Route
from chassis.service import Service
from tests.support.repository import SERVICE_PACKAGES, service_of

SERVICES = tuple(map(service_of, SERVICE_PACKAGES))
CALLERS = ("nobody", "left", "roleless", "account", "sales", "supervisor", "operations", "administrator")
NO_CASE = "-"
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
_SECTION = re.compile(r"\[(\w+)\](.*)")
_ROW = re.compile(r"(?P<route>[A-Z]+ /\S+)(?: \((?P<remark>[^)]+)\))?\s{2,}(?P<cells>\S.*)")


@dataclass(frozen=True)
class Row:
    """What becomes of one route (or one way of calling it), for each caller and each place of the record."""

    section: str
    route: str
    remark: str
    places: tuple[str, ...]
    cells: Mapping[str, str]

    @property
    def name(self) -> str:
        """As it stands in the table."""
        return f"{self.route} ({self.remark})" if self.remark else self.route

    def expected(self, caller: str, place: str) -> str:
        """The letter."""
        cell = self.cells[caller]
        return cell if len(cell) == 1 else cell[self.places.index(place)]

    def cases(self) -> list[tuple[str, str, str]]:
        """Every caller, place and letter of the row."""
        found = [(caller, place, self.expected(caller, place)) for caller in CALLERS for place in self.places]
        return [case for case in found if case[2] != NO_CASE]

    def samples(self) -> list[tuple[str, str, str]]:
        """The first case of every letter in the row."""
        return list({case[2]: case for case in reversed(self.cases())}.values())


def read_table(path: Path) -> dict[str, Row]:
    """The rows by name. Raises ValueError for what cannot be read."""
    rows: dict[str, Row] = {}
    section, places = "", ("anywhere",)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if head := _SECTION.match(line):
            section, places = head[1], tuple(head[2].replace("·", " ").split()) or ("anywhere",)
            continue
        row = _row(line, section, places)
        if row is None or row.name in rows:
            raise ValueError(f"{path.name}:{number}: not a row, or one that was there before: {line}")
        rows[row.name] = row
    return rows


def read_grid(path: Path) -> dict[str, dict[str, dict[str, str]]]:
    """A table whose sections name their columns: letter by section, row and column. Raises ValueError."""
    grid: dict[str, dict[str, dict[str, str]]] = {}
    section, columns = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if head := _SECTION.match(line):
            section, columns = head[1], head[2].split()
            continue
        name, *letters = line.split()
        grid.setdefault(section, {})[name] = dict(zip(columns, letters, strict=True))
    return grid


def _row(line: str, section: str, places: tuple[str, ...]) -> Row | None:
    found = _ROW.fullmatch(line.rstrip())
    cells = found["cells"].replace("·", "").split() if found else []
    if found is None or len(cells) != len(CALLERS) or any(len(cell) not in (1, len(places)) for cell in cells):
        return None
    return Row(section, found["route"], found["remark"] or "", places, dict(zip(CALLERS, cells, strict=True)))


TABLE = read_table(Path(__file__).with_name("routes.txt"))


def declared() -> dict[str, tuple[Service, Route]]:
    """Every route of every service by its name in the table."""
    return {
        f"{route.method} {_braced(route.path)}": (service, route)
        for service in SERVICES
        for api in service.apis
        for route in api.routes
    }


def _braced(path: str) -> str:
    return PARAMETER.sub(r"{\1}", path)


DECLARED = declared()


def guarded() -> dict[str, str]:
    """The permission of each route that needs exactly one."""
    return {name: route.access for name, (_, route) in DECLARED.items() if isinstance(route.access, str)}


def needed(rows: Mapping[str, Row], names: set[str], times: int) -> Counter[tuple[str, str]]:
    """How many records of their own the rows `names` use up, by caller and place, when asked so many `times`."""
    used = Counter((caller, place) for name in names for caller, place, letter in rows[name].cases() if letter in "✓M")
    return Counter({case: count * times for case, count in used.items()})
