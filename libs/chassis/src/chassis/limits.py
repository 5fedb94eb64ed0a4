"""Budgets per account, address or member; counted in Valkey, or in the process while Valkey is away."""

import math
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from chassis.errors import TooManyRequests
from chassis.logs import get_logger

log = get_logger(__name__)


class Limiter:
    """Counts against named budgets such as ``5/15minutes``."""

    def __init__(self, valkey_url: str) -> None:
        # Short timeouts: a request must not wait for a Valkey that is away.
        shared: Storage = (
            RedisStorage(valkey_url, socket_timeout=0.2, socket_connect_timeout=0.2) if valkey_url else MemoryStorage()
        )
        self._shared = FixedWindowRateLimiter(shared)
        self._own = FixedWindowRateLimiter(MemoryStorage())

    def spend(self, budget: str, *key: str) -> None:
        """Count one. Raises TooManyRequests with the seconds to wait when the budget is used up."""
        item = parse(budget)
        limiter, allowed = self._hit(item, key)
        if not allowed:
            raise self._refusal(limiter, item, key)

    def require(self, budget: str, *key: str) -> None:
        """Raise TooManyRequests when the budget is used up, without counting."""
        item = parse(budget)
        try:
            limiter, left = self._shared, self._shared.test(item, *key)
        except Exception:
            limiter, left = self._own, self._own.test(item, *key)
        if not left:
            raise self._refusal(limiter, item, key)

    def _hit(self, item: RateLimitItem, key: tuple[str, ...]) -> tuple[FixedWindowRateLimiter, bool]:
        try:
            return self._shared, self._shared.hit(item, *key)
        except Exception as error:
            log.warning("limits_kept_in_process", error=type(error).__name__)
            return self._own, self._own.hit(item, *key)

    @staticmethod
    def _refusal(limiter: FixedWindowRateLimiter, item: RateLimitItem, key: tuple[str, ...]) -> TooManyRequests:
        try:
            reset = limiter.get_window_stats(item, *key).reset_time
        except Exception:
            reset = time.time() + item.get_expiry()
        seconds = max(1, math.ceil(reset - time.time()))
        return TooManyRequests("too_many_requests", retry_after_seconds=seconds, seconds=seconds)
