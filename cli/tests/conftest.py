"""A state folder with a real log in it, without a fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from argos_cli.app import app
from argos_common.domain.event import Event
from argos_common.runtime.embedded_nats import start_nats
from argos_common.runtime.log import Append, Mine, Unconditional
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.provision import ensure_stream
from argos_common.wire import codec
from typer.testing import CliRunner, Result

Record = Callable[[Sequence[tuple[str, Event]]], Path]
Argos = Callable[..., Result]


@pytest.fixture
def argos(monkeypatch: pytest.MonkeyPatch) -> Argos:
    """Run the command as a user would; `result.exit_code`, `.stdout`, `.stderr`."""
    for name in ("ARGOS_STATE", "ARGOS_CONFIG", "ARGOS_NATS_URL"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin or None)

    return invoke


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Write (subject, event) pairs into the log of a new state folder; the folder."""

    def write(events: Sequence[tuple[str, Event]]) -> Path:
        state = (tmp_path / "state").resolve()
        asyncio.run(_write(state, events))
        return state

    return write


async def _write(state: Path, events: Sequence[tuple[str, Event]]) -> None:
    server = await start_nats(state / "nats", port=0, monitor_port=0)
    try:
        connection = await connect(NatsSettings(url=server.url, name="test"), timeout_s=10)
        await ensure_stream(connection)
        log = NatsLog(connection)
        for subject, event in events:
            append = Append(subject=subject, data=codec.encode(event), condition=Unconditional())
            assert isinstance(await log.append(append), Mine)
        await connection.close()
    finally:
        await asyncio.to_thread(server.stop)
