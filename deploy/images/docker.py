"""The few commands of Docker that building needs."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.images.context import digest, normalise

INPUTS = "highsea.inputs"  # the label with the hash of all that an image is made of


class DockerFailed(Exception):
    """What Docker said when it did not do what was asked."""


class NoImage(DockerFailed):
    """An image is neither here nor can be pulled."""


def docker(*arguments: str) -> str:
    """The output of a docker command. Raises DockerFailed."""
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise DockerFailed("there is no docker command") from error
    if done.returncode != 0:
        raise DockerFailed(f"docker {arguments[0]}: {(done.stderr + done.stdout).strip()}")
    return done.stdout.strip()


def inspect(image: str) -> dict[str, Any]:
    """What the daemon knows of an image; nothing when it has none of this name."""
    try:
        return dict(json.loads(docker("image", "inspect", image))[0])
    except DockerFailed:
        return {}


def obtain(image: str) -> dict[str, Any]:
    """What the daemon knows of an image, pulled when it is not here. Raises NoImage."""
    if not inspect(image):
        try:
            docker("pull", "--quiet", image)
        except DockerFailed as error:
            raise NoImage(f"the image {image} is neither here nor can be pulled") from error
    return inspect(image)


def is_made_of(image: str, inputs: str) -> bool:
    """Whether an image was built from just these inputs."""
    labels = inspect(image).get("Config", {}).get("Labels") or {}
    return bool(labels.get(INPUTS) == inputs)


def build(image: str, context: Path, base: str, arguments: Mapping[str, str], options: Sequence[str] = ()) -> None:
    """Builds an image from a folder with a Dockerfile, unless it is there already, made of the same.

    Args:
        arguments: Build arguments beside BASE.
        options: Further options of `docker build`; with any, the image is always built.
    """
    normalise(context)
    inputs = digest(context, obtain(base)["Id"], *(f"{name}={value}" for name, value in sorted(arguments.items())))
    if is_made_of(image, inputs) and not options:
        return
    given = [f"--build-arg={name}={value}" for name, value in {"BASE": base, **arguments}.items()]
    docker("build", "--quiet", f"--tag={image}", f"--label={INPUTS}={inputs}", *given, *options, str(context))
