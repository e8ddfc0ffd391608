"""The log server of an embedded fleet: started on its files, its stream made and verified."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.runtime.clock import Clock
from argos_common.runtime.embedded_nats import start_nats
from argos_common.runtime.nats_connection import (
    NatsSettings,
    NoAnswer,
    NobodyThere,
    NotSent,
    connect,
)
from argos_common.runtime.provision import ensure_stream, verify_sync_always

CONNECT_S = 10.0


async def launch_log(
    folder: Path, ports: Mapping[str, int], clock: Clock
) -> subprocess.Popen[bytes]:
    """Start the server on the fleet's own store and ports. Raises OurMistake."""
    server = await start_nats(
        folder / "nats", port=ports["nats"], monitor_port=ports["nats-monitor"], clock=clock
    )
    return server.process


async def prepare_log(urls: Mapping[str, str], generation: str) -> None:
    """Make the stream if it is absent, refuse one that is not as it must be. Raises OurMistake."""
    settings = NatsSettings(url=urls["nats"], name="supervisor")
    connection = await connect(settings, timeout_s=CONNECT_S)
    try:
        await ensure_stream(connection, generation)
        await verify_sync_always(urls["nats_monitor"])
    except (NotSent, NobodyThere, NoAnswer) as error:
        raise OurMistake(f"the NATS server started but does not answer ({error})") from None
    finally:
        await connection.close()
