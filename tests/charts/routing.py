"""Which Service gets a request, by the rules of the Gateway API and of Ingress."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.charts.helm import Object, name, of_kind

Backend = tuple[str, int | str]  # Service, port
_EXACT, _PATTERN, _PREFIX = 2, 1, 0


@dataclass(frozen=True)
class Rule:
    """A path and where it leads. Exact paths win over patterns, these over prefixes; then the longer one wins."""

    kind: int
    path: str
    backends: tuple[Backend, ...]
    origin: str

    @property
    def rank(self) -> tuple[int, int]:
        return self.kind, len(self.path)

    def matches(self, path: str) -> bool:
        """Raises AssertionError for a pattern that controllers which search and those which match whole read apart."""
        if self.kind == _EXACT:
            return path == self.path
        if self.kind == _PREFIX:
            elements = self.path.rstrip("/")
            return path == elements or path.startswith(f"{elements}/")
        whole, found = re.fullmatch(self.path, path), re.match(self.path, path)
        assert bool(whole) == bool(found), f"{self.origin}: {self.path} is ambiguous for {path}"
        return bool(whole)


def rules(objects: Sequence[Object]) -> list[Rule]:
    """Every rule of every HTTPRoute and Ingress."""
    return [*_of_routes(objects), *_of_ingresses(objects)]


def target(all_rules: Sequence[Rule], path: str) -> set[Backend]:
    """The backends of the rule that wins; more than one only if that rule splits or two are equally good."""
    matching = [rule for rule in all_rules if rule.matches(path)]
    best = max((rule.rank for rule in matching), default=None)
    return {backend for rule in matching if rule.rank == best for backend in rule.backends}


def _of_routes(objects: Sequence[Object]) -> Iterator[Rule]:
    kinds = {"Exact": _EXACT, "RegularExpression": _PATTERN, "PathPrefix": _PREFIX}
    for route in of_kind(objects, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            backends = tuple((backend["name"], backend["port"]) for backend in rule["backendRefs"])
            for match in rule["matches"]:
                assert set(match) == {"path"}, f"{name(route)} tells requests apart by more than their path"
                yield Rule(kinds[match["path"]["type"]], match["path"]["value"], backends, name(route))


def _of_ingresses(objects: Sequence[Object]) -> Iterator[Rule]:
    """`ImplementationSpecific` is a pattern, as it is for the controllers that take patterns at all."""
    kinds = {"Exact": _EXACT, "ImplementationSpecific": _PATTERN, "Prefix": _PREFIX}
    for ingress in of_kind(objects, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                port = service["port"].get("number", service["port"].get("name"))
                yield Rule(kinds[path["pathType"]], path["path"], ((service["name"], port),), name(ingress))
