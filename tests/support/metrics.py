"""Every metric that any process of the product can have, as its code declares it.

`python -m tests.support.metrics` prints the table of `docs/metrics.md`.
"""

import re
from dataclasses import dataclass

from prometheus_client import REGISTRY

from chassis.metrics import Fact
from tests.support.repository import SERVICE_PACKAGES, service_of

_HELP = re.compile(r"(?P<meaning>.+) \((?P<roles>[a-z, ]+); (?P<together>sum|max|min)\)")


@dataclass(frozen=True)
class Declared:
    """One metric. `roles` are those that measure it; `together` is how those of several processes are put together."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str
    roles: frozenset[str]
    together: str

    @property
    def row(self) -> str:
        """Its line of the table."""
        labels = ", ".join(f"`{label}`" for label in self.labels)
        return f"| `{self.name}` | {self.kind} | {labels} | {self.meaning} | {_roles(self.roles)} | {self.together} |"


def _roles(roles: frozenset[str]) -> str:
    return ", ".join(sorted(roles))


def declared() -> list[Declared]:
    """All of them by name. Raises ValueError for a help text that does not say who measures it."""
    for package in SERVICE_PACKAGES:
        service_of(package)
    own = [collector for collector in REGISTRY._collector_to_names if type(collector).__module__ != "prometheus_client"]
    return sorted((_declared(collector) for collector in own if _is_ours(collector)), key=lambda metric: metric.name)


def _is_ours(collector: object) -> bool:
    return isinstance(collector, Fact) or hasattr(collector, "_labelnames")


def _declared(collector) -> Declared:
    family = next(iter(collector.describe()))
    labels = collector.labelnames if isinstance(collector, Fact) else collector._labelnames
    said = _HELP.fullmatch(family.documentation)
    if said is None:
        raise ValueError(f"{family.name}: the help text ends with '(<roles>; sum|max|min)'")
    name = f"{family.name}_total" if family.type == "counter" else family.name
    roles = frozenset(said["roles"].split(", "))
    return Declared(name, family.type, tuple(labels), said["meaning"], roles, said["together"])


def table() -> list[str]:
    """The table of `docs/metrics.md`, line by line."""
    head = ["| metric | type | labels | meaning | measured by | over processes |", "|---|---|---|---|---|---|"]
    return head + [metric.row for metric in declared()]


if __name__ == "__main__":
    print("\n".join(table()))
