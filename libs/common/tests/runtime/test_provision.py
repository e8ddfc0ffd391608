"""The stream is made as it must be, and a server or stream that is not is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argos_common.domain.errors import OurMistake
from argos_common.runtime.embedded_nats import find_binary, free_port
from argos_common.runtime.log import Mine
from argos_common.runtime.nats_connection import NatsConnection, NatsEvents, NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.provision import (
    differences,
    ensure_stream,
    stream_config,
    verify_sync_always,
)
from argos_common.testing.log_contract import PATIENCE_S, collect, event
from argos_common.testing.nats_server import NatsServer, running_nats

ROOT = Path(__file__).parents[4]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with running_nats(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def connection(server: NatsServer) -> AsyncIterator[NatsConnection]:
    connection = await connect(NatsSettings(url=server.url, name="test"), timeout_s=PATIENCE_S)
    yield connection
    await connection.close()


async def test_stream_is_made_once_and_found_again(connection: NatsConnection) -> None:
    await ensure_stream(connection, max_bytes=1_000_000)
    assert await NatsLog(connection).append(event("alert.1")) == Mine(1)
    await ensure_stream(connection, max_bytes=1_000_000)
    assert await NatsLog(connection).tail() == 1


async def test_drift_is_refused_and_names_each_field_with_both_values(
    connection: NatsConnection,
) -> None:
    config = stream_config("g1", max_bytes=1_000_000, replicas=1)
    config |= {"discard": "old", "max_age": 3_600_000_000_000, "deny_purge": False}
    await connection.request("$JS.API.STREAM.CREATE.ARGOS_g1", json.dumps(config).encode(), 2)

    with pytest.raises(OurMistake) as refused:
        await ensure_stream(connection, max_bytes=2_000_000)

    sentence = str(refused.value)
    for part in (
        "discard is 'old', must be 'new'",
        "max_age is 3600000000000, must be 0",
        "deny_purge is False, must be True",
        "max_bytes is 1000000, must be 2000000",
    ):
        assert part in sentence
    assert sentence.count(", must be ") == 4


def test_a_field_that_weakens_acknowledgements_is_drift() -> None:
    wanted = stream_config("g1", max_bytes=1, replicas=1)
    assert differences(wanted, dict(wanted)) == []
    assert differences(wanted, {**wanted, "persist_mode": "async"}) == [
        "persist_mode is 'async', must not be set"
    ]


async def test_second_generation_on_the_same_subjects_is_refused(
    connection: NatsConnection,
) -> None:
    await ensure_stream(connection, "g1", max_bytes=1_000_000)
    with pytest.raises(OurMistake, match="overlap"):
        await ensure_stream(connection, "g2", max_bytes=1_000_000)
    with pytest.raises(OurMistake, match="generation"):
        await ensure_stream(connection, "g.2", max_bytes=1_000_000)


async def test_log_of_another_generation_is_our_mistake(connection: NatsConnection) -> None:
    await ensure_stream(connection, "g1", max_bytes=1_000_000)
    log = NatsLog(connection, "g2")
    with pytest.raises(OurMistake, match="expected stream does not match"):
        await log.append(event("alert.1"))
    with pytest.raises(OurMistake, match="stream not found"):
        await collect(log, 0, 1)


async def test_server_that_syncs_always_is_accepted(server: NatsServer) -> None:
    await verify_sync_always(server.monitor_url)


async def test_server_that_syncs_later_is_refused(tmp_path: Path) -> None:
    async with plain_server(tmp_path, "jetstream { store_dir: %STORE% }") as (_, monitor_url):
        with pytest.raises(OurMistake, match="sync_interval: always"):
            await verify_sync_always(monitor_url)


async def test_absent_monitoring_is_refused() -> None:
    with pytest.raises(OurMistake, match="cannot be read"):
        await verify_sync_always(f"http://127.0.0.1:{free_port()}")


async def test_of_three_servers_one_may_be_away_but_none_may_sync_later(
    server: NatsServer, tmp_path: Path
) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    await verify_sync_always(f"{server.monitor_url},{server.monitor_url},{away}")
    with pytest.raises(OurMistake, match="start it"):
        await verify_sync_always(f"{server.monitor_url},{away},{away}")
    async with plain_server(tmp_path, "jetstream { store_dir: %STORE% }") as (_, later):
        with pytest.raises(OurMistake, match="sync_interval: always"):
            await verify_sync_always(f"{server.monitor_url},{server.monitor_url},{later}")


async def test_start_without_server_waits_says_so_and_gives_up() -> None:
    said: list[str] = []
    settings = NatsSettings(url=f"nats://127.0.0.1:{free_port()}", name="test")
    with pytest.raises(OurMistake, match=r"did not answer within 3\.5 s"):
        await connect(settings, NatsEvents(waiting=said.append), timeout_s=3.5)
    assert len(said) == 1
    assert said[0].startswith("waiting for NATS at nats://127.0.0.1")


async def test_start_waits_for_a_server_that_comes_later(tmp_path: Path) -> None:
    async with running_nats(tmp_path) as server:
        await server.kill()
        settings = NatsSettings(url=server.url, name="test")
        connecting = asyncio.create_task(connect(settings, timeout_s=PATIENCE_S))
        await asyncio.sleep(0.5)
        assert not connecting.done()
        await server.start()
        connection = await connecting
        assert connection.is_connected
        await connection.close()


class plain_server:  # noqa: N801  # used like a function
    """A server with a configuration of the test's own. `%STORE%` becomes its store."""

    def __init__(self, folder: Path, config: str) -> None:
        self._port, self._monitor = free_port(), free_port()
        store = f'"{folder / "store"}"'
        self._file = folder / "plain.conf"
        self._file.write_text(
            f'listen: "127.0.0.1:{self._port}"\nhttp: "127.0.0.1:{self._monitor}"\n'
            + config.replace("%STORE%", store),
            encoding="utf-8",
        )

    async def __aenter__(self) -> tuple[str, str]:
        self._process = await asyncio.create_subprocess_exec(
            str(find_binary()),
            "-c",
            str(self._file),
            "-l",
            str(self._file) + ".log",
        )
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                except OSError:
                    assert self._process.returncode is None, self._log()
                    await asyncio.sleep(0.02)
                else:
                    writer.transport.abort()
                    break
        return f"nats://127.0.0.1:{self._port}", f"http://127.0.0.1:{self._monitor}"

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def _log(self) -> str:
        log = Path(str(self._file) + ".log")
        return log.read_text(encoding="utf-8") if log.exists() else "no log"
