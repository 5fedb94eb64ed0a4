"""Duplicates, collisions and merges on containers: the tests of tests/e2e, with the `whole` of this folder."""

from tests.e2e.test_duplicates import *  # noqa: F403 - whatever is tested there is tested here
