"""The log server is absent, dies, freezes: services wait and say so, and what was answered 200 stands."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from argos_cli.client.http import request
from argos_cli.fleet import plan, ports
from argos_cli.fleet.child import Child, launcher
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.credentials import ensure_tokens, read_secret_file
from argos_common.runtime.embedded_nats import start_nats
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.settings import load_fleet

from tests.integration.kit import (
    FLEET_TOML,
    FREE,
    SCALPER,
    STACKER,
    TREND,
    Sender,
    alert,
    assert_promises_kept,
    running,
    until,
)

pytestmark = pytest.mark.timeout(180)
FROZEN_S = 4.0


def written(child: Child) -> str:
    return child.out.read_text(encoding="utf-8", errors="replace") if child.out.exists() else ""


async def test_without_a_log_server_services_wait_say_so_and_come_up_when_it_appears(
    tmp_path: Path,
) -> None:
    fleet = load_fleet(FLEET_TOML)
    chosen = ports.choose(*plan.wanted_ports(fleet, FREE))
    tokens = ensure_tokens(fleet, tmp_path, SystemEntropy())
    env = plan.base_environment(
        config=FLEET_TOML, state=tmp_path, generation="g1", ports=chosen, fleet=fleet
    )
    (tmp_path / "logs").mkdir()
    children = [
        Child(
            name=each.name,
            launch=launcher(each.argv, each.env, tmp_path / "logs" / f"{each.name}.out"),
            out=tmp_path / "logs" / f"{each.name}.out",
            ready_url=f"http://127.0.0.1:{each.port}/readyz" if each.ready == "http" else "",
            listens_on=0 if each.ready == "http" else each.port,
        )
        for each in plan.processes(fleet, tmp_path, env, chosen)
    ]
    waiting = [each for each in children if each.name in plan.SERVICES]
    url = f"http://127.0.0.1:{chosen['gateway']}/v1/webhooks/argos"
    url += "/" + read_secret_file(tokens["argos"]).reveal()
    async with AsyncExitStack() as stack:
        for child in children:
            child.process = await child.launch()
            stack.push_async_callback(child.stop, SystemClock(), 8.0)
        for child in waiting:
            await until(lambda: "waiting" in written(child), f"{child.name} says it waits")  # noqa: B023  # used at once
        answer = await request(url, method="POST", body=alert("early"))
        assert (answer.status, b"send it again" in answer.body) == (503, True)
        assert [child.name for child in waiting if await child.is_ready()] == []
        assert [child.name for child in waiting if not child.pid] == []

        server = await start_nats(
            tmp_path / "nats", port=chosen["nats"], monitor_port=chosen["nats-monitor"]
        )
        stack.callback(server.stop)
        async with asyncio.timeout(40):
            for child in children:
                while not await child.is_ready():  # noqa: ASYNC110  # other processes
                    await asyncio.sleep(0.05)
        answer = await request(url, method="POST", body=alert("early"))
        assert answer.status == 200, answer
        connection = await connect(NatsSettings(url=server.url, name="test"), timeout_s=10)
        stack.push_async_callback(connection.close)
        log = NatsLog(connection, "g1")
        async with asyncio.timeout(30):
            async for entry in log.read(0):
                if ".reconcile." in entry.subject and ".match." in entry.subject:
                    break


async def test_a_log_server_killed_or_frozen_mid_flow_loses_nothing_that_was_answered(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as (fleet, said):
        sender = Sender(fleet)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for each in range(3):
                group.create_task(sender.flow(stop, f"killed-{each}", (TREND, STACKER, SCALPER)))
            for _ in range(2):
                begun = len(sender.taken)
                await until(lambda: len(sender.taken) >= begun + 6, "alerts are taken")  # noqa: B023  # used at once
                before = fleet.kill("nats")
                await until(lambda: fleet.pid("nats") not in {0, before}, "it is started again")  # noqa: B023  # used at once
                await fleet.wait_ready(timeout_s=60)
            stop.set()
        assert sum(text.startswith("nats ended") for text in said) == 2
        await assert_promises_kept(fleet, sender)

        frozen = Sender(fleet)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for each in range(3):
                group.create_task(frozen.flow(stop, f"frozen-{each}", (SCALPER, STACKER)))
            await until(lambda: len(frozen.taken) >= 6, "alerts are taken")
            fleet.pause("nats")
            try:
                await asyncio.sleep(FROZEN_S)
            finally:
                fleet.resume("nats")
            begun = len(frozen.taken)
            await until(lambda: len(frozen.taken) >= begun + 6, "alerts are taken again")
            stop.set()
        assert frozen.answers[503] > 0, "nobody was told that storage is not confirmed"
        assert frozen.slowest_s < 3.0, "a sender would have hung up"
        frozen.taken |= sender.taken
        await assert_promises_kept(fleet, frozen)
        for name in fleet.services:
            if "-node-" not in name:
                text = (fleet.folder / "logs" / f"{name}.out").read_text(encoding="utf-8")
                assert "NATS is away" in text, name
                assert "NATS is back" in text, name
