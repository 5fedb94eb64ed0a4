"""The roles of a service's image: `python -m crm_<service> serve | work | migrate | rebuild | dead-letters | raise-epoch | …`."""

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib.metadata import version

from chassis import metrics
from chassis.logs import configure_logs
from chassis.roles.commands import dead_letters, migrate_command, raise_epoch_command, rebuild
from chassis.roles.serve import serve
from chassis.roles.work import work
from chassis.runtime import open_runtime
from chassis.service import Service

# Most connections of a process, besides one on which `work` and `push` listen (design §2.11); `serve` has a setting.
WORK_CONNECTIONS, BULK_CONNECTIONS, OTHER_CONNECTIONS = 5, 4, 2
# Python's own 5 ms let a request, which waits for the interpreter after each statement, wait that long behind bulk work each time.
_SECONDS_PER_TURN = 0.0005
# Python's own 700 make a batch of rows pay for a search among everything again and again.
_NEW_OBJECTS_PER_COLLECTION = 10_000


def main(service: Service, arguments: Sequence[str] | None = None) -> int:
    """Run the role or command named on the command line. Returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    commands = {
        "migrate": migrate_command,
        "rebuild": rebuild,
        "dead-letters": dead_letters,
        "raise-epoch": raise_epoch_command,
    }
    names = ["serve", "work", *commands, *service.roles, *service.commands]
    parser = argparse.ArgumentParser(prog=f"python -m crm_{service.name}")
    parser.add_argument("role", choices=names)
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(arguments)
    settings = service.settings.load()
    configure_logs(service.name, chosen.role, settings.log_level)
    metrics.build_info.labels(service.name, chosen.role, version(f"crm-{service.name}")).set(1)
    # What is loaded by now stays: no collection needs to look at it again.
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_PER_COLLECTION)
    sys.setswitchinterval(_SECONDS_PER_TURN)
    if chosen.role == "serve":
        return serve(service, settings)
    connections = {"work": WORK_CONNECTIONS, "bulk": BULK_CONNECTIONS}.get(chosen.role, OTHER_CONNECTIONS)
    runtime = open_runtime(service.name, settings, service.actors, tuple(service.messages), connections)
    try:
        if chosen.role == "work":
            return work(service, runtime)
        if chosen.role in service.roles:
            service.roles[chosen.role](runtime)
            return 0
        if chosen.role in service.commands:
            return service.commands[chosen.role](runtime, chosen.rest)
        return commands[chosen.role](service, runtime, chosen.rest)
    finally:
        runtime.close()
