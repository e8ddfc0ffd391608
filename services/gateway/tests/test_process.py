"""The gateway as a process, on a real NATS server that is stopped, frozen and thawed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from argos_common.runtime.credentials import ensure_tokens
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.settings import load_fleet
from argos_common.testing.nats_server import running_nats

EXAMPLE = Path(__file__).resolve().parents[3] / "fleet.toml"
ENTRY: dict[str, Any] = {
    "strategy": "trend",
    "bot_version": "trend-1.2.0",
    "ticker": "EURUSD",
    "exchange": "FX",
    "action": "buy",
    "contracts": "0.1",
    "prev_market_position": "flat",
    "market_position": "long",
    "market_position_size": "0.1",
    "stop": "1.05",
}
ANSWER_WITHIN_S = 3.0
"""When TradingView gives up: the contract, not a measure of speed."""


def start(
    state: Path, nats_url: str, port: int = 0, stderr: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "argos_gateway"],
        env={
            **os.environ,
            "ARGOS_CONFIG": str(EXAMPLE),
            "ARGOS_STATE": str(state),
            "ARGOS_NATS_URL": nats_url,
            "ARGOS_GATEWAY_PORT": str(port),
        },
        stderr=stderr,
    )


async def address(state: Path, token: str) -> str:
    path = state / "run" / "gateway.json"
    async with asyncio.timeout(20):
        while not path.exists() or "http_port" not in path.read_text():  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.05)
    port = json.loads(path.read_text())["http_port"]
    return f"http://127.0.0.1:{port}/v1/webhooks/tradingview/{token}"


async def answers_again(client: httpx.AsyncClient, url: str, order_id: str) -> httpx.Response:
    async with asyncio.timeout(30):
        while True:
            answer = await client.post(url, json=ENTRY | {"id": order_id})
            if answer.status_code == 200:
                return answer
            await asyncio.sleep(0.1)


async def test_nothing_acknowledged_is_lost_whatever_happens_to_nats(tmp_path: Path) -> None:
    state = tmp_path / "state"
    files = ensure_tokens(load_fleet(EXAMPLE), state, SystemEntropy())
    token = files["tradingview"].read_text().strip()
    async with running_nats(tmp_path / "nats") as nats:
        gateway = start(state, nats.url)
        try:
            url = await address(state, token)
            async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_WITHIN_S) as client:
                assert (await answers_again(client, url, "first")).status_code == 200
                copies = [await client.post(url, json=ENTRY | {"id": "a"}) for _ in range(4)]
                assert [each.json().get("status") for each in copies] == [
                    "accepted", "duplicate", "duplicate", "duplicate",
                ]  # fmt: skip
                other = await client.post(url, json=ENTRY | {"id": "a", "stop": "1.06"})
                assert other.status_code == 409

                nats.freeze()
                frozen = await client.post(url, json=ENTRY | {"id": "b"})
                nats.thaw()
                assert (frozen.status_code, frozen.json()["code"]) == (503, "not_confirmed")
                first = await answers_again(client, url, "b")
                again = await client.post(url, json=ENTRY | {"id": "b"})
                assert again.json() == {**first.json(), "status": "duplicate"}

                await nats.kill()
                away = await client.post(url, json=ENTRY | {"id": "c"})
                assert away.status_code == 503
                await nats.start()
                assert (await answers_again(client, url, "c")).json()["status"] == "accepted"
                assert (await client.post(url, json=ENTRY | {"id": "a"})).json()["status"] == (
                    "duplicate"
                )
            gateway.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(gateway.wait, 20) == 0
        finally:
            gateway.kill()
    log = (state / "logs" / "gateway.jsonl").read_text()
    assert token not in log
    assert token not in (state / "traces" / "gateway.jsonl").read_text()
    assert "Traceback" not in log


async def test_before_nats_is_there_a_sender_is_told_to_send_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    files = ensure_tokens(load_fleet(EXAMPLE), state, SystemEntropy())
    gateway = start(state, "nats://127.0.0.1:9")
    try:
        url = await address(state, files["tradingview"].read_text().strip())
        async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_WITHIN_S) as client:
            assert (await client.post(url, json=ENTRY)).status_code == 503
            assert (await client.post(url + "x", json=ENTRY)).status_code == 401
        gateway.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(gateway.wait, 20) == 0
    finally:
        gateway.kill()


async def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ensure_tokens(load_fleet(EXAMPLE), state, SystemEntropy())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = start(state, "nats://127.0.0.1:9", port=port, stderr=subprocess.PIPE)
        said = (await asyncio.to_thread(gateway.communicate, timeout=20))[1].decode()
    assert gateway.returncode == 1
    assert f"gateway: the gateway cannot listen on 127.0.0.1:{port}" in said
    assert "Traceback" not in said


async def test_a_token_is_replaced_while_alerts_come_in(tmp_path: Path) -> None:
    state = tmp_path / "state"
    file = ensure_tokens(load_fleet(EXAMPLE), state, SystemEntropy())["tradingview"]
    old, new = file.read_text().strip(), "f" * 32
    async with running_nats(tmp_path / "nats") as nats:
        gateway = start(state, nats.url)
        try:
            url = await address(state, old)
            newer = url.replace(old, new)
            async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_WITHIN_S) as client:
                await answers_again(client, url, "before")
                assert (await client.post(newer, json=ENTRY)).status_code == 401

                file.write_text(f"{new}\n{old}\n")
                gateway.send_signal(signal.SIGHUP)
                await answers_again(client, newer, "with the new one")
                await answers_again(client, url, "with the old one")

                file.write_text("one two three\n")  # a mistake changes nothing
                gateway.send_signal(signal.SIGHUP)
                file.write_text(f"{new}\n")
                gateway.send_signal(signal.SIGHUP)
                async with asyncio.timeout(10):
                    while (await client.post(url, json=ENTRY)).status_code != 401:  # noqa: ASYNC110  # another process changes it
                        await asyncio.sleep(0.05)
                await answers_again(client, newer, "after")
        finally:
            gateway.kill()
            await asyncio.to_thread(gateway.wait)
