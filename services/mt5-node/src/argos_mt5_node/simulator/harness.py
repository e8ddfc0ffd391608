"""The simulator as tests and the embedded fleet start it: in virtual time, or as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from argos_common.domain.times import NS_PER_MS

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.control import SimulatorControl
from argos_mt5_node.simulator.desk import TerminalDesk
from argos_mt5_node.simulator.link import InProcessLink
from argos_mt5_node.simulator.server import PORT_FILE
from argos_mt5_node.simulator.symbols import AccountSpec, SymbolSpec
from argos_mt5_node.simulator.terminal import SimulatedTerminal

START_NS = 1_772_442_000_000_000_000  # Monday, 2 March 2026, 09:00 UTC
HEDGING, NETTING = 10_001, 10_002


def quiet_accounts() -> tuple[AccountSpec, ...]:
    """A hedging and a netting account without any lag."""
    return (
        AccountSpec(login=HEDGING),
        AccountSpec(login=NETTING, margin_mode=c.MARGIN_NETTING),
    )


@dataclass(slots=True)
class VirtualRig:
    """A broker, its terminals and a clock that moves only when told.

    EURUSD's bid is pinned at 1.10000 (ask 1.10008) until a test scripts it.
    """

    seed: int = 1
    accounts: Sequence[AccountSpec] = field(default_factory=quiet_accounts)
    symbols: Sequence[SymbolSpec] = ()
    now_ns: int = START_NS
    broker: SimulatedBroker = field(init=False)
    desk: TerminalDesk = field(init=False)

    def __post_init__(self) -> None:
        """Open the broker."""
        self.broker = SimulatedBroker(self.seed, self.accounts, self.symbols, now_ns=self.now_ns)
        self.desk = TerminalDesk(self.broker)
        self.price("EURUSD", "1.10000")

    def price(self, symbol: str, bid: str) -> None:
        """Pin a symbol's bid from now on."""
        self.broker.script(symbol, "set", self.now_ns, Decimal(bid))

    def wait_ms(self, amount: int) -> None:
        """Let virtual time pass."""
        self.now_ns += amount * NS_PER_MS
        self.broker.advance(self.now_ns)

    def _sleep(self, seconds: float) -> None:
        self.wait_ms(int(seconds * 1000))

    def terminal(self, login: int = HEDGING, path: str = "C:\\A") -> SimulatedTerminal:
        """A logged-in terminal of an account."""
        terminal = self.offline_terminal()
        if not terminal.initialize(path, login=login, password="demo"):  # noqa: S106 - a simulated account has no secret
            message = f"initialize failed: {terminal.last_error()}"
            raise RuntimeError(message)
        return terminal

    def offline_terminal(self) -> SimulatedTerminal:
        """A terminal module that has not been initialised."""
        return SimulatedTerminal(InProcessLink(self.desk, lambda: self.now_ns), sleep=self._sleep)


class ServerProcess:
    """The simulator as a child process on a state directory; may be killed and started again."""

    def __init__(
        self,
        state_dir: Path,
        *,
        seed: int = 1,
        world: dict[str, Any] | None = None,  # the --accounts file's JSON
        parent_pid: int | None = None,
        start_timeout_s: float = 20.0,
    ) -> None:
        """Nothing is started yet."""
        self.state_dir = state_dir
        self.port_file = state_dir / PORT_FILE
        self._seed = seed
        self._world = world
        self._parent_pid = parent_pid
        self._start_timeout_s = start_timeout_s
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start and wait until it listens. Raises RuntimeError with its own words if it ends."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "argos_mt5_node.simulator", "--seed", str(self._seed)]
        command += ["--state-dir", str(self.state_dir)]
        if self._world is not None:
            file = self.state_dir / "accounts.json"
            file.write_text(json.dumps(self._world), "utf-8")
            command += ["--accounts", str(file)]
        if self._parent_pid is not None:
            command += ["--parent-pid", str(self._parent_pid)]
        self.port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        polls = int(self._start_timeout_s / 0.02)
        for _ in range(polls):
            if self.port_file.exists():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.process.kill()
        _, words = self.process.communicate(timeout=10)
        self.process = None
        message = f"the simulator did not start: {words.strip() or 'it said nothing'}"
        raise RuntimeError(message)

    def kill(self) -> None:
        """Kill -9."""
        self._end(force=True)

    def stop(self) -> int | None:
        """SIGTERM; returns its exit code."""
        return self._end(force=False)

    def _end(self, *, force: bool) -> int | None:
        process = self.process
        if process is None:
            return None
        if process.poll() is None:
            if force:
                process.kill()
            else:
                process.terminate()
        code = process.wait(timeout=10)
        if process.stderr is not None:
            process.stderr.close()
        self.process = None
        return code

    def control(self) -> SimulatorControl:
        """A control client."""
        return SimulatorControl(self.port_file)

    def terminal(
        self,
        login: int,
        path: str = "C:\\A",
        password: str = "demo",  # noqa: S107 - a simulated account has no secret
    ) -> SimulatedTerminal:
        """A logged-in facade. Raises RuntimeError if initialize fails."""
        terminal = SimulatedTerminal(self.port_file)
        if not terminal.initialize(path, login=login, password=password):
            message = f"initialize failed: {terminal.last_error()}"
            raise RuntimeError(message)
        return terminal
