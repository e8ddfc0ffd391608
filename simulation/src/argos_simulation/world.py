"""The simulated world: one log, one bus, one broker, and processes that live, die and live again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from argos_bridge.core.state import BridgeState
from argos_bridge.ports import Surroundings
from argos_bridge.runner.bridge import Bridge
from argos_common.domain.config import AccountConfig
from argos_common.domain.ids import Account
from argos_common.lasthop.contract import Pace
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, MemoryJournal
from argos_common.lasthop.local import LocalNode
from argos_common.runtime.logs import Logger
from argos_common.runtime.telemetry import NullTelemetry
from argos_common.testing.memory_bus import MemoryBus
from argos_common.testing.memory_log import MemoryLog
from argos_common.wire.codec import from_json
from argos_exchange_node.adapters.memory_store import MemoryStore as PaperStore
from argos_exchange_node.adapters.paper import Faults as PaperFaults
from argos_exchange_node.adapters.paper import PaperVenue
from argos_gateway.runner import Intake
from argos_mt5_node.adapters.inline_terminal import InlineTerminal
from argos_mt5_node.runner.tuning import Tuning
from argos_mt5_node.runner.venue import Mt5Venue
from argos_mt5_node.simulator import constants as mt5
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.desk import TerminalDesk
from argos_mt5_node.simulator.harness import START_NS
from argos_mt5_node.simulator.link import CallNeverReturns, InProcessLink
from argos_mt5_node.simulator.symbols import AccountSpec
from argos_mt5_node.simulator.terminal import SimulatedTerminal
from argos_reconciler.adapters.memory_ledger import MemoryLedger
from argos_reconciler.runner import Reconciler
from argos_risk.core.state import RiskState
from argos_risk.ports import QuietReport
from argos_risk.runner.risk import RiskPorts, RiskRunner

from argos_simulation import fleet
from argos_simulation.chance import Chance
from argos_simulation.faults import POINTS, Faults
from argos_simulation.inputs import Proposals, Snapshots
from argos_simulation.invariants import Court, Verdict
from argos_simulation.loop import running
from argos_simulation.network import Cable, SimBus, SimLog
from argos_simulation.nodes import Life, SimNode, Site
from argos_simulation.process import HostClock, Process
from argos_simulation.quiet import QuietLines, metrics
from argos_simulation.venues import GatedTerminal, SimDisk, WitnessedVenue
from argos_simulation.witness import Witness, WitnessedStore

STORY_MAX = 20_000
RESTART_S = (0.3, 6.0)
PAUSE_S = (0.3, 9.0)
TERMINAL_PATIENCE_S = 3.0

# How often things are looked at. Slower than in a real fleet where nothing depends on the pace,
# for every look costs; never slower than the time limits they feed (facts: 3 s).
TICK_MS = 250
TUNING = Tuning(poll_s=0.9, poll_hot_s=0.1, hot_for_s=0.3, facts_every_s=0.8, history_settles_s=2.0)
PACE = Pace(lease_every_s=0.7, facts_every_s=1.0)
PAPER_TICK_S = 0.8
COMPARE_EVERY_S = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What one life of a service is given."""

    process: Process
    cable: Cable
    clock: HostClock
    log: SimLog
    bus: SimBus
    raw_log: MemoryLog
    raw_bus: MemoryBus


@dataclass(slots=True)
class Service:
    """A service that is started again whenever it has died, until it is `wanted` no more."""

    name: str
    kind: str
    start: Callable[[Host], None]
    host: Host | None = None
    lives: int = 0
    skew_ns: int = 0
    wanted: bool = True


class World:
    """Everything outside the processes, and the processes."""

    def __init__(self, seed: int, chance: Chance, faults: Faults) -> None:
        self.seed = seed
        self.loop = running()
        self.chance = chance
        self.faults = faults
        self.true_clock = HostClock(START_NS)
        self._story: list[tuple[float, str | Callable[[], str]]] = []
        self.verdict = Verdict()
        self.broker = SimulatedBroker(
            seed,
            (
                AccountSpec(login=fleet.LOGINS[fleet.HEDGE], deal_lag_ms=(5, 40)),
                AccountSpec(
                    login=fleet.LOGINS[fleet.NET],
                    margin_mode=mt5.MARGIN_NETTING,
                    deal_lag_ms=(5, 40),
                ),
            ),
            now_ns=START_NS,
            tick_ms=TICK_MS,
        )
        self.desk = TerminalDesk(self.broker)
        self.paper_store = PaperStore()
        self.paper_faults = PaperFaults()
        self.paper = fleet.paper_account(seed)
        self.journals = {config.account: MemoryJournal() for config in fleet.configs()}
        self.witness = Witness.of(
            Court(self.verdict, self.true_clock.now_ns, self.now_s, self.tell),
            self.broker,
            self.paper_store,
            self.journals,
        )
        self.store = WitnessedStore(self.true_clock, self.witness.entry)
        self.log = MemoryLog(self.true_clock, store=self.store)
        self.bus = MemoryBus(self.true_clock, handler_failed=self._handler_failed)
        self.ledger = MemoryLedger(keep_events=False)
        self.proposals = Proposals()
        self.snapshots = Snapshots()
        self.sites = {name: Site(name) for name in (fleet.MT5_NODE, fleet.PAPER_NODE)}
        self.services: dict[str, Service] = {}
        self.intake: Intake | None = None
        self.risks: dict[str, RiskRunner] = {}
        self.bridges: dict[str, Bridge] = {}
        self.reports: list[QuietReport] = []
        self._quiet = cast(
            Logger, QuietLines(self.witness.said)
        )  # it has the methods that are used

    # --- time and story

    def now_s(self) -> float:
        return self.loop.time()

    def tell(self, what: str | Callable[[], str]) -> None:
        """A line of the story; given as a function it is written only if somebody reads it."""
        if len(self._story) < STORY_MAX:
            self._story.append((self.now_s(), what))

    def story(self) -> tuple[str, ...]:
        """What happened, line by line."""
        return tuple(
            f"{at_s:9.3f} {what if isinstance(what, str) else what()}" for at_s, what in self._story
        )

    def _handler_failed(self, subject: str, error: Exception) -> None:
        self.witness.court.check(17, f"a handler of {subject} failed: {error!r}", holds=False)

    # --- processes

    def add(self, name: str, kind: str, start: Callable[[Host], None]) -> None:
        """A service of the fleet, started now."""
        service = self.services[name] = Service(name, kind, start)
        if self.faults.has("clock-skew"):
            self.faults.fired["clock-skew"] += 1
            service.skew_ns = round(self.chance.fork(f"skew/{name}").between(-1.5e9, 1.5e9))
        self._start(service)

    def _start(self, service: Service) -> None:
        if service.host is not None or not service.wanted:
            return
        service.lives += 1
        process = Process(service.name, service.lives, hazard=self._hazard(service))
        clock = HostClock(START_NS, service.skew_ns, process)
        cable = Cable(process, self.chance.fork(f"{service.name}/{service.lives}"), self.faults)
        raw_log, raw_bus = self.log.another(), self.bus.another()
        raw_log.unavailable = self.log.unavailable
        raw_bus.handler_failed = self._handler_failed
        host = service.host = Host(
            process=process,
            cable=cable,
            clock=clock,
            log=SimLog(raw_log, cable),
            bus=SimBus(raw_bus, cable),
            raw_log=raw_log,
            raw_bus=raw_bus,
        )
        self.tell(f"start {process}")
        service.start(host)

    def _hazard(self, service: Service) -> Callable[[Process], None]:
        crash, pause = f"crash-{service.kind}", f"pause-{service.kind}"
        chance = self.chance.fork(f"hazard/{service.name}/{service.lives}")

        def hazard(process: Process) -> None:
            if crash in POINTS and self.faults.strike(crash, chance):
                self.crash(process.name)
            elif pause in POINTS and not process.paused and self.faults.strike(pause, chance):
                self.tell(f"pause {process}")
                process.pause()
                span_s = chance.between(*PAUSE_S)
                asyncio.get_running_loop().call_later(span_s, process.resume)

        return hazard

    def crash(self, name: str) -> None:
        """Kill it as kill -9 does; it starts again after a while."""
        service = self.services[name]
        host = service.host
        if host is None:
            return
        self.tell(f"kill -9 {host.process}")
        host.process.kill()
        host.raw_bus.partitioned = True
        service.host = None
        self._forget(service)
        delay_s = self.chance.fork(f"restart/{name}/{service.lives}").between(*RESTART_S)
        asyncio.get_running_loop().call_later(delay_s, self._start, service)

    def _forget(self, service: Service) -> None:
        match service.kind:
            case "gateway":
                self.intake = None
            case "risk":
                self.risks.pop(service.name, None)
            case "bridge":
                self.bridges.pop(service.name, None)
            case "mt5-node":
                self.sites[fleet.MT5_NODE].life = None
            case "paper-node":
                self.sites[fleet.PAPER_NODE].life = None
            case _:
                pass

    def look_after(self) -> None:
        """Every process that ended by itself is a finding, and is started again."""
        for service in self.services.values():
            host = service.host
            if host is None:
                continue
            failure = host.process.failure
            self.witness.court.check(
                17, f"{host.process} ended: {failure!r}", holds=failure is None
            )
            if failure is not None:
                self.crash(service.name)

    # --- the services

    def start_fleet(self) -> None:
        """Start every service of the fleet once."""
        self.add("mt5-node", "mt5-node", self._mt5_node)
        self.add("paper-node", "paper-node", self._paper_node)
        self.add("risk-1", "risk", self._risk)
        self.add("bridge-1", "bridge", self._bridge)
        self.add("gateway", "gateway", self._gateway)
        self.add("reconciler", "reconciler", self._reconciler)
        if self.faults.has("two-risks"):
            self.faults.fired["two-risks"] += 1
            self.add("risk-2", "risk", self._risk)
        if self.faults.has("two-bridges"):
            self.faults.fired["two-bridges"] += 1
            self.add("bridge-2", "bridge", self._bridge)

    def _gateway(self, host: Host) -> None:
        intake = self.intake = Intake(
            fleet.access(), host.log, host.bus, host.clock, NullTelemetry(), metrics(), self._quiet
        )
        host.process.start(intake.watch_log())

    def _risk(self, host: Host) -> None:
        kept = self._kept("risk", host)
        report = QuietReport()
        self.reports.append(report)
        runner = self.risks[host.process.name] = RiskRunner(
            RiskPorts(
                log=host.log,
                bus=host.bus,
                clock=host.clock,
                entropy=host.cable.chance.fork("entropy"),
                proposals=self.proposals.reader(),
                report=report,
                state=from_json(RiskState, kept[1]) if kept else RiskState(),
            )
        )
        host.process.start(runner.run())

    def _bridge(self, host: Host) -> None:
        kept = self._kept("bridge", host)
        around = Surroundings(
            log=host.log,
            bus=host.bus,
            clock=host.clock,
            writer=str(host.process),
            telemetry=NullTelemetry(),
            metrics=metrics(),
            lines=QuietLines(self.witness.said),
        )
        bridge = self.bridges[host.process.name] = Bridge(
            around,
            self._nodes(host),
            state=from_json(BridgeState, kept[1]) if kept else None,
            after=kept[0] if kept else 0,
        )
        host.process.start(bridge.run())

    def _kept(self, kind: str, host: Host) -> tuple[int, str] | None:
        kept = self.snapshots.texts.get(kind)
        if kept is None or not host.cable.chance.happens(0.5):
            return None
        self.faults.fired["stale-snapshot"] += 1
        self.tell(f"{host.process} starts from a snapshot at {kept[0]}")
        return kept

    def take_snapshots(self) -> None:
        """Keep a snapshot of one copy of risk and of one bridge, as they are now."""
        for runner in list(self.risks.values())[:1]:
            self.snapshots.keep("risk", runner.state.sequence, runner.state)
        for bridge in list(self.bridges.values())[:1]:
            self.snapshots.keep("bridge", bridge.sequence, bridge.state)

    def _nodes(self, host: Host) -> dict[str, SimNode]:
        return {name: SimNode(site, host.cable) for name, site in self.sites.items()}

    def _reconciler(self, host: Host) -> None:
        reconciler = Reconciler(
            log=host.log,
            clock=host.clock,
            ledger=self.ledger,
            nodes=self._nodes(host),
            compare_every_s=COMPARE_EVERY_S,
        )
        host.process.start(reconciler.run())

    def _mt5_node(self, host: Host) -> None:
        host.process.start(self._serve(host, fleet.MT5_NODE))

    def _paper_node(self, host: Host) -> None:
        host.process.start(self._serve(host, fleet.PAPER_NODE))

    async def _serve(self, host: Host, node: str) -> None:
        hops = []
        for config in fleet.configs():
            if config.node == node:
                venue = await self._venue(host, config)
                hop = self._hop(host, config.account, venue)
                await hop.start()
                hops.append(hop)
        await host.process.gate()
        self.sites[node].life = Life(host.process, LocalNode(hops, host.clock))

    def _hop(self, host: Host, account: Account, venue: WitnessedVenue) -> LastHop:
        journal = AsyncJournal(self.journals[account], SimDisk(host.cable))
        entropy = host.cable.chance.fork(f"entropy/{account}")
        return LastHop(account, venue, journal, host.clock, entropy, pace=PACE)

    async def _venue(self, host: Host, config: AccountConfig) -> WitnessedVenue:
        if config.node == fleet.PAPER_NODE:
            paper = PaperVenue(
                self.paper,
                self.paper_store,
                host.clock,
                SimDisk(host.cable),
                self.paper_faults,
                tick_s=PAPER_TICK_S,
            )
            await paper.start()
            return WitnessedVenue(paper, host.cable, self.witness, host.clock, self.paper_faults)
        module = SimulatedTerminal(InProcessLink(self.desk, self.true_clock.now_ns))
        expected = fleet.expected(config)

        def connect() -> bool:
            path = f"C:\\{config.account}"
            return module.initialize(path, login=expected.login, password="demo")  # noqa: S106  # a simulated account

        terminal = InlineTerminal(
            module,
            connect,
            host.clock,
            never_returns=CallNeverReturns,
            patience_s=TERMINAL_PATIENCE_S,
        )
        venue = Mt5Venue(
            config,
            expected,
            GatedTerminal(terminal, host.cable),
            host.clock,
            TUNING,
        )
        venue.remember(entry.order_id for entry in self.journals[config.account].unresolved())
        return WitnessedVenue(venue, host.cable, self.witness, host.clock)
