"""The skeleton of a service, as a real process on a real NATS server."""

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

import pytest
from argos_common.domain.node import Beat
from argos_common.runtime.nats_bus import NatsBus
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.testing.nats_server import running_nats
from argos_common.wire.codec import unpack

EXAMPLE = Path(__file__).resolve().parents[4] / "fleet.toml"

SERVICE = """
import asyncio, sys
from argos_common.domain.errors import OurMistake
from argos_common.runtime.service import Context, run_service

async def main(context: Context) -> None:
    what = sys.argv[1]
    if what == "bug":
        raise KeyError("swordfish")
    if what == "mistake":
        raise OurMistake("the disk is full: make room")
    context.pulse.state, context.pulse.ready = "running", True
    if what == "nats":
        context.pulse.sequence = (await context.log.status()).last_sequence
    async def work() -> None:
        await asyncio.sleep(3600)
    await context.run_until_stopped(work())
    context.logger.info("drained")

sys.exit(run_service("echo", main, needs_nats=sys.argv[1] == "nats"))
"""


def start(
    tmp_path: Path, what: str, config: Path = EXAMPLE, **variables: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVICE, what],
        env={
            **os.environ,
            "ARGOS_CONFIG": str(config),
            "ARGOS_STATE": str(tmp_path / "state"),
            **variables,
        },
        stderr=subprocess.PIPE,
        text=True,
    )


async def run_file(tmp_path: Path) -> dict[str, object]:
    path = tmp_path / "state" / "run" / "echo.json"
    async with asyncio.timeout(20):
        while not path.exists():  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.05)
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def get(port: object, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}{path}", timeout=5
        ) as answer:  # loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def until_ready(port: object) -> None:
    async with asyncio.timeout(20):
        while (await asyncio.to_thread(get, port, "/readyz"))[0] != 200:  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.05)


def end(process: subprocess.Popen[str]) -> str:
    """Everything it said until it ended."""
    try:
        return process.communicate(timeout=20)[1]
    finally:
        process.kill()


async def test_a_service_beats_serves_its_metrics_and_stops_in_order(tmp_path: Path) -> None:
    async with running_nats(tmp_path / "nats") as nats:
        service = start(tmp_path, "nats", ARGOS_NATS_URL=nats.url)
        try:
            connection = await connect(NatsSettings(url=nats.url, name="test"), timeout_s=10)
            beats: asyncio.Queue[Beat] = asyncio.Queue()

            async def took(subject: str, payload: bytes) -> None:
                assert subject == "argos.beat.echo"
                beats.put_nowait(unpack(Beat, payload))

            await NatsBus(connection).subscribe("argos.beat.>", took)
            async with asyncio.timeout(20):
                while (await beats.get()).state != "running":
                    pass
            port = (await run_file(tmp_path))["metrics_port"]
            await until_ready(port)
            assert await asyncio.to_thread(get, port, "/healthz") == (200, "ok\n")
            assert "argos_beats_total" in (await asyncio.to_thread(get, port, "/metrics"))[1]
            await connection.close()
            service.send_signal(signal.SIGTERM)
            said = await asyncio.to_thread(end, service)
        finally:
            service.kill()
    assert service.returncode == 0, said
    log = (tmp_path / "state" / "logs" / "echo.jsonl").read_text()
    assert "drained" in log


async def test_a_service_waits_for_nats_and_says_so_and_can_be_stopped_meanwhile(
    tmp_path: Path,
) -> None:
    service = start(tmp_path, "nats", ARGOS_NATS_URL="nats://127.0.0.1:9")
    try:
        log = tmp_path / "state" / "logs" / "echo.jsonl"
        async with asyncio.timeout(20):
            while not log.exists() or "waiting for NATS" not in log.read_text():  # noqa: ASYNC110  # another process changes it
                await asyncio.sleep(0.1)
        service.send_signal(signal.SIGTERM)
        await asyncio.to_thread(end, service)
    finally:
        service.kill()
    assert service.returncode == 0


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("bug", "failed unexpectedly (KeyError); its log file has the details"),
        ("mistake", "the disk is full: make room"),
    ],
)
def test_what_ends_a_service_is_one_sentence(tmp_path: Path, what: str, sentence: str) -> None:
    service = start(tmp_path, what)
    said = end(service)
    assert service.returncode == 1
    assert f"echo: {sentence}" in said
    assert "Traceback" not in said
    log = (tmp_path / "state" / "logs" / "echo.jsonl").read_text()
    assert ("Traceback" in log) is (what == "bug")


def test_a_wrong_configuration_is_exit_code_two(tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    config.write_text("name = 5\n")
    service = start(tmp_path, "run", config)
    said = end(service)
    assert service.returncode == 2
    assert "line 1: name" in said


async def test_a_service_ends_with_its_parent(tmp_path: Path) -> None:
    """The process between us and the service dies; the service notices."""
    between = subprocess.Popen(  # noqa: ASYNC220  # only started, not waited for
        [
            sys.executable,
            "-c",
            "import os,subprocess,sys,time;"
            "os.environ['ARGOS_PARENT_PID']=str(os.getpid());"
            "subprocess.Popen([sys.executable,'-c',sys.argv[1],'run']);time.sleep(60)",
            SERVICE,
        ],
        env={
            **os.environ,
            "ARGOS_CONFIG": str(EXAMPLE),
            "ARGOS_STATE": str(tmp_path / "state"),
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        found = await run_file(tmp_path)
        await until_ready(found["metrics_port"])
    finally:
        between.kill()
        between.wait()
    log = tmp_path / "state" / "logs" / "echo.jsonl"
    async with asyncio.timeout(20):
        while "stopped" not in log.read_text().splitlines()[-1]:  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.1)
    assert "parent process is gone" in log.read_text()
