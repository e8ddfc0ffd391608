"""The bridge as a process on a real NATS server, before any of its nodes is there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from argos_common.runtime.embedded_nats import free_port
from argos_common.testing.nats_server import running_nats

EXAMPLE = Path(__file__).resolve().parents[3] / "fleet.toml"


def start(state: Path, nats_url: str, nodes: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "argos_bridge"],
        env={
            **os.environ,
            "ARGOS_CONFIG": str(EXAMPLE),
            "ARGOS_STATE": str(state),
            "ARGOS_NATS_URL": nats_url,
            "ARGOS_NODE_ADDRESSES": json.dumps(nodes),
        },
        stderr=subprocess.DEVNULL,
    )


async def status(state: Path) -> int:
    """What /readyz answers; 0 while nobody does."""
    path = state / "run" / "bridge.json"
    if not path.exists() or "metrics_port" not in path.read_text():
        return 0
    url = f"http://127.0.0.1:{json.loads(path.read_text())['metrics_port']}/readyz"

    def ask() -> int:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # our own address
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    return await asyncio.to_thread(ask)


async def test_it_becomes_ready_without_its_nodes_and_ends_in_order(tmp_path: Path) -> None:
    state = tmp_path / "state"
    nowhere = f"127.0.0.1:{free_port()}"
    async with running_nats(tmp_path / "nats") as nats:
        bridge = start(state, nats.url, {"mt5": nowhere, "paper": nowhere})
        try:
            async with asyncio.timeout(30):
                while await status(state) != 200:  # noqa: ASYNC110  # another process changes it
                    await asyncio.sleep(0.05)
            bridge.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(bridge.wait, 20) == 0
        finally:
            bridge.kill()
            bridge.wait()
    assert (state / "snapshots" / "bridge.json").exists()
