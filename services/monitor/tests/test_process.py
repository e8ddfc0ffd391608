"""The monitor as a process: its pages are there before NATS is, and tell when it is gone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from argos_common.testing.nats_server import running_nats

EXAMPLE = Path(__file__).resolve().parents[3] / "fleet.toml"


def start(state: Path, nats_url: str, port: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "argos_monitor"],
        env={
            **os.environ,
            "ARGOS_CONFIG": str(EXAMPLE),
            "ARGOS_STATE": str(state),
            "ARGOS_NATS_URL": nats_url,
            "ARGOS_MONITOR_PORT": str(port),
        },
        stderr=subprocess.PIPE,
        text=True,
    )


async def address(state: Path) -> str:
    path = state / "run" / "monitor.json"
    async with asyncio.timeout(30):
        while not path.exists() or "http_port" not in path.read_text():  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.05)
    return f"http://127.0.0.1:{json.loads(path.read_text())['http_port']}"


async def until_status(client: httpx.AsyncClient, wanted: dict[str, Any]) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            found: dict[str, Any] = (await client.get("/api/system/status")).json()
            if all(found.get(key) == value for key, value in wanted.items()):
                return found
            await asyncio.sleep(0.1)


async def test_the_pages_are_served_before_nats_is_there_and_the_fleet_is_seen_after(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    async with running_nats(tmp_path / "nats") as nats:
        process = start(state, nats.url)
        try:
            async with httpx.AsyncClient(
                base_url=await address(state), trust_env=False, timeout=10
            ) as client:
                found = await until_status(client, {"status": "offline", "healthy": False})
                async with asyncio.timeout(30):
                    while True:
                        found = (await client.get("/api/system/status")).json()
                        states = {each["name"]: each["state"] for each in found["services"]}
                        if states.get("monitor") == "online" and found["log"]["fresh"]:
                            break
                        await asyncio.sleep(0.1)
                assert (await client.get("/readyz")).status_code == 200
                assert states["risk"] in ("unknown", "offline")
                assert (await client.get("/api/trades")).status_code == 503
                assert "argos_beats_total" in (await client.get("/metrics")).text
            process.send_signal(signal.SIGTERM)
            _, told = await asyncio.to_thread(process.communicate, timeout=20)
            assert process.returncode == 0, told
        finally:
            process.kill()
            process.wait()


async def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    first = start(tmp_path / "a", "nats://127.0.0.1:9")
    try:
        port = int((await address(tmp_path / "a")).rpartition(":")[2])
        second = start(tmp_path / "b", "nats://127.0.0.1:9", port)
        _, told = await asyncio.to_thread(second.communicate, timeout=30)
        assert second.returncode == 1
        assert f"the monitor cannot listen on 127.0.0.1:{port}" in told
        assert "Traceback" not in told
    finally:
        first.kill()
        first.communicate()
