"""A worker that dies between two calls, on the event loop that services run on."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest
from argos_common.runtime.event_loop import run_loop
from argos_mt5_node.core.calls import Call
from argos_mt5_node.ports import TerminalDown


def test_a_worker_killed_between_two_calls_is_replaced_and_nothing_was_sent(worker: Any) -> None:
    async def story() -> None:
        async with worker() as terminal:
            first = terminal.pid
            os.kill(first, signal.SIGKILL)
            while True:  # until the loop has seen that the pipe is closed
                try:
                    os.kill(first, 0)
                except ProcessLookupError:
                    break
                await asyncio.sleep(0.01)
            with pytest.raises(TerminalDown, match="the process that holds the terminal ended"):
                await terminal.ask(Call("positions_get"))
            while not terminal.up:  # noqa: ASYNC110  # what it waits for has no event
                await asyncio.sleep(0.01)
            assert terminal.pid not in {0, first}
            (answer,) = await terminal.ask(Call("terminal_info"))
            assert answer.code == 1

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await story()

    run_loop(bounded())
