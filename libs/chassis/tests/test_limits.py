"""Budgets hold across processes, and in the process while Valkey is away."""

import pytest

from chassis.errors import TooManyRequests
from chassis.identifiers import new_id
from chassis.limits import Limiter
from highsea_local.ports import free_port
from highsea_local.servers.valkey import ValkeyServer


def test_two_processes_share_one_budget(valkey: ValkeyServer) -> None:
    account = new_id().hex
    first, second = Limiter(valkey.url), Limiter(valkey.url)
    first.spend("2/15minutes", "login", account)
    second.spend("2/15minutes", "login", account)

    with pytest.raises(TooManyRequests) as refused:
        first.spend("2/15minutes", "login", account)

    assert 0 < (refused.value.retry_after_seconds or 0) <= 900


def test_without_valkey_the_budget_is_kept_in_the_process() -> None:
    limiter = Limiter(f"redis://127.0.0.1:{free_port()}")
    limiter.spend("1/15minutes", "login", "somebody")

    with pytest.raises(TooManyRequests):
        limiter.spend("1/15minutes", "login", "somebody")
