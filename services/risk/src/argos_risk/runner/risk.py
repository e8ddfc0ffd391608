"""The loop of risk: follows the log, decides what is pending, answers nodes and operators.

Everything it needs is passed in, so that a simulation runs this very class on its own time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from argos_common.domain.control import Control, KillEngaged
from argos_common.domain.errors import WireError
from argos_common.domain.event import Event
from argos_common.domain.ids import Account
from argos_common.domain.signal import SignalAccepted
from argos_common.runtime.bus import Bus
from argos_common.runtime.clock import Clock
from argos_common.runtime.entropy import Entropy
from argos_common.runtime.follow import Follower, Proposer
from argos_common.runtime.log import Entry, Log
from argos_common.runtime.telemetry import NullTelemetry, Telemetry
from argos_common.wire.documents import read_config
from argos_common.wire.subjects import COMMAND, FACTS, LEASE

from argos_risk.core.state import RiskState, fold, fold_unreadable
from argos_risk.core.utilisation import utilisation
from argos_risk.ports import NoProposals, Proposals, QuietReport, Report
from argos_risk.runner.commands import Commands
from argos_risk.runner.currency import Currency
from argos_risk.runner.facts import FactsSeen
from argos_risk.runner.kill_switch import KillSwitch
from argos_risk.runner.leases import Leases
from argos_risk.runner.proposing import Proposing
from argos_risk.runner.worker import Tools, Worker

SNAPSHOT_EVERY = 20_000
"""Entries folded between two snapshots."""


def _keep_nothing(state: RiskState) -> None:
    del state


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPorts:
    """What a runner is given. `state`: from a snapshot, else empty; `keep` takes snapshots."""

    log: Log
    bus: Bus
    clock: Clock
    entropy: Entropy
    proposals: Proposals = field(default_factory=NoProposals)
    telemetry: Telemetry = field(default_factory=NullTelemetry)
    report: Report = field(default_factory=QuietReport)
    state: RiskState = field(default_factory=RiskState)
    keep: Callable[[RiskState], None] = _keep_nothing


class RiskRunner:
    """One copy of risk. `await runner.run()` until cancelled."""

    def __init__(self, ports: RiskPorts) -> None:
        self.state = ports.state
        self._ports = ports
        self._workers: dict[Account, Worker] = {}
        self._group: asyncio.TaskGroup | None = None
        self._kept_at = ports.state.sequence
        self.follower = Follower(
            ports.log, self._fold, dead_letter=self._dead_letter, after=ports.state.sequence
        )
        proposer = Proposer(log=ports.log, clock=ports.clock, follower=self.follower)
        self.currency = Currency(ports.log, ports.clock, self.follower, ports.report)
        self.leases = Leases(self.state, self.currency, ports.report)
        self._facts = FactsSeen(ports.clock)
        self._tools = Tools(
            state=self.state,
            proposer=proposer,
            clock=ports.clock,
            facts=self._facts,
            currency=self.currency,
            leases=self.leases,
            telemetry=ports.telemetry,
            report=ports.report,
        )
        self._kill_switch = KillSwitch(
            state=self.state,
            log=ports.log,
            proposer=proposer,
            clock=ports.clock,
            entropy=ports.entropy,
            leases=self.leases,
            report=ports.report,
            spawn=self._spawn,
            unlatch=self._unlatch,
        )
        self._commands = Commands(
            state=self.state,
            proposer=proposer,
            clock=ports.clock,
            report=ports.report,
            read_config=read_config,
            latched=self.leases.latched,
        )
        self._proposing = Proposing(
            state=self.state,
            proposer=proposer,
            clock=ports.clock,
            currency=self.currency,
            proposals=ports.proposals,
            report=ports.report,
        )

    @property
    def ready(self) -> bool:
        """Whether the log has been read to its end once."""
        return self.currency.caught_up.is_set()

    def measure(self) -> None:
        """Report how much of each account's limits is used."""
        for account, risk in self.state.accounts.items():
            facts = self._facts.of(account, "", risk.config)
            self._ports.report.limits_used(account, utilisation(risk, facts))

    async def run(self) -> None:
        """Serve until cancelled."""
        bus = self._ports.bus
        async with asyncio.TaskGroup() as self._group:
            for account, risk in self.state.accounts.items():
                if risk.pending:
                    self._wake(account)
            self._group.create_task(self.follower.run())
            self._group.create_task(self.currency.run())
            self._group.create_task(self._proposing.run())
            await bus.subscribe(f"{FACTS}.*", self._facts.take)
            await bus.subscribe(f"{LEASE}.*", self.leases.answer)
            # Two subscriptions, so that a kill never queues behind another command.
            await bus.subscribe(COMMAND, self._kill_switch.answer)
            await bus.subscribe(COMMAND, self._commands.answer)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        if self._group is None:
            work.close()
            return
        self._group.create_task(work)

    def _fold(self, entry: Entry, event: Event) -> None:
        for oddity in fold(self.state, entry, event, read_config):
            self._ports.report.oddity(oddity)
        if isinstance(event, Control):
            control = self.state.accounts[event.account].control
            self._ports.report.killed(event.account, engaged=control.killed)
            if isinstance(event, KillEngaged):
                self.leases.unlatch(event.account, event.request_id)
        if isinstance(event, SignalAccepted | Control):
            for account, risk in self.state.accounts.items():
                if risk.pending:
                    self._wake(account)
        if entry.sequence - self._kept_at >= SNAPSHOT_EVERY and self.ready:
            self._kept_at = entry.sequence
            self._ports.keep(self.state)

    def _unlatch(self, account: str, request_id: str) -> None:
        self.leases.unlatch(account, request_id)
        worker = self._workers.get(Account(account))
        if worker is not None:
            worker.wake.set()

    def _dead_letter(self, entry: Entry, error: WireError) -> None:
        fold_unreadable(self.state, entry)
        self._ports.report.oddity(f"log entry {entry.sequence} cannot be read: {error}; skipped")

    def _wake(self, account: Account) -> None:
        worker = self._workers.get(account)
        if worker is None:
            worker = self._workers[account] = Worker(account, self._tools)
            self._spawn(worker.run())
        worker.wake.set()
