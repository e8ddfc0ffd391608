"""Virtual time and simulated processes."""

from __future__ import annotations

import asyncio

import pytest
from argos_simulation.loop import Stuck, VirtualLoop
from argos_simulation.process import Process


def test_time_jumps_to_the_next_timer_and_order_is_by_time_and_then_by_setting() -> None:
    loop, seen = VirtualLoop(), []

    async def note(name: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        seen.append((name, round(loop.time())))

    async def all_of_them() -> None:
        await asyncio.gather(note("c", 7200), note("a", 60), note("b", 60))

    loop.run_until_complete(all_of_them())
    loop.close()
    assert seen == [("a", 60), ("b", 60), ("c", 7200)]


def test_a_program_that_waits_for_nothing_is_stuck() -> None:
    loop = VirtualLoop()

    async def wait() -> None:
        await loop.create_future()

    with pytest.raises(Stuck):
        loop.run_until_complete(wait())
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
    loop.close()


def test_nothing_of_a_killed_process_runs_on_and_a_paused_one_does_later() -> None:
    loop, seen = VirtualLoop(), []

    async def live(process: Process) -> None:
        while True:
            await asyncio.sleep(1)
            await process.gate()
            seen.append((process.name, round(loop.time())))

    async def story() -> None:
        killed, paused = Process("killed", 1), Process("paused", 1)
        tasks = [killed.start(live(killed)), paused.start(live(paused))]
        await asyncio.sleep(1.5)
        killed.kill()
        paused.pause()
        await asyncio.sleep(5)
        paused.resume()
        await asyncio.sleep(1.2)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    loop.run_until_complete(story())
    loop.close()
    # What was held at 2 s goes on at 6.5 s, and its next second ends at 7.5 s.
    assert seen == [("killed", 1), ("paused", 1), ("paused", 6), ("paused", 8)]
