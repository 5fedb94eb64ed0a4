"""Which service calls which, read from the code: `peers.channel("pool")` in whatever a service imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.repository import ROOT, SERVICE_PACKAGES, calls, literal, name_of, sources, tree_of


def edges() -> set[tuple[str, str]]:
    """(caller, callee) of every gRPC call."""
    modules = {_module(path): path for path in sources() if "deploy" not in path.parts}
    return {
        (package.removeprefix("crm_"), peer)
        for package in SERVICE_PACKAGES
        for path in _reached(package, modules)
        for peer in _peers(path)
    }


def keeps_files(service: str) -> bool:
    """Whether a service's own code reads or writes the object store."""
    return any(
        name_of(call.func) == "object_store"
        for path in ROOT.glob(f"services/{service}/src/**/*.py")
        for call in calls(path)
    )


def _module(path: Path) -> str:
    """`directory.events` of libs/directory/src/directory/events.py."""
    relative = path.relative_to(ROOT)
    parts = relative.with_suffix("").parts[relative.parts.index("src") + 1 :]
    return ".".join(parts).removesuffix(".__init__")


def _reached(package: str, modules: dict[str, Path]) -> Iterator[Path]:
    """The service's own modules, and all of the libraries that they import, directly or not."""
    waiting, seen = [name for name in modules if name.split(".")[0] == package], set()
    while waiting:
        name = waiting.pop()
        if name in modules and name not in seen:
            seen.add(name)
            yield modules[name]
            waiting += _imported(modules[name])


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _peers(path: Path) -> Iterator[str]:
    for call in calls(path):
        if name_of(call.func) == "channel" and "peers" in ast.unparse(call.func):
            peer = literal(call.args[0])
            assert peer is not None, f"{path}:{call.lineno}: a peer is named by a literal, so that policies can follow"
            yield peer.removesuffix("_bulk")
