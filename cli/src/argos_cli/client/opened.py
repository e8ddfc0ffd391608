"""Reaching a fleet: its log, its bus, and what is on record of where it runs.

That is the running fleet of a state folder; or a NATS server named by ARGOS_NATS_URL; or, where a
command can do its work on a fleet that is stopped, the log in the folder itself.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.runtime.embedded_nats import start_nats
from argos_common.runtime.environment import read_environment
from argos_common.runtime.nats_bus import NatsBus
from argos_common.runtime.nats_connection import NatsConnection, NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.service_nats import nats_settings

from argos_cli.exits import unreachable
from argos_cli.fleet.state_folder import (
    FleetRecord,
    FolderLock,
    end_left_over,
    log_generation,
    read_record,
)

CONNECT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A way to a fleet. `record` is None if it does not run here; `nats_monitor` may be empty."""

    state: Path
    log: NatsLog
    bus: NatsBus
    connection: NatsConnection
    generation: str
    nats_monitor: str
    record: FleetRecord | None

    @property
    def running(self) -> bool:
        return self.record is not None


@asynccontextmanager
async def open_fleet(state: Path, *, stopped_too: bool = False) -> AsyncIterator[Opened]:
    """Connect to the fleet of a folder. Raises Ended (not reachable) or OurMistake.

    `stopped_too`: if no fleet runs there, start the log server on its files for as long as this is
    open, under the folder's lock, so that no fleet can start meanwhile.
    """
    environment = read_environment(os.environ)
    record = read_record(state)
    if record is not None:
        settings = NatsSettings(url=record.urls["nats"], name="cli")
        monitor = record.urls["nats_monitor"]
        async with _connected(settings, record.generation, state, monitor, record) as opened:
            yield opened
    elif environment.nats_url:
        name = "operator" if environment.nats_nkey_file or environment.nats_user else "cli"
        settings = nats_settings(environment, environment.nats_url, name)
        monitor = environment.nats_monitor_url
        async with _connected(settings, environment.generation, state, monitor, None) as opened:
            yield opened
    elif stopped_too and (state / "nats" / "jetstream").is_dir():
        async with _on_stopped_folder(state) as opened:
            yield opened
    else:
        raise unreachable(_nobody(state, stopped_too=stopped_too))


def _nobody(state: Path, *, stopped_too: bool) -> str:
    if stopped_too:
        return (
            f"no fleet runs on {state} and there is no log in it: name the folder with --state, or"
            " start a fleet with `argos up`"
        )
    return f"no fleet runs on {state}: start one with `argos up`, or name its folder with --state"


def running_record(state: Path) -> FleetRecord:
    """The record of the fleet that runs on the folder. Raises Ended (not reachable).

    Where none does, ARGOS_MONITOR_URL and ARGOS_GATEWAY_URL may say where its pages are.
    """
    record = read_record(state)
    named = {
        name: os.environ.get(f"ARGOS_{name.upper()}_URL", "") for name in ("gateway", "monitor")
    }
    if record is None and all(named.values()):
        return FleetRecord(supervisor_pid=0, generation="", started_ns=0, config="", urls=named)
    if record is None:
        raise unreachable(_nobody(state, stopped_too=False))
    return record


@asynccontextmanager
async def _connected(
    settings: NatsSettings, generation: str, state: Path, monitor: str, record: FleetRecord | None
) -> AsyncIterator[Opened]:
    try:
        connection = await connect(settings, timeout_s=CONNECT_S)
    except OurMistake as error:
        raise unreachable(f"the log cannot be reached: {error}") from None
    try:
        yield Opened(
            state=state,
            log=NatsLog(connection, generation),
            bus=NatsBus(connection),
            connection=connection,
            generation=generation,
            nats_monitor=monitor,
            record=record,
        )
    finally:
        await connection.close()


@asynccontextmanager
async def _on_stopped_folder(state: Path) -> AsyncIterator[Opened]:
    with FolderLock(state):
        end_left_over(state)
        server = await start_nats((state / "nats").resolve(), port=0, monitor_port=0)
        try:
            settings = NatsSettings(url=server.url, name="cli")
            generation = log_generation(state)
            async with _connected(settings, generation, state, server.monitor_url, None) as opened:
                yield opened
        finally:
            await asyncio.to_thread(server.stop)
