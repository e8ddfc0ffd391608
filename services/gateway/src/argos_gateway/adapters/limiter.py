"""How often a source may send, counted in this process."""

from __future__ import annotations

from collections.abc import Mapping

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter


class MinuteLimiter:
    """Implements `Limiter` with a sliding window of one minute."""

    def __init__(self, rates: Mapping[str, int]) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._items = {source: RateLimitItemPerMinute(rate) for source, rate in rates.items()}

    def admit(self, source: str) -> bool:
        item = self._items.get(source)
        return item is not None and self._limiter.hit(item, source)
