"""Waiting for something no longer than a time of the clock's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from argos_common.runtime.clock import Clock

T = TypeVar("T")


async def bounded(clock: Clock, work: Coroutine[object, object, T], seconds: float) -> T | None:
    """What `work` returns, or None if it has not within `seconds`; it is then cancelled."""
    task = asyncio.ensure_future(work)
    limit = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, limit}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        limit.cancel()
