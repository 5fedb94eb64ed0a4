"""SIGKILL of a container in the middle of an import: the test of tests/faults, with the `whole` of this folder."""

from tests.faults.test_worker_killed import *  # noqa: F403 - whatever is tested there is tested here
