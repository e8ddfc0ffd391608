"""One process of the fleet: started, watched, stopped, and for tests killed or frozen.

It has a session of its own, so that Ctrl-C at the terminal reaches the supervisor only, and what it
started can be ended with it. What it says goes to a file; the last line there is its reason to die.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from argos_common.runtime.clock import Clock

from argos_cli.client.http import request
from argos_cli.exits import Code

POLL_S = 0.1  # nine processes are watched; oftener costs more than most of them do at rest
Launch = Callable[[], Awaitable["subprocess.Popen[bytes]"]]


class Phase(Enum):
    """Where a process is in its life."""

    WAITING = 1  # to be started, or to be started again
    STARTING = 2
    READY = 3
    STOPPED = 4


@dataclass(slots=True, kw_only=True)
class Child:
    """`launch` starts it, `ready_url` answers 200 when it can work (empty: when it listens)."""

    name: str
    launch: Launch
    out: Path
    ready_url: str = ""
    listens_on: int = 0
    phase: Phase = Phase.WAITING
    failures: int = 0
    restarts: int = 0
    reason: str = ""
    ended_ns: int = 0
    process: subprocess.Popen[bytes] | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int:
        """0 while it does not run."""
        running = self.process is not None and self.process.poll() is None
        return self.process.pid if running and self.process is not None else 0

    def misused(self) -> bool:
        """Whether it ended because of how it was set up, which starting it again cannot mend."""
        return self.process is not None and self.process.poll() == Code.USAGE

    def signal(self, number: int) -> None:
        """Send a signal to the process itself, not to what it started."""
        if self.pid:
            os.kill(self.pid, number)

    async def ended(self, clock: Clock) -> int:
        """Wait until it is gone; its exit code (negative: the signal)."""
        assert self.process is not None  # noqa: S101  # only called after launch
        while (code := self.process.poll()) is None:
            await clock.sleep(POLL_S)
        return code

    async def stop(self, clock: Clock, timeout_s: float) -> bool:
        """Ask it to end, then make it end; whether it ended by itself."""
        if self.process is None:
            return True
        gently = True
        if self.pid:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(timeout_s):
                    await self.ended(clock)
            except TimeoutError:
                gently = False
        self.end_group()
        await self.ended(clock)
        self.phase = Phase.STOPPED
        return gently

    def end_group(self) -> None:
        """End what is left of it and of what it started."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # nothing is left

    async def is_ready(self) -> bool:
        """Ask once."""
        try:
            if self.ready_url:
                response = await request(self.ready_url, timeout_s=2.0)
                self.reason = response.body.decode("utf-8", "replace").strip()
                return response.status == 200  # HTTP OK
            if self.listens_on:
                _, writer = await asyncio.open_connection("127.0.0.1", self.listens_on)
                writer.close()
        except (OSError, TimeoutError, ValueError):
            return False
        return True

    def last_words(self) -> str:
        """The last line it wrote, or how it ended."""
        code = self.process.poll() if self.process is not None else None
        how = _how(code)
        try:
            with self.out.open("rb") as file:
                file.seek(max(0, self.out.stat().st_size - 4096))
                lines = file.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        killed = code is not None and code < 0
        return f"{how}: {lines[-1].strip()}" if lines and not killed else how


def _how(code: int | None) -> str:
    if code is None:
        return "not started"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def launcher(argv: Sequence[str], env: Mapping[str, str], out: Path) -> Launch:
    """Start a program with its output appended to `out`. Called from the main thread."""

    async def launch() -> subprocess.Popen[bytes]:
        with out.open("ab") as file:
            return subprocess.Popen(  # noqa: ASYNC220  # forking is quick; kept for kill and poll
                list(argv),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    return launch


OUT_MAX = 16 * 1024 * 1024


def keep_small(out: Path) -> None:
    """Begin again what became too large. Its writer appends, so it goes on at the new end."""
    if out.exists() and out.stat().st_size > OUT_MAX:
        out.with_name(out.name + ".1").write_bytes(out.read_bytes())
        os.truncate(out, 0)


def start_fresh(out: Path) -> None:
    """Keep what the last run said as `.1`, and begin an empty file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists():
        out.replace(out.with_name(out.name + ".1"))
    out.touch()
