"""`argos up` as a person uses it: Ctrl-C ends it cleanly, also while it starts; then it goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from argos_cli.client.history import Recorded, read_now
from argos_cli.client.http import request
from argos_cli.client.opened import open_fleet
from argos_cli.fleet.state_folder import last_record, read_record
from argos_common.domain.order import OrderFilled, OrderSubmitting
from argos_common.domain.verdict import Decision, Effect, VerdictGiven

from tests.integration.kit import FLEET_TOML, alert, unfinished, until

pytestmark = pytest.mark.timeout(180)
STOP_S = 25.0
"""Every process gets some seconds to finish; nobody waits longer than this for a prompt."""


@dataclass(slots=True)
class Up:
    """A running `argos up`. `talk` is what it says to the person."""

    process: subprocess.Popen[bytes]
    talk: Path
    data: Path

    def told(self) -> str:
        return self.talk.read_text(encoding="utf-8", errors="replace")

    def document(self) -> dict[str, Any]:
        text = self.data.read_text(encoding="utf-8")
        found = json.loads(text.splitlines()[0])
        assert isinstance(found, dict)
        return found

    async def ended(self, timeout_s: float = STOP_S) -> int:
        await until(lambda: self.process.poll() is not None, "argos up ends", timeout_s)
        return int(self.process.returncode)


@asynccontextmanager
async def argos_up(state: Path, *options: str, config: Path = FLEET_TOML) -> AsyncIterator[Up]:
    """Start the command; at the end interrupt it if it still runs."""
    state.parent.mkdir(parents=True, exist_ok=True)
    talk, data = state.with_suffix(".talk"), state.with_suffix(".data")
    arguments = ("--config", str(config), "--state", str(state), "--json", "--quiet")
    ports = ("--port", "gateway=0", "--port", "monitor=0")
    with talk.open("wb") as err, data.open("wb") as out:
        process = subprocess.Popen(  # noqa: ASYNC220  # forking is quick; kept for signals
            [sys.executable, "-m", "argos_cli", "up", *arguments, *ports, *options],
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    up = Up(process, talk, data)
    try:
        yield up
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            await up.ended()
        finally:
            if process.poll() is None:
                process.kill()


async def ready(up: Up) -> None:
    await until(
        lambda: up.process.poll() is not None or "the fleet is ready" in up.told()
        or up.data.stat().st_size > 0,
        "the fleet is ready", 60,
    )  # fmt: skip
    assert up.process.poll() is None, up.told()


def argos(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, as typed."""
    return subprocess.run(
        [sys.executable, "-m", "argos_cli", *arguments],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


async def send(up: Up, body: bytes) -> str:
    answer = await request(up.document()["webhooks"]["argos"], method="POST", body=body)
    assert answer.status == 200, answer
    found = answer.json()
    assert isinstance(found, dict)
    return str(found["signal_id"])


async def at_rest(state: Path, *signals: str) -> list[Recorded]:
    items: list[Recorded] = []
    async with open_fleet(state) as opened, asyncio.timeout(40):
        while True:
            items = await read_now(opened.log)
            if not unfinished(items, set(signals)):
                return items
            await asyncio.sleep(0.2)


def nothing_left(state: Path, pids: dict[str, int]) -> list[str]:
    """Names of processes that still live."""
    assert read_record(state) is None
    return [name for name, pid in pids.items() if _alive(pid)]


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


async def test_an_open_position_and_a_kill_survive_ctrl_c_and_the_next_start(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    async with argos_up(state) as up:
        await ready(up)
        entry = await send(up, alert("before"))
        items = await at_rest(state, entry)
        assert [e.effect for i in items if isinstance(e := i.event, OrderSubmitting)] == [
            Effect.OPEN
        ]
        killed = await asyncio.to_thread(
            argos, "kill", "--state", str(state), "--reason", "drill", "--json"
        )
        assert killed.returncode == 0, killed.stderr
        pids = up.document()["processes"]
        os.kill(up.process.pid, signal.SIGINT)
        assert await up.ended() == 0
        assert "was killed" not in up.told(), "a process did not end by itself"
        assert up.told().rstrip().endswith("stopped")
    assert nothing_left(state, pids) == []

    async with argos_up(state) as up:
        await ready(up)
        barred = await send(up, alert("after"))
        leave = await send(up, alert("leave", "exit"))
        items = await at_rest(state, entry, barred, leave)
    verdicts = {e.cause_id: e for i in items if isinstance(e := i.event, VerdictGiven)}
    assert verdicts[barred].decision is Decision.REFUSED  # type: ignore[index]  # ids are texts
    assert "kill" in [r.rule for r in verdicts[barred].rules if not r.passed]  # type: ignore[index]  # as above
    filled = {e.order_id for i in items if isinstance(e := i.event, OrderFilled) and e.done}
    claims = [e for i in items if isinstance(e := i.event, OrderSubmitting)]
    assert [(e.effect, str(e.trade_id), e.order_id in filled) for e in claims] == [
        (Effect.OPEN, entry, True),
        (Effect.CLOSE, entry, True),
    ]


@pytest.mark.parametrize("moment", ["at once", "log server", "services"])
async def test_ctrl_c_while_it_starts_ends_it_and_leaves_nothing(
    tmp_path: Path, moment: str
) -> None:
    state = tmp_path / "state"

    def reached(up: Up) -> bool:
        record = last_record(state)
        match moment:
            case "at once":
                return "starting the fleet" in up.told()
            case "log server":
                return record is not None and "nats" in record.pids
            case _:
                return record is not None and "risk" in record.pids

    async with argos_up(state) as up:
        await until(lambda: reached(up), moment, 30)
        record = last_record(state)
        os.kill(up.process.pid, signal.SIGINT)
        assert await up.ended() == 0
        assert "Traceback" not in up.told()
        assert up.told().rstrip().endswith("stopped")
    assert nothing_left(state, dict(record.pids) if record else {}) == []
    assert up.data.read_text() == ""
