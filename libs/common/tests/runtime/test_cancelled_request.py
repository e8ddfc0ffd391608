"""A cancellation that comes in the same moment as an answer is heeded."""

from __future__ import annotations

import asyncio

import pytest
from argos_common.runtime.nats_connection import _heeding_cancel


async def test_a_cancellation_in_the_same_moment_as_the_answer_is_heeded() -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[int] = loop.create_future()

    async def library() -> int:
        return await asyncio.wait_for(answer, 5)

    went_on = False

    async def caller() -> None:
        nonlocal went_on
        await _heeding_cancel(library())
        went_on = True

    task = loop.create_task(caller())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answer.set_result(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not went_on
