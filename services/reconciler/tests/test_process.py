"""The reconciler as a process on a real NATS server: killed at any moment, it goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from argos_common.domain.event import Event
from argos_common.domain.reconcile import OrderMatched
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.log import Append, CreateOnce, Mine
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.provision import ensure_stream
from argos_common.testing.nats_server import running_nats
from argos_common.wire import codec, subjects

from services.reconciler.tests.reconciler_kit import configured, entry_story

EXAMPLE = Path(__file__).resolve().parents[3] / "fleet.toml"


def start(state: Path, nats_url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "argos_reconciler"],
        env={
            **os.environ,
            "ARGOS_CONFIG": str(EXAMPLE),
            "ARGOS_STATE": str(state),
            "ARGOS_NATS_URL": nats_url,
            "ARGOS_NODE_ADDRESSES": json.dumps({"mt5": "127.0.0.1:9", "paper": "127.0.0.1:9"}),
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def matches(state: Path) -> int:
    """How many matches the ledger has, read as anybody may while it is written."""
    path = state / "ledger.db"
    if not path.exists():
        return 0
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM matches").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


async def until_matched(state: Path, count: int) -> None:
    async with asyncio.timeout(30):
        while matches(state) < count:  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.05)


async def test_killed_and_started_again_every_order_is_matched_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with running_nats(tmp_path / "nats") as nats:
        connection = await connect(NatsSettings(url=nats.url, name="test"), timeout_s=10)
        await ensure_stream(connection, "g1")
        log = NatsLog(connection, "g1", clock=SystemClock(), entropy=SystemEntropy())
        said = 0

        async def says(*events: Event) -> None:
            nonlocal said
            for event in events:
                said += 1
                subject = f"{subjects.PREFIX}signal.test.{said}"
                answer = await log.append(
                    Append(subject=subject, data=codec.encode(event), condition=CreateOnce())
                )
                assert isinstance(answer, Mine)

        await says(configured())
        process = start(state, nats.url)
        try:
            for number in range(1, 9):
                await says(*entry_story(number))
                if number in (3, 6):
                    await until_matched(state, number - 2)
                    process.kill()
                    process.communicate()
                    process = start(state, nats.url)
            await until_matched(state, 8)
            process.send_signal(signal.SIGTERM)
            _, told = await asyncio.to_thread(process.communicate, timeout=20)
            assert process.returncode == 0, told
        finally:
            process.kill()
            process.wait()
        last = (await log.status()).last_sequence
        found = []
        async for entry in log.read(0):
            found.append(codec.decode(entry.data))
            if entry.sequence == last:
                break
        await connection.close()
    assert len([event for event in found if isinstance(event, OrderMatched)]) == 8


def test_a_damaged_ledger_ends_it_with_one_sentence(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "ledger.db").write_bytes(b"no ledger at all" * 600)

    async def told() -> str:
        async with running_nats(tmp_path / "nats") as nats:
            process = start(state, nats.url)
            try:
                _, said = await asyncio.to_thread(process.communicate, timeout=30)
            finally:
                process.kill()
            assert process.returncode == 1
            return said

    said = asyncio.run(told())
    assert "argos ledger rebuild" in said
    assert "Traceback" not in said
