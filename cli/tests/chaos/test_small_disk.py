"""A log server whose disk was full takes entries again once there is room, without a person.

Needs a mount namespace: root, or a system that lets users make one. Skipped visibly elsewhere.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FLEET_TOML = Path(__file__).resolve().parents[3] / "fleet.toml"
STORY = """
import asyncio, sys
from pathlib import Path
from argos_cli.chaos import small_disk
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_common.runtime.log import Append, CreateOnce, LogUnavailable, Mine
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog

async def main(config, state):
    said = []
    fleet = EmbeddedFleet(
        config, state, ports={"gateway": 0, "monitor": 0}, say=said.append, planner=lambda *_: ()
    )
    async with fleet:
        connection = await connect(NatsSettings(url=fleet.urls["nats"], name="test"), timeout_s=10)
        log = NatsLog(connection, "g1")

        async def append(number):
            subject = f"argos.v1.signal.test.s{number}"
            return await log.append(Append(subject=subject, data=b"x" * 500, condition=CreateOnce()))

        first = await append(0)
        assert isinstance(first, Mine), first
        filler = small_disk.fill(state / "nats")
        number, kept = 1, 1
        while isinstance(await append(number), Mine):
            number, kept = number + 1, kept + 1
        filler.unlink()
        async with asyncio.timeout(30):
            while not isinstance(await append(number), Mine):
                number += 1
                await asyncio.sleep(0.2)
        seen = set()
        async for entry in log.read(0):
            seen.add(entry.subject.rpartition(".")[2])
            if len(seen) >= kept + 1 and entry.subject.endswith(f".s{number}"):
                break
        assert {f"s{n}" for n in range(kept)} <= seen, "an acknowledged entry is gone"
        await connection.close()
    print([text for text in said if "there is room again" in text])

try:
    small_disk.enter()
    state = Path(sys.argv[2])
    (state / "nats").mkdir(parents=True)
    small_disk.mount(state / "nats", 48)
except small_disk.NotPermitted as error:
    print(f"skipped: {error}")
    sys.exit(77)
asyncio.run(main(Path(sys.argv[1]), state))
"""


def test_a_full_disk_of_the_log_heals_when_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STORY, str(FLEET_TOML), str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(f"no small disk here: {done.stdout.strip()}")
    assert done.returncode == 0, done.stderr
    assert "there is room again: ending its server" in done.stdout
