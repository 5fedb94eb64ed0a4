"""How images are called. Everything comes from the environment, with what anyone with Docker can use as defaults."""

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
PUBLIC = {
    "base": "python:3.11-slim-bookworm",
    "nats": "nats:2.15",
    "postgres": "postgres:18",
    "traefik": "traefik:v3.7",
    "valkey": "valkey/valkey:9.1",
}


def own(name: str) -> str:
    """The name under which an image of ours is built: `HIGHSEA_IMAGE_PREFIX`, name, `HIGHSEA_IMAGE_TAG`."""
    return f"{os.environ.get('HIGHSEA_IMAGE_PREFIX', 'highsea/')}{name}:{os.environ.get('HIGHSEA_IMAGE_TAG', 'dev')}"


def chosen(name: str) -> str:
    """The image to use as `base` or as a server: `HIGHSEA_POSTGRES_IMAGE` and so on, else the public one."""
    return os.environ.get(variable(name)) or PUBLIC[name]


def variable(name: str) -> str:
    """The environment variable that chooses an image."""
    return f"HIGHSEA_{name.upper()}_IMAGE"


def cache() -> Path:
    """The folder of what is kept between builds: `HIGHSEA_CACHE`."""
    folder = Path(os.environ.get("HIGHSEA_CACHE") or Path.home() / ".cache" / "highsea")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
