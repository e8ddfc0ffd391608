"""The worker process: budgets, death in the middle of a call, and what is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argos_common.domain.node import Question, Result, Submission
from argos_common.lasthop.lock import FileLock
from argos_common.runtime.clock import SystemClock
from argos_common.testing.waiting import until
from argos_mt5_node.adapters.worker_terminal import Budgets, end_orphan
from argos_mt5_node.core.calls import Call
from argos_mt5_node.ports import CallLost, TerminalDown
from argos_mt5_node.simulator.harness import HEDGING, ServerProcess

Maker = Callable[..., Submission]
Asker = Callable[..., Question]


async def asks_for_ever(terminal: Any) -> None:
    while True:
        await terminal.ask(Call("terminal_info"))


def executed(server: ServerProcess, order: Submission) -> int:
    control = server.control()
    try:
        return sum(
            entry["kind"] == "deal" and entry["comment"] == order.tag for entry in control.record()
        )
    finally:
        control.close()


def arm(server: ServerProcess, name: str, **params: Any) -> None:
    control = server.control()
    control.arm(HEDGING, name, count=1, params=params)
    control.close()


async def test_a_call_past_its_budget_is_lost_and_the_worker_replaced(
    worker: Any, server: ServerProcess, venue_on: Any, submission: Maker, question: Asker
) -> None:
    async with worker() as terminal:
        venue, order = venue_on(terminal, SystemClock()), submission()
        arm(server, "answer_lost", mode="hang")
        first = terminal.pid

        outcome = await venue.place(order)
        await until(lambda: terminal.up)
        evidence = await venue.search(question(order))
        after = await venue.place(submission())

        assert outcome.result is Result.IN_DOUBT
        assert "did not answer in 1 s" in outcome.sentence
        assert terminal.pid not in (0, first)
        assert (evidence.found, evidence.method, evidence.done) == (True, "tag", True)
        assert after.result is Result.DONE
        assert executed(server, order) == 1


async def test_a_worker_killed_in_the_call_leaves_it_in_doubt_and_never_sent_again(
    worker: Any, server: ServerProcess, venue_on: Any, submission: Maker, question: Asker
) -> None:
    async with worker(budgets=Budgets(send_s=30.0)) as terminal:
        venue, order = venue_on(terminal, SystemClock()), submission()
        arm(server, "answer_lost", mode="hang")
        placing = asyncio.create_task(venue.place(order))
        await until(lambda: executed(server, order) == 1)

        os.kill(terminal.pid, signal.SIGKILL)
        outcome = await placing
        await until(lambda: terminal.up)
        evidence = await venue.search(question(order))

        assert outcome.result is Result.IN_DOUBT
        assert (evidence.found, evidence.done) == (True, True)
        assert executed(server, order) == 1


async def test_giving_up_an_order_ends_its_call(
    worker: Any, server: ServerProcess, venue_on: Any, submission: Maker
) -> None:
    async with worker(budgets=Budgets(send_s=30.0)) as terminal:
        venue, order = venue_on(terminal, SystemClock()), submission()
        arm(server, "request_lost", mode="hang")
        placing = asyncio.create_task(venue.place(order))
        control = server.control()
        await until(lambda: control.status()["unanswered"] == 1)
        control.close()

        assert await venue.abandon(order.order_id)
        assert (await placing).result is Result.IN_DOUBT


async def test_a_caller_that_goes_away_leaves_the_pipe_in_order(worker: Any) -> None:
    async with worker() as terminal:
        calls = [asyncio.create_task(terminal.ask(Call("positions_get"))) for _ in range(5)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        (answer,) = await terminal.ask(Call("symbol_info", ("EURUSD",)))
        assert answer.row is not None
        assert answer.row["name"] == "EURUSD"


async def test_a_guard_that_does_not_hold_stops_what_stands_behind_it(worker: Any) -> None:
    async with worker() as terminal:
        answers = await terminal.ask(
            Call("account_info", must={"login": (1,)}), Call("positions_get")
        )
        assert len(answers) == 1


async def test_records_that_the_caller_has_are_left_out(
    worker: Any, venue_on: Any, submission: Maker
) -> None:
    async with worker() as terminal:
        outcome = await venue_on(terminal, SystemClock()).place(submission())
        assert outcome.result is Result.DONE
        every = Call("history_deals_get", (1, 2_000_000_000))

        async def shown() -> bool:
            (answer,) = await terminal.ask(every)
            return any(str(row["order"]) == outcome.venue_order_id for row in answer.rows or ())

        async with asyncio.timeout(10):
            while not await shown():  # noqa: ASYNC110 - polls the books
                await asyncio.sleep(0.02)
        (answer,) = await terminal.ask(every)
        tickets = [row["ticket"] for row in answer.rows or ()]
        (answer,) = await terminal.ask(Call("history_deals_get", every.args, seen=(tickets[-1],)))
        assert [row["ticket"] for row in answer.rows or ()] == tickets[:-1]


async def test_while_the_terminal_is_away_nothing_is_begun_and_it_comes_back(
    worker: Any, server: ServerProcess, venue_on: Any, submission: Maker
) -> None:
    async with worker() as terminal:
        venue = venue_on(terminal, SystemClock())
        server.kill()
        with pytest.raises((CallLost, TerminalDown)):
            await asks_for_ever(terminal)
        outcome = await venue.place(submission())
        await asyncio.to_thread(server.start)
        await until(lambda: terminal.up)

        assert (outcome.result, outcome.code) == (Result.REFUSED, "terminal_down")
        assert (await venue.place(submission())).result is Result.DONE


def test_a_worker_that_was_left_behind_is_ended(tmp_path: Path) -> None:
    lock = tmp_path / "bench.worker.lock"
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from argos_common.lasthop.lock import FileLock;"
        f"lock = FileLock(Path({str(lock)!r}), 'held');"
        f"Path({str(lock.with_suffix('.pid'))!r}).write_text(str(os.getpid()));"
        "print('locked', flush=True); signal.pause()"
    )
    stuck = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert stuck.stdout is not None
        assert stuck.stdout.readline() == b"locked\n"
        end_orphan(lock)
        assert stuck.wait(timeout=10) == -signal.SIGKILL
        FileLock(lock, "free by now").release()
    finally:
        stuck.kill()
        stuck.communicate()
