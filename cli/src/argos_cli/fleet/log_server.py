"""The log server of an embedded fleet: started on its files, its stream made and verified."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
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

from argos_cli.client.http import request
from argos_cli.fleet.child import Child

CONNECT_S = 10.0
LOOK_S = 2.0
ROOM_BYTES = 16 * 1024 * 1024
"""So much must be free before a log server is started again that had no room."""


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


class StuckLog:
    """A log server that could not write once takes nothing more until it is started again.

    That holds when there is room again, too, and its clients only see that no answer comes. So it is
    asked, and ended when a new one could write; the supervisor starts that one.
    """

    def __init__(
        self, child: Child, monitor_url: str, folder: Path, say: Callable[[str], None]
    ) -> None:
        self._child, self._folder, self._say = child, folder, say
        self._url = monitor_url + "/healthz"
        self._told_full = False
        self._ended_pid = 0

    async def watch(self, clock: Clock) -> None:
        """Look now and then, for ever."""
        while True:
            await clock.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Ask once, and do what is to be done."""
        if not await self._cannot_write():
            self._told_full = False
        elif shutil.disk_usage(self._folder).free < ROOM_BYTES:
            if not self._told_full:
                self._say(f"the log cannot be written: make room on the disk of {self._folder}")
            self._told_full = True
        else:
            self._say("the log could not be written and there is room again: ending its server")
            pid = self._child.pid
            # Whoever did not heed the first word by the next look is not asked again.
            self._child.signal(signal.SIGKILL if pid == self._ended_pid else signal.SIGTERM)
            self._ended_pid = pid

    async def _cannot_write(self) -> bool:
        try:
            response = await request(self._url, timeout_s=LOOK_S)
        except (OSError, TimeoutError, ValueError):
            return False  # away, or starting: that is seen elsewhere
        return response.status != 200 and b"write error" in response.body  # HTTP OK
