"""What the repository consists of, for checks over all of it. Services still without `service.py` are not yet there."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from chassis.service import Service

ROOT = Path(__file__).parent.parent.parent
SERVICE_FILES = sorted(ROOT.glob("services/*/src/crm_*/service.py"))
SERVICE_PACKAGES = [path.parent.name for path in SERVICE_FILES]
_METHOD = "GET|POST|PUT|PATCH|DELETE"
_ROUTE = re.compile(rf"^((?:{_METHOD})(?:[,/ ]+(?:{_METHOD}))*) (/\S*)$")


def service_of(package: str) -> Service:
    """The Service of `crm_<name>`."""
    service: Service = importlib.import_module(f"{package}.service").SERVICE
    return service


def readme_of(package: str) -> str:
    """The README of `crm_<name>`; empty when there is none."""
    path = ROOT / "services" / package.removeprefix("crm_") / "README.md"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def sources() -> list[Path]:
    """Every module of the product written by hand, migrations included."""
    folders = [*ROOT.glob("libs/*/src"), *ROOT.glob("services/*/src"), ROOT / "deploy/local/src"]
    return sorted(path for folder in folders if folder.parent.name != "contracts" for path in folder.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    """A module as parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call in a module."""
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))


def name_of(function: ast.expr) -> str:
    """The last part of a called name: `errors.Conflict(…)` → Conflict."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def literal(node: ast.expr | None) -> str | None:
    """The text of a string literal, None for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def package_folders() -> list[Path]:
    """The folders of packages that have words for people."""
    return sorted(path.parent.parent for path in ROOT.glob("*/*/src/*/messages/zh.toml"))


def words(package: Path, language: str) -> dict[str, str]:
    """Code → words of one package."""
    path = package / "messages" / f"{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def routes_in(readme: str) -> set[tuple[str, str]]:
    """(method, path) of each route in backticks; `GET, PATCH /members/{id}` is two, `:activate` goes on from the last."""
    found: set[tuple[str, str]] = set()
    for line in readme.splitlines():
        methods, path = [], ""
        for span in re.findall(r"`([^`]+)`", line):
            match = _ROUTE.match(span)
            if match:
                methods, path = re.findall(_METHOD, match[1]), match[2].removeprefix("/api/v1")
            elif re.fullmatch(r":[a-z-]+", span):
                path = path.partition(":")[0] + span
            else:
                continue
            found |= {route_key(method, path) for method in methods}
    return found


def routes_declared(package: str) -> set[tuple[str, str]]:
    """(method, path) of each route of a service."""
    return {route_key(route.method, route.path) for api in service_of(package).apis for route in api.routes}


def mentions(package: str, path: str) -> bool:
    """Whether a path is written in a service's code, as those are that an extra role serves in its own way."""
    return any(path in module.read_text(encoding="utf-8") for module in sources() if package in module.parts)


def route_key(method: str, path: str) -> tuple[str, str]:
    """A route as declared or as written, without the names of its parameters."""
    return method, re.sub(r"<[^>]*>|\{[^}]*\}", "{}", path.partition("?")[0])
