"""`argos` as a person types it, in processes of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argos_cli.client.history import Recorded, read_now
from argos_cli.client.http import request
from argos_cli.client.opened import open_fleet
from argos_cli.fleet.state_folder import read_record

from tests.integration.kit import FLEET_TOML, unfinished, until

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


def argos(
    *arguments: str, through: Sequence[str] = (), cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """One command, as typed. `through` is a command that becomes it."""
    return subprocess.run(
        [*through, sys.executable, "-m", "argos_cli", *arguments],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        cwd=cwd, check=False,
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
