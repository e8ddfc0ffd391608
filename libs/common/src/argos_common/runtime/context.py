"""What the skeleton gives to a service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.runtime.bus import Bus
from argos_common.runtime.clock import Clock
from argos_common.runtime.entropy import Entropy
from argos_common.runtime.environment import Environment
from argos_common.runtime.fleet import Fleet
from argos_common.runtime.health import Pulse
from argos_common.runtime.log import Log
from argos_common.runtime.logs import Logger
from argos_common.runtime.metrics import Metrics
from argos_common.runtime.nats_connection import NatsConnection
from argos_common.runtime.telemetry import Telemetry


@dataclass(slots=True, kw_only=True)
class Context:
    """What a service is given. `name` is unique in the fleet, also for one of several nodes."""

    name: str
    incarnation: str
    clock: Clock
    entropy: Entropy
    environment: Environment
    fleet: Fleet
    state_dir: Path
    telemetry: Telemetry
    metrics: Metrics
    logger: Logger
    pulse: Pulse
    connection: NatsConnection | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failure: str = ""
    run_facts: dict[str, int | str] = field(default_factory=dict)
    """What `<state>/run/<name>.json` says of this process."""
    gauges: list[Callable[[], None]] = field(default_factory=list)
    """Called once a second on the event loop, to set gauges. Cheap, and never waiting."""
    open_nats: Callable[[], Awaitable[None]] | None = None
    log_opened: Log | None = None
    bus_opened: Bus | None = None

    @property
    def log(self) -> Log:
        if self.log_opened is None:
            raise OurMistake(f"{self.name} has no log")
        return self.log_opened

    @property
    def bus(self) -> Bus:
        if self.bus_opened is None:
            raise OurMistake(f"{self.name} has no bus")
        return self.bus_opened

    async def wait_for_nats(self) -> None:
        """Wait until log and bus are there. For a service that runs with `needs_nats=False`."""
        if self.open_nats is None:
            raise OurMistake(f"{self.name} has no way to NATS")
        await self.open_nats()

    @property
    def connected(self) -> bool:
        """Whether NATS is there at this moment."""
        return self.connection is not None and self.connection.is_connected

    def publish_port(self, name: str, port: int) -> None:
        """Write where something of ours listens into the run file, for the supervisor and tools."""
        self.run_facts[name] = port
        self._write_run_file()

    def stop(self, failure: str = "") -> None:
        """End the process in an orderly way; with a sentence, as a failure."""
        self.failure = self.failure or failure
        self.stopping.set()

    async def run_until_stopped(self, *work: Coroutine[object, object, None]) -> None:
        """Run all of it at once, cancel it when the service is to stop; raise what one raises."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            await self.stopping.wait()
            for task in tasks:
                task.cancel()

    def _write_run_file(self) -> None:
        path = self.state_dir / "run" / f"{self.name}.json"
        text = json.dumps(self.run_facts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_text(text + "\n", encoding="utf-8")
            fresh.replace(path)
        except OSError as error:
            raise OurMistake(
                f"the state folder {self.state_dir} cannot be written ({error.strerror})"
            ) from None
