"""A disk that takes 20 ms for each sync makes everything slower, and nothing wrong."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from argos_cli.client.http import request
from argos_cli.fleet import plan
from argos_common.domain.order import OrderFilled
from argos_common.domain.reconcile import OrderMatched
from argos_common.runtime.embedded_nats import free_port
from argos_common.runtime.fleet import Fleet

from tests.integration.kit import (
    FREE,
    SCALPER,
    STACKER,
    Sender,
    alert,
    assert_promises_kept,
    running,
)
from tests.integration.slow_log import slow_log

SYNC_S = 0.02
BURST = 40
ANSWER_S = 3.0
LATE_MS = 5000
WRAPPER = Path(__file__).with_name("slow_sqlite.py")
ON_SQLITE = ("mt5-node", "exchange-node", "reconciler")

pytestmark = pytest.mark.timeout(180)


def slow_processes(
    fleet: Fleet, state: Path, env: dict[str, str], ports: Mapping[str, int]
) -> tuple[plan.Process, ...]:
    """As planned, with every journal and the ledger on the slow disk."""
    return tuple(
        replace(each, argv=(sys.executable, str(WRAPPER), *each.argv[3:]))
        if each.name.startswith(ON_SQLITE)
        else each
        for each in plan.processes(fleet, state, env, ports)
    )


async def test_a_burst_on_a_slow_disk_is_all_matched_and_answered_in_time(tmp_path: Path) -> None:
    nats = free_port()
    ages: dict[str, int] = {}

    async def watch(url: str) -> None:
        """The oldest heartbeat that the monitor ever saw, per service."""
        while True:
            document = (await request(url, timeout_s=5)).json()
            assert isinstance(document, dict)
            for each in document["services"]:
                age_ms = int(each["age_ms"] or 0)  # none: not heard of yet
                ages[each["name"]] = max(ages.get(each["name"], 0), age_ms)
            await asyncio.sleep(0.25)

    async with (
        slow_log(nats, SYNC_S) as log,
        running(
            tmp_path,
            ports={**FREE, "nats": nats},
            env={
                "ARGOS_NATS_URL": f"nats://127.0.0.1:{log.port}",
                "ARGOS_TEST_SYNC_S": str(SYNC_S),
            },
            planner=slow_processes,
        ) as (fleet, _),
    ):
        watching = asyncio.create_task(watch(fleet.urls["monitor"] + "/api/system/status"))
        sender = Sender(fleet)
        async with asyncio.TaskGroup() as group:
            for number in range(BURST):
                bot = STACKER if number % 4 == 3 else SCALPER
                group.create_task(sender.send(alert(f"slow-{number}", "buy", bot)))
        items = await assert_promises_kept(fleet, sender)
        assert not watching.done(), watching.result()
        watching.cancel()
        filled = {e.order_id for i in items if isinstance(e := i.event, OrderFilled)}
        matched = {e.order_id for i in items if isinstance(e := i.event, OrderMatched)}
        assert len(sender.taken) == BURST
        assert matched == filled
        assert filled, "nothing was traded"
        assert sender.slowest_s < ANSWER_S
        assert log.appends >= len(items) - 20, "the services did not go through the slow disk"
        assert set(ages) >= set(plan.SERVICES)
        assert {name: age for name, age in ages.items() if age > LATE_MS} == {}
