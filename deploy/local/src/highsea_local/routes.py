"""Reads ``deploy/routes.yaml`` and writes Traefik's dynamic configuration from it. Pure but for :func:`load`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MIB = 1024 * 1024
KEPT_IN_MEMORY = MIB  # of a buffered upload; the rest waits in a temporary file
LOCAL = "local"  # the landing page's name among the targets
MAIL = "mail"  # the mail catcher's
TRANSPORT = "services"
OF_EVERY_SERVICE = ("openapi.json", "docs", "audit")  # below the service's own name


class InvalidRoutes(Exception):
    """``routes.yaml`` contradicts itself, or a target it needs has no address."""


@dataclass(frozen=True)
class ServiceRoutes:
    """What of the address space belongs to one service; `uploads`: bytes of the largest body, of resources that take files."""

    service: str
    resources: tuple[str, ...]
    uploads: Mapping[str, int]
    roles: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class RoutingTable:
    """The whole of ``routes.yaml``."""

    prefix: str
    services: tuple[ServiceRoutes, ...]
    requests_per_second: int
    burst: int
    headers: Mapping[str, str]


def load(path: Path) -> RoutingTable:
    """Reads the file. Raises OSError, or InvalidRoutes when a segment has two owners or a key is missing or unknown."""
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")))


def parse(document: Any) -> RoutingTable:
    """The table from the parsed YAML. Raises InvalidRoutes."""
    try:
        limits = document["limits"]
        table = RoutingTable(
            prefix=document["prefix"],
            services=tuple(_service(name, entry) for name, entry in document["services"].items()),
            requests_per_second=limits["requests_per_second"],
            burst=limits["burst"],
            headers=dict(document["headers"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidRoutes(f"routes.yaml: {error!r}") from error
    _check_owners(table)
    return table


def _service(name: str, entry: Mapping[str, Any]) -> ServiceRoutes:
    unknown = set(entry) - {"resources", "uploads", "roles"}
    if unknown:
        raise InvalidRoutes(f"routes.yaml: service {name} has unknown keys {sorted(unknown)}")
    uploads = {resource: mebibytes * MIB for resource, mebibytes in entry.get("uploads", {}).items()}
    if not set(uploads) <= set(entry["resources"]):
        raise InvalidRoutes(f"routes.yaml: uploads of {name} must be resources of it")
    roles = {role: tuple(paths) for role, paths in entry.get("roles", {}).items()}
    return ServiceRoutes(name, tuple(entry["resources"]), uploads, roles)


def _check_owners(table: RoutingTable) -> None:
    owners: dict[str, str] = {service.service: service.service for service in table.services}
    for service in table.services:
        for resource in service.resources:
            if owners.setdefault(resource, service.service) != service.service or resource == service.service:
                raise InvalidRoutes(f"routes.yaml: {resource} belongs to {owners[resource]} and to {service.service}")


def traefik_configuration(table: RoutingTable, targets: Mapping[str, str]) -> dict[str, Any]:
    """Traefik's dynamic configuration.

    Args:
        targets: Addresses such as ``http://127.0.0.1:9000`` by service (``pool``), by service and role
            (``notify-push``), and of the local pages ``local`` and ``mail``. Local pages that are missing get no route.

    Raises:
        InvalidRoutes: A service or role of the table has no address in ``targets``.
    """
    routers: dict[str, Any] = {}
    for service in table.services:
        routers |= _service_routers(table.prefix, service)
    routers |= {name: router for name, router in _local_routers(table.prefix).items() if router["service"] in targets}
    wanted = sorted({router["service"] for router in routers.values()})
    missing = [name for name in wanted if name not in targets]
    if missing:
        raise InvalidRoutes(f"no address for {', '.join(missing)}")
    return {
        "http": {
            "routers": routers,
            "middlewares": _middlewares(table),
            "services": {name: _target(targets[name]) for name in wanted},
            # Shorter than the services keep idle connections (75 s), so that none is closed under a request.
            "serversTransports": {TRANSPORT: {"forwardingTimeouts": {"idleConnTimeout": "60s"}}},
        }
    }


def _service_routers(prefix: str, service: ServiceRoutes) -> dict[str, Any]:
    name = service.service
    exact = [f"{prefix}/{name}/{path}" for path in OF_EVERY_SERVICE]
    described = f"{_any_path(exact)} || PathPrefix(`{prefix}/{name}/docs/`)"
    routers = {
        f"{name}-described": _router(described, name, 300),
        name: _router(_resources(prefix, service.resources), name, 200),
    }
    for resource in service.uploads:
        rule = f"Method(`POST`) && {_resources(prefix, [resource])}"
        routers[f"{name}-{resource}"] = _router(rule, name, 250, [_limit(resource)])
    for role, paths in service.roles.items():
        routers[f"{name}-{role}"] = _router(_any_path(paths), f"{name}-{role}", 300)
    return routers


def _local_routers(prefix: str) -> dict[str, Any]:
    """Pages of this machine alone, and an answer in our own error format where no service owns the path."""
    return {
        "local": _router("Path(`/`) || Path(`/favicon.ico`) || PathPrefix(`/local/`)", LOCAL, 100),
        "mail": _router("Path(`/local/mail`) || PathPrefix(`/local/mail/`)", MAIL, 110),
        "nowhere": _router(f"PathPrefix(`{prefix}/`)", LOCAL, 10),
    }


def _router(rule: str, target: str, priority: int, middlewares: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "rule": rule,
        "priority": priority,
        "entryPoints": ["web"],
        "service": target,
        "middlewares": ["rate-limit", "headers", *middlewares],
    }


def _any_path(paths: Sequence[str]) -> str:
    return " || ".join(f"Path(`{path}`)" for path in paths)


def _resources(prefix: str, resources: Sequence[str]) -> str:
    """A resource, what lies below it, and its custom methods (``assignments:claim``)."""
    names = "|".join(re.escape(resource).replace(r"\-", "-") for resource in resources)
    return f"PathRegexp(`^{prefix}/(?:{names})(?:[/:]|$)`)"


def _limit(resource: str) -> str:
    return f"upload-limit-{resource}"


def _middlewares(table: RoutingTable) -> dict[str, Any]:
    return {
        "rate-limit": {"rateLimit": {"average": table.requests_per_second, "burst": table.burst, "period": "1s"}},
        "headers": {"headers": {"customResponseHeaders": dict(table.headers)}},
    } | {
        _limit(resource): {"buffering": {"maxRequestBodyBytes": most, "memRequestBodyBytes": KEPT_IN_MEMORY}}
        for service in table.services
        for resource, most in service.uploads.items()
    }


def _target(url: str) -> dict[str, Any]:
    # No flush interval: event streams are flushed at once anyway, while headers flushed ahead of a quick reply's body
    # make the proxy drop the request's body, its connection, and with that the reply, a few times in a thousand.
    return {
        "loadBalancer": {
            "servers": [{"url": url}],
            "passHostHeader": True,
            "serversTransport": TRANSPORT,
        }
    }
