"""The terminal in a child process, which can be killed when a call does not return.

Rules:
1. One exchange at a time: a batch of calls out, their answers back, within the budget of the slowest
   function in it. Past the budget the child is killed, and what it was doing is CallLost.
2. Once a batch has been written, only its answers say what it did. Whatever else ends it is CallLost.
3. A child that ended is replaced, after a pause that grows while it does not get up.
4. A child holds a lock for as long as it lives. One that was left behind by an earlier node process
   is ended before another may start: `alone` says that there is none.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.lasthop.lock import FileLock
from argos_common.runtime.clock import Clock
from argos_common.runtime.telemetry import NullTelemetry, Telemetry

from argos_mt5_node.core import frames
from argos_mt5_node.core.calls import Answer, Call, Json, answer_from_json, call_to_json
from argos_mt5_node.ports import CallLost, TerminalDown

_ORPHAN_WAIT_S = 1.0
_STEADY_S = 10.0
_BACKOFF_S = (0.05, 0.1, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What a worker is told, over its pipe, so that a password shows in no list of processes.

    `module` is "real" or "simulated"; `address` is where the simulator is, host:port or a port file;
    `lock` the file that the worker locks; `timeout_ms` how long the terminal may take to be ready.
    """

    module: str
    path: str
    login: int
    server: str
    lock: str
    address: str = ""
    password: str = field(default="", repr=False)
    timeout_ms: int = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """How long a call may take, in seconds; `start_s` for the child to be connected."""

    send_s: float = 20.0
    read_s: float = 10.0
    start_s: float = 180.0

    def of(self, calls: tuple[Call, ...]) -> float:
        sends = any(call.function == "order_send" for call in calls)
        return self.send_s if sends else self.read_s


class WorkerTerminal:
    """Implements `Terminal`. `run` keeps a child alive; `close` ends it."""

    def __init__(
        self,
        plan: WorkerPlan,
        clock: Clock,
        notice: Callable[[str], None],
        budgets: Budgets | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._plan = plan
        self._telemetry = telemetry or NullTelemetry()
        self._clock = clock
        self._notice = notice
        self._budgets = budgets or Budgets()
        self._process: asyncio.subprocess.Process | None = None
        self._exchange = asyncio.Lock()
        self._calls: set[asyncio.Task[list[Answer]]] = set()
        self._down = "the terminal has not been started yet"
        self._ended = asyncio.Event()
        self._life = 0
        self._locked_once = False

    @property
    def life(self) -> int:
        return self._life

    @property
    def pid(self) -> int:
        """The child's process id, 0 if there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def up(self) -> bool:
        return not self._down

    # Asking.

    async def ask(self, *calls: Call) -> list[Answer]:
        if self._down:
            raise TerminalDown(self._down)
        task = asyncio.create_task(self._ask(calls))
        self._calls.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[list[Answer]]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have gone away

    async def _ask(self, calls: tuple[Call, ...]) -> list[Answer]:
        async with self._exchange:
            process = self._process
            if self._down or process is None:
                raise TerminalDown(self._down)
            if _is_over(process):  # it ended between two calls: nothing has been written
                await self._end(process, "the process that holds the terminal ended")
                raise TerminalDown(self._down)
            message = {"calls": [call_to_json(call) for call in calls]}
            budget_s = self._budgets.of(calls)
            try:
                reply = await asyncio.wait_for(_exchange(process, message), budget_s)
            except TimeoutError:
                await self._end(process, f"the terminal did not answer in {budget_s:g} s")
                raise CallLost(self._down) from None
            except (OSError, EOFError, ValueError) as error:
                await self._end(process, "the process that holds the terminal ended")
                raise CallLost(f"{self._down} ({type(error).__name__})") from None
            if reply.get("sent"):
                self._trace(process.pid, *reply["sent"])
            if reply["gone"]:
                await self._end(process, f"the terminal is gone ({reply['gone']})")
            return [answer_from_json(answer) for answer in reply["answers"]]

    def _trace(self, pid: int, begun_ns: int, retcode: int) -> None:
        """A span of the worker for an order it sent; by its own account, on the same clock."""
        with self._telemetry.span(
            "worker order_send",
            start_ns=begun_ns,
            attributes={"argos.worker_pid": pid, "argos.retcode": retcode},
        ):
            pass

    async def kill(self) -> None:
        process = self._process
        if process is not None:
            await self._end(process, "the call under way was given up")

    async def alone(self) -> bool:
        if self._locked_once:
            return True
        return await asyncio.to_thread(_nobody_holds, Path(self._plan.lock))

    # The child's life.

    async def run(self) -> None:
        """Keep a child alive until cancelled."""
        failures = 0
        while True:
            started_ns = self._clock.monotonic_ns()
            reason = await self._start()
            if not reason:
                await self._ended.wait()
                reason = self._down
            if self._clock.monotonic_ns() - started_ns > _STEADY_S * 1e9:
                failures = 0
            pause_s = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
            failures += 1
            self._notice(f"{reason}; another attempt in {pause_s:g} s")
            await self._clock.sleep(pause_s)

    async def close(self) -> None:
        """End the child, after the exchange under way if there is one."""
        if self._calls:
            await asyncio.wait(self._calls)
        process = self._process
        if process is not None:
            await self._end(process, "the node is stopping")

    async def _start(self) -> str:
        """Why there is no child that is connected; empty if there is."""
        await asyncio.to_thread(end_orphan, Path(self._plan.lock))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "argos_mt5_node.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._process = process
        self._ended.clear()
        try:
            plan: Json = {"plan": asdict(self._plan) | {"node_pid": os.getpid()}}
            reply = await asyncio.wait_for(_exchange(process, plan), self._budgets.start_s)
        except asyncio.CancelledError:
            await self._end(process, "the node is stopping")
            raise
        except TimeoutError:
            reply = {"error": f"the terminal was not ready in {self._budgets.start_s:g} s"}
        except (OSError, EOFError, ValueError):
            reply = {"error": "the process that holds the terminal ended while it started"}
        self._locked_once = self._locked_once or bool(reply.get("locked"))
        reason = str(reply.get("error", ""))
        if reason:
            await self._end(process, reason)
            return reason
        self._life += 1
        self._down = ""
        return ""

    async def _end(self, process: asyncio.subprocess.Process, reason: str) -> None:
        self._down = reason
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
            with suppress(OSError):
                await process.stdin.wait_closed()
        if self._process is process:
            self._process = None
        self._ended.set()


def _is_over(process: asyncio.subprocess.Process) -> bool:
    closing = process.stdin is None or process.stdin.is_closing()
    return closing or process.returncode is not None


async def _exchange(process: asyncio.subprocess.Process, message: Json) -> Json:
    """One message to the child and one back."""
    if process.stdin is None or process.stdout is None:
        raise EOFError
    try:
        process.stdin.write(frames.pack(message))
    except RuntimeError as error:  # what uvloop says of a pipe whose reader is gone
        raise EOFError from error
    await process.stdin.drain()
    header = await process.stdout.readexactly(frames.HEADER.size)
    return frames.unpack(await process.stdout.readexactly(frames.body_length(header)))


def pid_file(lock: Path) -> Path:
    """Where the holder of the lock says who it is."""
    return lock.with_suffix(".pid")


def _nobody_holds(lock: Path) -> bool:
    try:
        FileLock(lock, "held").release()
    except OurMistake:
        return False
    except OSError:
        return False
    return True


def end_orphan(lock: Path) -> None:
    """End the worker that an earlier node process left behind, if it does not end by itself.

    A worker that is not in a call notices that its node is gone. One that is still there after a
    second is in a call, so the process id that it wrote down is its own.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    pause = threading.Event()  # never set: it only waits
    for _ in range(int(_ORPHAN_WAIT_S / 0.02)):
        if _nobody_holds(lock):
            return
        pause.wait(0.02)
    with suppress(OSError, ValueError):
        os.kill(int(pid_file(lock).read_text("ascii")), getattr(signal, "SIGKILL", signal.SIGTERM))
    for _ in range(int(_ORPHAN_WAIT_S / 0.02)):
        if _nobody_holds(lock):
            return
        pause.wait(0.02)
