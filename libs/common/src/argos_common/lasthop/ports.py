"""Where the last hop does its slow work: on the spot, or in one thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


class Offload(Protocol):
    """Where blocking work is done. One piece at a time, in the order it was given."""

    async def __call__(self, work: Callable[[], T]) -> T: ...


async def direct(work: Callable[[], T]) -> T:
    """Does the work on the spot: for memory, and for a simulation that owns time."""
    return work()


class OneThread:
    """Does the work in one thread of its own, so that a slow disk never stops the event loop."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def __call__(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Waits for the work that was begun."""
        self._executor.shutdown(wait=True)
