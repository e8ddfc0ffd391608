"""The embedded fleet: NATS and every service as processes of this machine, kept alive.

    async with EmbeddedFleet(Path("fleet.toml"), Path(".argos"), say=print) as fleet:
        await post(fleet.webhook_url("tradingview"), alert)

`start` returns when every process says that it is ready, or raises OurMistake with one sentence.
From then on what dies is started again, after a pause that grows (see `backoff`), for ever.
`stop` ends intake first and the log last; what does not end in time is killed.

For tests and demonstrations: `kill` (as kill -9), `pause`, `resume`, `wait_ready`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from argos_common.domain.errors import ArgosError, OurMistake
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock, SystemClock
from argos_common.runtime.credentials import ensure_tokens, read_secret_file
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.fleet import Fleet
from argos_common.runtime.settings import load_fleet

from argos_cli.fleet import plan, ports
from argos_cli.fleet.backoff import next_failure, pause_s
from argos_cli.fleet.child import Child, Phase, keep_small, launcher, start_fresh
from argos_cli.fleet.log_server import StuckLog, launch_log, prepare_log
from argos_cli.fleet.state_folder import (
    FIRST_GENERATION,
    FleetRecord,
    FolderLock,
    LastEnd,
    end_left_over,
    log_generation,
    mark_stopped,
    write_record,
)

READY_S = 60.0
STOP_S = 8.0
NATS_STOP_S = 10.0
PROGRESS_S = 1.0
GIVE_UP_AFTER = 4
"""A process that dies so often before the fleet was ever ready makes `start` fail."""
_PROBE_S = 0.1
_TIDY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """What `EmbeddedFleet.state` says of one process. `reason`: why it ended last, or waits."""

    name: str
    phase: str
    pid: int
    restarts: int
    reason: str


class EmbeddedFleet:
    """A fleet on one machine; see the module's text. Use it from the main thread."""

    def __init__(  # a composition root: each is one thing that may be replaced
        self,
        config: Path,
        state: Path,
        *,
        ports: Mapping[str, int] | None = None,
        say: Callable[[str], None] = lambda _: None,
        clock: Clock | None = None,
        env: Mapping[str, str] | None = None,
        planner: plan.Planner = plan.processes,
    ) -> None:
        """`ports` by name overrides the configuration's, 0 means a free one. `env` adds variables.

        `planner` says which processes there are besides NATS.
        """
        self.config = config.resolve()
        self.folder = state.resolve()
        self.generation = FIRST_GENERATION
        self.urls: dict[str, str] = {}
        self.ports: dict[str, int] = {}
        self.fleet: Fleet | None = None
        self._given_ports = dict(ports or {})
        self._env = dict(env or {})
        self._planner = planner
        self._say = say
        self._clock = clock or SystemClock()
        self._children: dict[str, Child] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._token_files: dict[str, Path] = {}
        self._started_ns = 0
        self._open = AsyncExitStack()

    # --- life

    async def __aenter__(self) -> EmbeddedFleet:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self, ready_s: float = READY_S) -> None:
        """Start everything and wait until all is ready. Raises OurMistake; then nothing is left."""
        try:
            await self._start(ready_s)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End everything in order. Nothing of the fleet runs when this returns."""
        await _cancelled(self._tasks)
        for group in plan.stop_order(tuple(self._children)):
            await asyncio.gather(*(self._stop_one(name) for name in group))
        if self._children:
            mark_stopped(self.folder)
        self._children.clear()
        await self._open.aclose()

    async def wait_ready(self, *names: str, timeout_s: float = READY_S) -> None:
        """Wait until these processes (none named: all) are ready. Raises OurMistake in time."""
        waited = [self._children[name] for name in names] or list(self._children.values())
        try:
            async with asyncio.timeout(timeout_s):
                for child in waited:
                    await child.ready.wait()
        except TimeoutError:
            raise OurMistake(self._not_ready(timeout_s)) from None

    # --- what is running

    @property
    def state(self) -> tuple[ProcessState, ...]:
        """Every process as it is now."""
        return tuple(
            ProcessState(
                name=child.name,
                phase=child.phase.name.lower(),
                pid=child.pid,
                restarts=child.restarts,
                reason=child.reason,
            )
            for child in self._children.values()
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all processes; `services` leaves out NATS and simulated brokers."""
        return tuple(self._children)

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(n for n in self._children if n != "nats" and not n.startswith("sim-"))

    def pid(self, name: str) -> int:
        """0 while it does not run."""
        return self._child(name).pid

    def token(self, source: str) -> str:
        """A token that the source may use. Raises OurMistake if only its hash is known."""
        path = self._token_files.get(source)
        if path is None:
            raise OurMistake(f"the source {source} has no token file: give it one in {self.config}")
        return read_secret_file(path).reveal()

    def webhook_url(self, source: str) -> str:
        """Where alerts of this source are posted, token included."""
        return f"{self.urls['gateway']}/v1/webhooks/{source}/{self.token(source)}"

    def simulator_port(self, node: str) -> int:
        """Where the simulated broker of a node listens."""
        return self.ports[f"sim-{node}"]

    def simulator_folder(self, node: str) -> Path:
        return self.folder / "simulator" / node

    # --- for tests and demonstrations

    def kill(self, name: str) -> int:
        """As kill -9; the supervisor starts it again. The pid that was killed."""
        child = self._child(name)
        pid = child.pid
        child.ready.clear()
        child.signal(signal.SIGKILL)
        return pid

    def pause(self, name: str) -> None:
        """Freeze a process (SIGSTOP)."""
        self._child(name).signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a frozen process go on (SIGCONT)."""
        self._child(name).signal(signal.SIGCONT)

    # --- inside

    def _child(self, name: str) -> Child:
        if name not in self._children:
            known = ", ".join(self._children)
            raise OurMistake(f"there is no process {name!r} in this fleet: use one of {known}")
        return self._children[name]

    async def _start(self, ready_s: float) -> None:
        self._started_ns = self._clock.now_ns()
        self.fleet = fleet = load_fleet(self.config)
        if fleet.nats_url:
            raise OurMistake(
                f"{self.config} names a NATS server of its own ({fleet.nats_url}): remove [nats] url"
                " to run an embedded fleet"
            )
        self._say(f"starting the fleet on {self.folder}")
        self._open.enter_context(FolderLock(self.folder))
        left_over = end_left_over(self.folder)
        self.generation = log_generation(self.folder)
        if left_over:
            self._say(f"ended what an earlier fleet had left running: {', '.join(left_over)}")
        self.ports = ports.choose(*plan.wanted_ports(fleet, self._given_ports))
        self._token_files = ensure_tokens(fleet, self.folder, SystemEntropy())
        self.urls = {
            "nats": f"nats://127.0.0.1:{self.ports['nats']}",
            "nats_monitor": f"http://127.0.0.1:{self.ports['nats-monitor']}",
            "gateway": f"http://127.0.0.1:{self.ports['gateway']}",
            "monitor": f"http://127.0.0.1:{self.ports['monitor']}",
        }
        await self._start_log()
        self._plan_services(fleet)
        for child in self._children.values():
            self._look_after(child)
        await self._until_all_ready(ready_s)
        self._tasks["tidy"] = asyncio.create_task(self._tidy())
        nats = self._children["nats"]
        stuck = StuckLog(nats, self.urls["nats_monitor"], self.folder / "nats", self._say)
        self._tasks["stuck"] = asyncio.create_task(stuck.watch(self._clock))

    async def _start_log(self) -> None:
        child = Child(name="nats", launch=self._launch_log, out=self._out("nats"))
        start_fresh(child.out)
        child.process = await self._launch_log()
        self._children["nats"] = child
        self._write_record()
        await prepare_log(self.urls, self.generation)
        child.phase = Phase.READY
        child.ready.set()

    async def _launch_log(self) -> subprocess.Popen[bytes]:
        return await launch_log(self.folder, self.ports, self._clock)

    def _plan_services(self, fleet: Fleet) -> None:
        env = plan.base_environment(
            config=self.config,
            state=self.folder,
            generation=self.generation,
            ports=self.ports,
            fleet=fleet,
        )
        for process in self._planner(fleet, self.folder, env | self._env, self.ports):
            out = self._out(process.name)
            start_fresh(out)
            by_http = process.ready == "http"
            self._children[process.name] = Child(
                name=process.name,
                launch=launcher(process.argv, process.env, out),
                out=out,
                ready_url=f"http://127.0.0.1:{process.port}/readyz" if by_http else "",
                listens_on=0 if by_http else process.port,
            )

    def _out(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.out"

    def _look_after(self, child: Child) -> None:
        self._tasks[child.name] = asyncio.create_task(self._keep_alive(child), name=child.name)

    async def _keep_alive(self, child: Child) -> None:
        while True:
            began_ns = self._clock.monotonic_ns()
            try:
                if child.pid == 0:
                    child.phase = Phase.STARTING
                    child.process = await child.launch()
                    self._write_record()
            except (ArgosError, OSError) as error:
                reason = str(error)
            else:
                await self._until_ended(child)
                reason = child.last_words()
                child.end_group()
            alive_s = (self._clock.monotonic_ns() - began_ns) / NS_PER_S
            child.ready.clear()
            child.phase, child.reason = Phase.WAITING, reason
            child.failures = next_failure(child.failures, alive_s)
            if child.misused():
                child.failures = max(child.failures, GIVE_UP_AFTER)
            child.ended_ns = self._clock.now_ns()
            self._write_record()
            wait_s = pause_s(child.failures)
            self._say(f"{child.name} ended ({reason}); starting it again in {wait_s:g} s")
            await self._clock.sleep(wait_s)
            child.restarts += 1

    async def _tidy(self) -> None:
        while True:
            await self._clock.sleep(_TIDY_S)
            for child in self._children.values():
                keep_small(child.out)

    async def _until_ended(self, child: Child) -> None:
        ended = asyncio.create_task(child.ended(self._clock))
        try:
            while not ended.done():
                if not child.ready.is_set() and await child.is_ready() and not ended.done():
                    child.phase, child.reason = Phase.READY, ""
                    child.ready.set()
                    if child.restarts:
                        self._say(f"{child.name} is ready again")
                await asyncio.wait({ended}, timeout=None if child.ready.is_set() else _PROBE_S)
        finally:
            ended.cancel()

    async def _until_all_ready(self, ready_s: float) -> None:
        waited_s = 0.0
        while waiting := [c for c in self._children.values() if not c.ready.is_set()]:
            hopeless = [c for c in waiting if c.failures >= GIVE_UP_AFTER]
            if hopeless:
                raise OurMistake(
                    f"{hopeless[0].name} does not start ({hopeless[0].reason}): see {hopeless[0].out}"
                )
            if waited_s >= ready_s:
                raise OurMistake(self._not_ready(ready_s))
            if round(waited_s / _PROBE_S) % round(PROGRESS_S / _PROBE_S) == 0:
                self._say(f"waiting for {', '.join(c.name for c in waiting)}")
            await self._clock.sleep(_PROBE_S)
            waited_s += _PROBE_S

    def _not_ready(self, after_s: float) -> str:
        late = [c for c in self._children.values() if not c.ready.is_set()]
        told = "; ".join(f"{c.name}: {c.reason or 'says nothing'}" for c in late)
        return f"not ready within {after_s:g} s: {told} (more in {self.folder / 'logs'})"

    async def _stop_one(self, name: str) -> None:
        child = self._children[name]
        limit_s = NATS_STOP_S if name == "nats" else STOP_S
        if not await child.stop(self._clock, limit_s):
            self._say(f"{name} did not stop within {limit_s:g} s and was killed")

    def _write_record(self) -> None:
        assert self.fleet is not None  # noqa: S101  # set first of all in start
        write_record(
            self.folder,
            FleetRecord(
                supervisor_pid=os.getpid(),
                generation=self.generation,
                started_ns=self._started_ns,
                config=str(self.config),
                urls=self.urls,
                accounts=tuple(self.fleet.accounts),
                pids={name: child.pid for name, child in self._children.items() if child.pid},
                ports=self.ports,
                node_addresses={
                    node.name: node.address or f"127.0.0.1:{self.ports[f'node:{node.name}']}"
                    for node in self.fleet.nodes.values()
                },
                ended={
                    child.name: LastEnd(child.ended_ns, child.failures, child.reason)
                    for child in self._children.values()
                    if child.ended_ns
                },
                token_files={name: str(path) for name, path in self._token_files.items()},
            ),
        )


async def _cancelled(tasks: dict[str, asyncio.Task[None]]) -> None:
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    tasks.clear()
