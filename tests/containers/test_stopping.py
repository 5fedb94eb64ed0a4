"""SIGTERM, with which Kubernetes ends a Pod."""

from contextlib import suppress

import pytest

from chassis.stopping import STOPPED
from deploy.images import names
from deploy.images.docker import DockerFailed, docker
from highsea_local.topology import BULK, PROCESS, PUSH, SERVE, WORK
from tests.support.containers.system import ContainerSystem, together

pytestmark = pytest.mark.system
ROLES = [("identity", SERVE), ("customer", WORK), ("customer", BULK), ("import", PROCESS), ("notify", PUSH)]


def test_every_role_ends_with_status_0_within_its_grace_period(containers: ContainerSystem) -> None:
    names = together(*(lambda one=one: containers.launch(*one) for one in ROLES))

    statuses = together(*(lambda name=name: containers.terminate(name) for name in names))

    assert dict(zip(names, statuses, strict=True)) == dict.fromkeys(names, 0)


def test_a_process_that_is_still_loading_its_modules_is_ended_too() -> None:
    # Nothing is configured: a process that missed the signal would end with status 2 and a list of settings.
    container = docker("run", "--detach", names.own("pool"), SERVE)
    try:
        while docker("inspect", "--format={{.State.Running}}", container) == "true":
            with suppress(DockerFailed):  # it ended meanwhile
                docker("kill", "--signal=TERM", container)
        assert docker("inspect", "--format={{.State.ExitCode}}", container) == str(STOPPED)
    finally:
        docker("rm", "--force", container)
