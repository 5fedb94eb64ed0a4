"""What charts need of the one truth elsewhere: a service's routes, and who may publish what on NATS."""

import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from highsea_local.routes import OF_EVERY_SERVICE, ServiceRoutes, load
from highsea_local.servers.nats_config import configuration, service_users

_ROUTES = Path(__file__).parents[2] / "routes.yaml"
_HEADER = "# Written by `make charts` from deploy/routes.yaml and the service's routes.\n"
_COLLECTION_METHOD = re.compile(r"/[a-z-]+:[a-z-]+")


def services() -> list[str]:
    """The names of all services."""
    return sorted(entry.service for entry in load(_ROUTES).services)


def routes(service: str) -> str:
    """The paths of a service by role.

    A prefix matches whole segments, as Kubernetes understands it, so a collection's custom methods
    (`assignments:claim`) are named one by one; those of a record (`customers/…:restore`) lie below its prefix.
    """
    table = load(_ROUTES)
    own = next(entry for entry in table.services if entry.service == service)
    described = f"{table.prefix}/{service}"
    roles: dict[str, Any] = {
        "serve": {
            "exact": [
                *(f"{described}/{path}" for path in OF_EVERY_SERVICE if path != "docs"),
                *(f"{table.prefix}{path}" for path in _collection_methods(own)),
            ],
            "prefixes": [f"{described}/docs", *(f"{table.prefix}/{resource}" for resource in own.resources)],
        }
    }
    for role, paths in own.roles.items():
        roles[role] = {"streams": True, "exact": list(paths), "prefixes": []}
    for paths in roles.values():
        paths["headers"] = dict(table.headers)
    return _HEADER + yaml.dump(roles, sort_keys=False, Dumper=_Plain)


def _collection_methods(own: ServiceRoutes) -> list[str]:
    apis = importlib.import_module(f"crm_{own.service}.service").SERVICE.apis
    return sorted({route.path for api in apis for route in api.routes if _COLLECTION_METHOD.fullmatch(route.path)})


def nats_configuration(names: Sequence[str]) -> str:
    """The configuration file; passwords come from the environment, for which NATS wants an unquoted `$NAME`."""
    users = service_users({name: f"$NATS_PASSWORD_{name.upper()}" for name in (*names, "admin")})
    text = configuration(users, port=4222, monitor_port=8222, store_dir="/data")
    return re.sub(r'"(\$NATS_PASSWORD_\w+)"', r"\1", text).replace("127.0.0.1:", "0.0.0.0:") + "\n"


class _Plain(yaml.SafeDumper):
    """Without anchors: a list that occurs twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
