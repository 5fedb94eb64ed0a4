"""Which Service gets a request, by the rules of the Gateway API and of Ingress."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.charts.helm import Object, name, of_kind

Backend = tuple[str, int]  # Service, port
# The types of path that every controller must have, and all understand alike.
_IS_EXACT = {"Exact": True, "PathPrefix": False, "Prefix": False}


@dataclass(frozen=True)
class Rule:
    """A path and where it leads. Exact paths win over prefixes, and of these the longest wins."""

    is_exact: bool
    path: str
    backends: tuple[Backend, ...]

    @property
    def rank(self) -> tuple[bool, int]:
        return self.is_exact, len(self.path)

    def matches(self, path: str) -> bool:
        """A prefix is one of whole segments."""
        return path == self.path or (not self.is_exact and path.startswith(f"{self.path.rstrip('/')}/"))


def rules(objects: Sequence[Object]) -> list[Rule]:
    """Every rule of every HTTPRoute and Ingress."""
    return [*_of_routes(objects), *_of_ingresses(objects)]


def target(all_rules: Sequence[Rule], path: str) -> set[Backend]:
    """The backends of the rule that wins; more than one only if that rule splits or two are equally good."""
    matching = [rule for rule in all_rules if rule.matches(path)]
    best = max((rule.rank for rule in matching), default=None)
    return {backend for rule in matching if rule.rank == best for backend in rule.backends}


def _of_routes(objects: Sequence[Object]) -> Iterator[Rule]:
    for route in of_kind(objects, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            backends = tuple((backend["name"], backend["port"]) for backend in rule["backendRefs"])
            for match in rule["matches"]:
                assert set(match) == {"path"}, f"{name(route)} tells requests apart by more than their path"
                yield Rule(_IS_EXACT[match["path"]["type"]], match["path"]["value"], backends)


def _of_ingresses(objects: Sequence[Object]) -> Iterator[Rule]:
    for ingress in of_kind(objects, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                yield Rule(_IS_EXACT[path["pathType"]], path["path"], ((service["name"], service["port"]["number"]),))
