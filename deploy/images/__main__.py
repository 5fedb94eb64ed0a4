"""`python -m deploy.images services | offline`."""

import argparse
import subprocess
import sys

from deploy.images import names
from deploy.images.base import build_base
from deploy.images.docker import DockerFailed
from deploy.images.servers import WHEELS, build_servers
from deploy.images.services import build_services


def offline() -> None:
    """Builds everything from packages alone and prints the variables that make tests use it."""
    base = build_base()
    build_servers(base)
    build_services(base, names.SERVICES)
    for name in ("base", *WHEELS):
        print(f"export {names.variable(name)}={names.own(name)}")
    print("export TESTCONTAINERS_RYUK_DISABLED=true")


def main() -> int:
    """Build what the command line asks for. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    services = commands.add_parser("services", help="the services, on HIGHSEA_BASE_IMAGE")
    services.add_argument("only", nargs="*", metavar="service", help="these alone")
    services.add_argument("--no-cache", action="store_const", const=["--no-cache"], default=[], help="build all steps")
    commands.add_parser("offline", help="a base and the servers too, from packages alone")
    wanted = parser.parse_args()
    try:
        if wanted.command == "offline":
            offline()
        else:
            build_services(names.chosen("base"), wanted.only or names.SERVICES, wanted.no_cache)
    except (DockerFailed, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
