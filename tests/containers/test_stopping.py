"""SIGTERM, with which Kubernetes ends a Pod."""

import pytest

from highsea_local.topology import PROCESS, PUSH, SERVE, WORK
from tests.support.containers.system import ContainerSystem, together

pytestmark = pytest.mark.system
ROLES = [("identity", SERVE), ("customer", WORK), ("import", PROCESS), ("notify", PUSH)]


def test_every_role_ends_with_status_0_within_its_grace_period(containers: ContainerSystem) -> None:
    names = together(*(lambda one=one: containers.launch(*one) for one in ROLES))

    statuses = together(*(lambda name=name: containers.terminate(name) for name in names))

    assert dict(zip(names, statuses, strict=True)) == dict.fromkeys(names, 0)
