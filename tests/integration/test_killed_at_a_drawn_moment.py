"""kill -9 of any one process, at a moment drawn from a seed: the same outcome, or a refusal as late.

Each round kills every process once, each at a drawn delay after alerts for all kinds of accounts
have been sent. ARGOS_KILL_ROUNDS and ARGOS_KILL_SEED make it longer, or different.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_common.domain.verdict import Decision, VerdictGiven

from tests.integration.kit import (
    SCALPER,
    STACKER,
    TREND,
    Sender,
    alert,
    assert_promises_kept,
    running,
    until,
)

ROUNDS = int(os.environ.get("ARGOS_KILL_ROUNDS", "2"))
SEED = int(os.environ.get("ARGOS_KILL_SEED", "2026"))
LATEST_MS = 250
WORKERS = ("worker mt5-hedge", "worker mt5-net")
MISSING_OR_LATE = {"signal_age", "venue", "quote", "equity", "in_doubt", "hold"}
"""Rules that refuse new risk because something is late, missing, or not known yet."""
NOTHING_HELD = {"something_to_close"}
"""An exit whose entry was refused like that."""

pytestmark = pytest.mark.timeout(120 + ROUNDS * 120)


def worker_pid(fleet: EmbeddedFleet, account: str) -> int:
    """The child process of the node that holds the account's terminal; 0 if there is none now."""
    try:
        return int((fleet.folder / "journals" / f"{account}.worker.pid").read_text())
    except (OSError, ValueError):
        return 0


async def kill_and_wait(fleet: EmbeddedFleet, target: str) -> None:
    """Until it is there again."""
    if target in WORKERS:
        account = target.removeprefix("worker ")
        await until(lambda: worker_pid(fleet, account) > 0, f"{target} runs")
        before = worker_pid(fleet, account)
        os.kill(before, signal.SIGKILL)
        await until(lambda: worker_pid(fleet, account) not in {0, before}, f"{target} is replaced")
        return
    before = fleet.kill(target)
    await until(lambda: fleet.pid(target) not in {0, before}, f"{target} is started again")
    await fleet.wait_ready(target, timeout_s=60)


async def test_whoever_is_killed_at_whatever_moment_every_signal_ends_as_it_should(
    tmp_path: Path,
) -> None:
    draw = random.Random(SEED)
    async with running(tmp_path) as (fleet, _):
        sender = Sender(fleet)
        number = 0
        for _ in range(ROUNDS):
            targets = [*fleet.names, *WORKERS]
            draw.shuffle(targets)
            for target in targets:
                number += 1
                action = "buy" if number % 2 else "exit"
                async with asyncio.TaskGroup() as group:
                    for bot in (TREND, SCALPER, STACKER):
                        group.create_task(sender.send(alert(f"{bot[0]}-{number}", action, bot)))
                    await asyncio.sleep(draw.randrange(LATEST_MS) / 1000)
                    await kill_and_wait(fleet, target)
        items = await assert_promises_kept(fleet, sender)
    refused = [
        [rule for rule in e.rules if not rule.passed]
        for item in items
        if isinstance(e := item.event, VerdictGiven) and e.decision is Decision.REFUSED
    ]
    assert {rule.rule for rules in refused for rule in rules} <= MISSING_OR_LATE | NOTHING_HELD
    assert len(sender.taken) + len(sender.late) == 3 * number
