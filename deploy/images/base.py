"""A base image from this machine's own Debian packages, for machines that can pull nothing."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

from deploy.images import docker, names

SCRIPT = Path(__file__).parent / "base.sh"


def build_base() -> str:
    """Makes the image, or finds it made; its files are kept in `HIGHSEA_CACHE`. Returns its name."""
    image, inputs = names.own("base"), _inputs()
    if not docker.is_made_of(image, inputs):
        docker.docker("import", f"--change=LABEL {docker.INPUTS}={inputs}", str(_archive(inputs)), image)
    return image


def _inputs() -> str:
    system = platform.freedesktop_os_release()
    words = (SCRIPT.read_text(encoding="utf-8"), system["ID"], system["VERSION_CODENAME"], platform.machine())
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _archive(inputs: str) -> Path:
    archive = names.cache() / f"base-{inputs[:16]}.tar"
    if not archive.exists():
        draft = archive.with_suffix(f".{os.getpid()}")
        with draft.open("wb") as file:
            subprocess.run(["sh", str(SCRIPT)], stdout=file, stderr=subprocess.PIPE, text=True, check=True)
        draft.rename(archive)
    return archive
