"""The fleet under attack: its supervisor in a process of its own, its cables, its small disks."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.runtime.clock import Clock
from argos_common.runtime.credentials import read_secret_file
from argos_common.runtime.settings import load_fleet

from argos_cli.chaos import small_disk
from argos_cli.chaos.cables import Cables
from argos_cli.chaos.fleet_file import SOURCE, write_fleet_file
from argos_cli.chaos.supervise import FleetPlan
from argos_cli.client.http import request
from argos_cli.fleet import plan, ports
from argos_cli.fleet.child import Child, launcher
from argos_cli.fleet.state_folder import (
    FleetRecord,
    FolderLock,
    end_left_over,
    last_record,
)

READY_S = 60.0
STOP_S = 40.0
POLL_S = 0.05
LOG_DISK_MB, LEDGER_DISK_MB = 192, 96
SECOND = "bridge-2"
SUPERVISOR = "supervisor"


@dataclass(slots=True)
class Arena:
    """Made by `open_arena`. `folder` holds the configuration, the plan and the state."""

    folder: Path
    clock: Clock
    cables: Cables
    ports: dict[str, int]
    small_disks: bool
    supervisor: Child
    second: Child

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def ledger_folder(self) -> Path:
        return self.state / "ledger"

    @property
    def log_folder(self) -> Path:
        return self.state / "nats"

    @property
    def monitor_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['monitor']}"

    @property
    def webhook_url(self) -> str:
        token = read_secret_file(self.state / "secrets" / f"{SOURCE}.token").reveal()
        return f"http://127.0.0.1:{self.ports['gateway']}/v1/webhooks/{SOURCE}/{token}"

    @property
    def record(self) -> FleetRecord | None:
        return last_record(self.state)

    async def start(self, timeout_s: float = READY_S) -> None:
        """Start the supervisor and wait until every process is ready. Raises OurMistake.

        While another tool holds the folder it is tried again.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    self.supervisor.process = await self.supervisor.launch()
                    while self.supervisor.pid:
                        if await self.ready():
                            return
                        await self.clock.sleep(POLL_S)
                    await self.clock.sleep(0.5)
        except TimeoutError:
            said = self.supervisor.last_words()
            raise OurMistake(f"the fleet did not start within {timeout_s:g} s: {said}") from None

    async def ready(self) -> bool:
        """Whether this supervisor's processes all say that they are."""
        record = self.record
        if record is None or record.supervisor_pid != self.supervisor.pid:
            return False
        wanted = [n for n in self.ports if n.startswith("metrics:") and n != f"metrics:{SECOND}"]
        try:
            for name in wanted:
                url = f"http://127.0.0.1:{self.ports[name]}/readyz"
                if (await request(url, timeout_s=2.0)).status != 200:  # HTTP OK
                    return False
        except (OSError, TimeoutError, ValueError):
            return False
        return True

    async def stop(self) -> None:
        """End everything, gently where that works; nothing of the fleet runs afterwards."""
        self.second.end_group()
        await self.supervisor.stop(self.clock, STOP_S)
        with FolderLock(self.state):
            await asyncio.to_thread(end_left_over, self.state)

    def pid(self, target: str) -> int:
        """Of a process, `worker ACCOUNT` or `supervisor`; 0 while it does not run."""
        if target == SUPERVISOR:
            return self.supervisor.pid
        if target.startswith("worker "):
            path = self.state / "journals" / f"{target.removeprefix('worker ')}.worker.pid"
            try:
                found = int(path.read_text("ascii"))
            except (OSError, ValueError):
                return 0
            return found if is_running(found) else 0
        record = self.record
        found = record.pids.get(target, 0) if record is not None else 0
        return found if found and str(self.state) in command_line(found) else 0

    def signal(self, pid: int, number: int) -> bool:
        """Send it, if the process is still there."""
        if not pid:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def pids(self) -> dict[str, int]:
        """Every process on record that runs, by name."""
        record = self.record
        names = tuple(record.pids) if record is not None else ()
        return {name: pid for name in names if (pid := self.pid(name))}


def is_running(pid: int) -> bool:
    """Whether the process lives and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def command_line(pid: int) -> str:
    """Empty if there is no such process."""
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return ""


@asynccontextmanager
async def open_arena(folder: Path, clock: Clock, *, small_disks: bool) -> AsyncIterator[Arena]:
    """A fleet that runs, in `folder`; at the end nothing of it does. Raises OurMistake."""
    state, config = _prepare(folder, small_disks=small_disks)
    folder = state.parent
    fleet = load_fleet(config)
    wanted, fixes = plan.wanted_ports(fleet, {"gateway": 0, "monitor": 0})
    name = f"metrics:{SECOND}"
    chosen = ports.choose(wanted | {name: 0}, fixes | {name: ""})
    cables = Cables(chosen)
    await cables.start()
    env = {
        "ARGOS_LEDGER_URL": f"sqlite:///{state / 'ledger' / 'ledger.db'}",
        "LOG_LEVEL": "info",
    }
    given = FleetPlan(
        config=str(config), state=str(state), ports={each: chosen[each] for each in wanted},
        environment=env,
        led=cables.environment(), parent_pid=os.getpid(),
    )  # fmt: skip
    given.save(folder / "plan.json")
    base = plan.base_environment(
        config=config, state=state, generation="g1", ports=chosen, fleet=fleet
    )
    arena = Arena(
        folder=folder,
        clock=clock,
        cables=cables,
        ports=chosen,
        small_disks=small_disks,
        supervisor=_supervisor(folder),
        second=_second_bridge(plan.processes(fleet, state, base | env, chosen), chosen, state),
    )
    try:
        await arena.start()
        yield arena
    finally:
        try:
            await arena.stop()
        finally:
            await cables.stop()


def _prepare(folder: Path, *, small_disks: bool) -> tuple[Path, Path]:
    """The empty state folder and the fleet's configuration."""
    folder = folder.resolve()
    state, config = folder / "state", folder / "fleet.toml"
    for name, size_mb in (("nats", LOG_DISK_MB), ("ledger", LEDGER_DISK_MB)):
        (state / name).mkdir(parents=True)
        if small_disks:
            small_disk.mount(state / name, size_mb)
    (state / "logs").mkdir()
    write_fleet_file(config)
    return state, config


def _supervisor(folder: Path) -> Child:
    out = folder / "state" / "logs" / f"{SUPERVISOR}.out"
    argv = (sys.executable, "-m", "argos_cli.chaos.supervise", str(folder / "plan.json"))
    return Child(name=SUPERVISOR, launch=launcher(argv, os.environ, out), out=out)


def _second_bridge(
    processes: tuple[plan.Process, ...], ports: dict[str, int], state: Path
) -> Child:
    """As the first one, on the fleet's real ports."""
    first = next(process for process in processes if process.name == "bridge")
    port = ports[f"metrics:{SECOND}"]
    out = state / "logs" / f"{SECOND}.out"
    second = replace(first, env={**first.env, "ARGOS_METRICS_PORT": str(port)})
    return Child(
        name=SECOND,
        launch=launcher(second.argv, second.env, out),
        out=out,
        ready_url=f"http://127.0.0.1:{port}/readyz",
    )
