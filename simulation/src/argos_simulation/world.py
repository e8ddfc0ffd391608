"""The simulated world: one log, one bus, one broker, and processes that live, die and live again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from argos_bridge.core.state import SCHEMA as BRIDGE_SCHEMA
from argos_bridge.runner.bridge import Bridge
from argos_common.lasthop.journal import MemoryJournal
from argos_common.runtime.logs import Logger
from argos_common.runtime.snapshot import Snapshot
from argos_common.testing.memory_bus import MemoryBus
from argos_common.testing.memory_log import MemoryLog
from argos_exchange_node.adapters.memory_store import MemoryStore as PaperStore
from argos_exchange_node.adapters.paper import Faults as PaperFaults
from argos_gateway.runner import Intake
from argos_monitor.runner import Monitor
from argos_mt5_node.simulator import constants as mt5
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.desk import TerminalDesk
from argos_mt5_node.simulator.harness import START_NS
from argos_mt5_node.simulator.symbols import AccountSpec
from argos_reconciler.adapters.memory_ledger import MemoryLedger
from argos_risk.main import SCHEMA as RISK_SCHEMA
from argos_risk.ports import QuietReport
from argos_risk.runner.risk import RiskRunner

from argos_simulation import fleet
from argos_simulation.chance import Chance
from argos_simulation.faults import POINTS, Faults
from argos_simulation.inputs import Proposals, Snapshots
from argos_simulation.invariants import Court, Verdict
from argos_simulation.loop import running
from argos_simulation.network import Cable, Server, SimBus, SimLog
from argos_simulation.nodes import Site
from argos_simulation.process import HostClock, Process
from argos_simulation.quiet import QuietLines
from argos_simulation.venues import SimLink
from argos_simulation.witness import Witness, WitnessedStore

T = TypeVar("T")
STORY_MAX = 20_000
RESTART_S = (0.3, 6.0)
PAUSE_S = (0.3, 9.0)
DRIFT_PPM = 500
TICK_MS = 250
LEAVING = 0.2
"""How much of a crash's rate holds before words that leave no record."""


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

    def cut_log(self, *, there: bool = True, back: bool = True) -> None:
        """Nothing reaches the log any more, or nothing comes back, or both."""
        self.cable.log.cut(there=there, back=back)
        self.raw_log.unavailable = not self.cable.log.back

    def mend_log(self) -> None:
        self.cable.log.mend()
        self.raw_log.unavailable = False

    def mend(self) -> None:
        """All ways are open again."""
        self.mend_log()
        self.cable.bus.mend()
        for way in self.cable.nodes.values():
            way.mend()


@dataclass(slots=True)
class Service:
    """A service that is started again whenever it has died, until it is `wanted` no more."""

    name: str
    kind: str
    start: Callable[[Host], None]
    host: Host | None = None
    lives: int = 0
    skew_ns: int = 0
    drift_ppm: int = 0
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
        self.server = Server()
        self.log_away = self.crossed = False
        self.halted = False
        """The whole fleet is stopped, and nothing is started."""
        self.ledger = MemoryLedger(keep_events=False)
        self.ledgers: dict[str, MemoryLedger] = {}
        self.links: list[SimLink] = []
        self.proposals = Proposals()
        self.snapshots = Snapshots(self.store.generation)
        self.sites = {name: Site(name) for name in (fleet.MT5_NODE, fleet.PAPER_NODE)}
        self.services: dict[str, Service] = {}
        self.gateways: list[str] = []
        self.intakes: dict[str, Intake] = {}
        self.risks: dict[str, RiskRunner] = {}
        self.bridges: dict[str, Bridge] = {}
        self.monitors: dict[str, Monitor] = {}
        self.reports: list[QuietReport] = []
        self.quiet = cast(Logger, QuietLines(self.witness.said))  # it has the methods that are used

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
        if self.faults.has("clock-drift"):
            self.faults.fired["clock-drift"] += 1
            service.drift_ppm = self.chance.fork(f"drift/{name}").whole(-DRIFT_PPM, DRIFT_PPM)
        self._start(service)

    def _start(self, service: Service) -> None:
        if service.host is not None or not service.wanted or self.halted:
            return
        service.lives += 1
        process = Process(
            service.name,
            service.lives,
            hazard=self._hazard(service, "hazard", 1.0),
            hazard_leaving=self._hazard(service, "leaving", LEAVING),
        )
        clock = HostClock(START_NS, service.skew_ns, process, service.drift_ppm)
        own = self.chance.fork(f"{service.name}/{service.lives}")
        cable = Cable(process, own, self.faults, self.server)
        raw_log, raw_bus = self.log.another(), self.bus.another()
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
        if self.log_away:
            host.cut_log()
        self.tell(f"start {process}")
        service.start(host)

    def _hazard(self, service: Service, name: str, share: float) -> Callable[[Process], None]:
        crash, pause = f"crash-{service.kind}", f"pause-{service.kind}"
        chance = self.chance.fork(f"{name}/{service.name}/{service.lives}")
        struck = self.faults.has(crash) or self.faults.has(pause)

        def hazard(process: Process) -> None:
            if share < 1 and not (struck and chance.happens(share)):
                return
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

    def halt(self) -> None:
        """Everything stops, and nothing that was under way between processes arrives any more."""
        self.halted = True
        for name in self.services:
            self.crash(name)
        for site in self.sites.values():
            site.cuts += 1

    def go_on(self) -> None:
        """Everything is started again."""
        self.halted = False
        for service in self.services.values():
            self._start(service)

    def _forget(self, service: Service) -> None:
        match service.kind:
            case "gateway":
                self.intakes.pop(service.name, None)
            case "risk":
                self.risks.pop(service.name, None)
            case "bridge":
                self.bridges.pop(service.name, None)
            case "monitor":
                self.monitors.pop(service.name, None)
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

    @property
    def intake(self) -> Intake | None:
        """The first gateway's."""
        return self.intakes.get(self.gateways[0])

    def kept(self, kind: str, state: type[T], host: Host, *, schema: int) -> Snapshot[T] | None:
        if not host.cable.chance.happens(0.5):
            return None
        last = len(self.store.entries)
        kept = self.snapshots.usable(kind, state, schema=schema, last=last)
        if kept is not None:
            self.tell(f"{host.process} starts from a snapshot at {kept.sequence}")
        return kept

    def take_snapshots(self) -> None:
        """Keep a snapshot of one copy of risk and of one bridge, as they are now."""
        for risk in list(self.risks.values())[:1]:
            sequence = risk.state.sequence
            self.snapshots.keep("risk", sequence, risk.state, schema=RISK_SCHEMA)
        for bridge in list(self.bridges.values())[:1]:
            self.snapshots.keep("bridge", bridge.sequence, bridge.state, schema=BRIDGE_SCHEMA)
