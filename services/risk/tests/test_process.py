"""Risk as a process on a real NATS server: killed, started again, told to stop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from argos_common.domain.control import ConfigApplied, KillEngaged
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, Strategy
from argos_common.domain.node import Command, CommandKind, CommandReply, LeaseAnswer, LeaseAsk
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.verdict import VerdictGiven
from argos_common.runtime.bus import NoReply
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.log import Append, CreateOnce, Entry, Mine
from argos_common.runtime.nats_bus import NatsBus
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.provision import ensure_stream
from argos_common.testing.nats_server import running_nats
from argos_common.wire import codec, subjects
from argos_common.wire.documents import read_config
from argos_risk.core.replay import decide_again

from services.risk.tests.risk_kit import signal

EXAMPLE = Path(__file__).resolve().parents[3] / "fleet.toml"
PATIENCE_S = 30.0


class Outside:
    """What the test sees: the log, the bus, and risk's process."""

    def __init__(self, log: NatsLog, bus: NatsBus, start: Callable[[], subprocess.Popen[bytes]]):
        self.log, self.bus, self._start = log, bus, start
        self.risk = start()

    def start_again(self) -> None:
        self.risk = self._start()

    async def entries(self) -> list[tuple[Entry, Event]]:
        last = (await self.log.status()).last_sequence
        found: list[tuple[Entry, Event]] = []
        async for entry in self.log.read(0):
            found.append((entry, codec.decode(entry.data)))
            if entry.sequence == last:
                break
        return found

    async def events(self) -> list[Event]:
        return [event for _, event in await self.entries()]

    async def until(self, kind: type, count: int) -> list[Event]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                status = await self.log.status()
                events = await self.events() if status.last_sequence else []
                if sum(isinstance(each, kind) for each in events) >= count:
                    return events
                await asyncio.sleep(0.05)

    async def send(self, ask: SignalAccepted) -> None:
        append = Append(
            subject=subjects.signal(ask.source, ask.signal_id),
            data=codec.encode(ask),
            condition=CreateOnce(),
        )
        assert isinstance(await self.log.append(append), Mine)

    async def lease(self) -> LeaseAnswer:
        ask = codec.pack(LeaseAsk(account=Account("mt5-hedge"), nonce="n"))
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    data = await self.bus.request(f"{subjects.LEASE}.mt5-hedge", ask, 1.0)
                    return codec.unpack(LeaseAnswer, data)
                except NoReply:
                    await asyncio.sleep(0.05)


@asynccontextmanager
async def outside(tmp_path: Path) -> AsyncIterator[Outside]:
    state = tmp_path / "state"
    state.mkdir()
    async with running_nats(tmp_path / "nats") as nats:
        connection = await connect(NatsSettings(url=nats.url, name="test"), timeout_s=10)
        await ensure_stream(connection)

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-m", "argos_risk"],
                env={
                    **os.environ,
                    "ARGOS_CONFIG": str(EXAMPLE),
                    "ARGOS_STATE": str(state),
                    "ARGOS_NATS_URL": nats.url,
                },
                stderr=subprocess.DEVNULL,
            )

        it = Outside(NatsLog(connection), NatsBus(connection), start)
        try:
            yield it
        finally:
            it.risk.kill()
            await asyncio.to_thread(it.risk.wait)
            await connection.close()


def fresh(name: str) -> SignalAccepted:
    now_ns = SystemClock().now_ns()
    return signal(
        name, strategy=Strategy("trend"), bot_version="trend-1.2.0", received_at_ns=now_ns
    )


@pytest.mark.timeout(120)
async def test_killed_at_any_moment_risk_answers_every_signal_once(tmp_path: Path) -> None:
    async with outside(tmp_path) as it:
        await it.until(ConfigApplied, 3)
        await it.send(fresh("a"))
        await it.until(VerdictGiven, 2)
        for number in range(3):
            await it.send(fresh(f"b{number}"))
            it.risk.kill()
            await asyncio.to_thread(it.risk.wait)
            await it.send(fresh(f"c{number}"))
            it.start_again()
        events = await it.until(VerdictGiven, 14)
        given = [(each.cause_id, each.account) for each in events if isinstance(each, VerdictGiven)]
        assert len(given) == len(set(given)) == 14
        for each in events:
            if isinstance(each, VerdictGiven):  # the trade's id is its trace
                assert each.trace_parent.split("-")[1] == each.cause_id.replace("-", "")
        assert sum(isinstance(each, ConfigApplied) for each in events) == 3

        assert (await it.lease()).granted
        command = Command(
            kind=CommandKind.KILL, actor="ann", reason="drill", request_id="k", asked_at_ns=1
        )
        reply = codec.unpack(
            CommandReply, await it.bus.request(subjects.COMMAND, codec.pack(command), PATIENCE_S)
        )
        assert reply.ok, reply.sentence
        assert len(reply.sequences) == 3
        events = await it.until(KillEngaged, 3)
        assert [n for n, each in enumerate(events, 1) if isinstance(each, KillEngaged)] == list(
            reply.sequences
        )
        assert not (await it.lease()).granted

        it.risk.terminate()
        assert await asyncio.to_thread(it.risk.wait) == 0
        it.start_again()  # from its snapshot
        answer = await it.lease()
        assert not answer.granted
        assert decide_again(await it.entries(), read_config)[1] == ()
