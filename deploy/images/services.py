"""The images of the services: what all of them depend on is one layer that they share."""

import os
import shutil
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from deploy.images import docker, names, wheels

DOCKERFILE = Path(__file__).parent / "dockerfiles/service/Dockerfile"
LIBRARIES = [path.parent.name for path in names.ROOT.glob("libs/*/pyproject.toml")]


def build_services(base: str, services: Sequence[str], options: Sequence[str] = ()) -> None:
    """Builds the images of services on a base image. Options are those of `docker build`."""
    docker.obtain(base)
    platform = wheels.platform_of(base)
    shared = shared_requirements()
    with tempfile.TemporaryDirectory(prefix="highsea-images-") as name:
        common, built = Path(name) / "common", Path(name) / "built"
        wheels.install(shared, platform, common)
        wheels.prune(common)
        wheels.build_own(built)
        for service in services:
            context = Path(name) / service
            shutil.copytree(common, context / "common", copy_function=os.link)
            wheels.install(set(wheels.requirements(service)) - shared, platform, context / "own")
            wheels.prune(context / "own")
            wheels.unpack(_own(built, service), context / "own")
            shutil.copy(DOCKERFILE, context)
            docker.build(names.own(service), context, base, {"SERVICE": service, "VERSION": _version(service)}, options)


def shared_requirements() -> set[str]:
    """The requirements that are in the locks of all services."""
    return set.intersection(*(set(wheels.requirements(service)) for service in names.SERVICES))


def _own(built: Path, service: str) -> list[Path]:
    patterns = [f"crm_{service}-*.whl", *(f"highsea_{library}-*.whl" for library in LIBRARIES)]
    return [wheel for pattern in patterns for wheel in built.glob(pattern)]


def _version(service: str) -> str:
    text = (names.ROOT / "services" / service / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])
