"""What each service's `main` does, on a simulated host: it is given its ports, and runs."""

from __future__ import annotations

from functools import partial

from argos_bridge.core.state import SCHEMA as BRIDGE_SCHEMA
from argos_bridge.core.state import BridgeState
from argos_bridge.ports import Surroundings
from argos_bridge.runner.bridge import Bridge
from argos_common.domain.config import AccountConfig
from argos_common.domain.ids import Account
from argos_common.lasthop.contract import Pace
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal
from argos_common.lasthop.local import LocalNode
from argos_common.runtime.telemetry import NullTelemetry
from argos_exchange_node.adapters.paper import PaperVenue
from argos_gateway.runner import Intake
from argos_monitor.runner import Monitor
from argos_mt5_node.adapters.inline_terminal import InlineTerminal
from argos_mt5_node.runner.tuning import Tuning
from argos_mt5_node.runner.venue import Mt5Venue
from argos_mt5_node.simulator.link import CallNeverReturns
from argos_mt5_node.simulator.terminal import SimulatedTerminal
from argos_reconciler.adapters.memory_ledger import MemoryLedger
from argos_reconciler.runner import Reconciler
from argos_risk.core.state import RiskState
from argos_risk.main import SCHEMA as RISK_SCHEMA
from argos_risk.ports import QuietReport
from argos_risk.runner.risk import RiskPorts, RiskRunner

from argos_simulation import fleet
from argos_simulation.nodes import Life, SimNode
from argos_simulation.quiet import QuietLines, metrics
from argos_simulation.venues import GatedTerminal, SimDisk, SimLedger, SimLink, WitnessedVenue
from argos_simulation.world import Host, World

TERMINAL_PATIENCE_S = 3.0
READY_LOOKS_MS = 500
"""Whether a terminal is ready is asked ten times a second, which takes no time here."""

# How often things are looked at. Slower than in a real fleet where nothing depends on the pace,
# for every look costs; never slower than the time limits they feed (facts: 3 s).
TUNING = Tuning(poll_s=0.9, poll_hot_s=0.1, hot_for_s=0.3, facts_every_s=0.8, history_settles_s=2.0)
PACE = Pace(lease_every_s=0.7, facts_every_s=1.0)
PAPER_TICK_S = 0.8
COMPARE_EVERY_S = 2.5


def start_fleet(world: World) -> None:
    """Start every service of the fleet once."""
    world.add("mt5-node", "mt5-node", partial(_mt5_node, world))
    world.add("paper-node", "paper-node", partial(_paper_node, world))
    world.add("risk-1", "risk", partial(_risk, world))
    world.add("bridge-1", "bridge", partial(_bridge, world))
    _add_gateway(world, "gateway")
    world.add("reconciler", "reconciler", partial(_reconciler, world))
    world.add("monitor", "monitor", partial(_monitor, world))
    if _twice(world, "two-risks"):
        world.add("risk-2", "risk", partial(_risk, world))
    if _twice(world, "two-bridges"):
        world.add("bridge-2", "bridge", partial(_bridge, world))
    if _twice(world, "two-gateways"):
        _add_gateway(world, "gateway-2")
    if _twice(world, "two-reconcilers"):
        world.add("reconciler-2", "reconciler", partial(_reconciler, world))
    if _twice(world, "three-replicas"):
        world.store.replicas = 3


def _twice(world: World, name: str) -> bool:
    return world.faults.has(name) and world.faults.fire(name)


def _add_gateway(world: World, name: str) -> None:
    world.gateways.append(name)
    world.add(name, "gateway", partial(_gateway, world))


def _gateway(world: World, host: Host) -> None:
    intake = world.intakes[host.process.name] = Intake(
        fleet.access(), host.log, host.bus, host.clock, NullTelemetry(), metrics(), world.quiet
    )
    host.process.start(intake.watch_log())


def _risk(world: World, host: Host) -> None:
    kept = world.kept("risk", RiskState, host, schema=RISK_SCHEMA)
    report = QuietReport()
    world.reports.append(report)
    runner = world.risks[host.process.name] = RiskRunner(
        RiskPorts(
            log=host.log,
            bus=host.bus,
            clock=host.clock,
            entropy=host.cable.chance.fork("entropy"),
            proposals=world.proposals.reader(),
            report=report,
            state=kept.state if kept else RiskState(),
        )
    )
    host.process.start(runner.run())


def _bridge(world: World, host: Host) -> None:
    kept = world.kept("bridge", BridgeState, host, schema=BRIDGE_SCHEMA)
    around = Surroundings(
        log=host.log,
        bus=host.bus,
        clock=host.clock,
        writer=str(host.process),
        telemetry=NullTelemetry(),
        metrics=metrics(),
        lines=QuietLines(world.witness.said),
    )
    bridge = world.bridges[host.process.name] = Bridge(
        around,
        _nodes(world, host),
        state=kept.state if kept else None,
        after=kept.sequence if kept else 0,
    )
    host.process.start(bridge.run())


def _nodes(world: World, host: Host) -> dict[str, SimNode]:
    return {name: SimNode(site, host.cable) for name, site in world.sites.items()}


def _reconciler(world: World, host: Host) -> None:
    name = host.process.name
    if name not in world.ledgers:
        own = world.ledger if not world.ledgers else MemoryLedger(keep_events=False)
        world.ledgers[name] = own
    reconciler = Reconciler(
        log=host.log,
        clock=host.clock,
        ledger=SimLedger(world.ledgers[name], host.cable),
        nodes=_nodes(world, host),
        compare_every_s=COMPARE_EVERY_S,
    )
    host.process.start(reconciler.run())


def _monitor(world: World, host: Host) -> None:
    monitor = world.monitors[host.process.name] = Monitor(
        log=host.log, bus=host.bus, clock=host.clock, expected=(), logger=world.quiet
    )
    host.process.start(monitor.run())


def _mt5_node(world: World, host: Host) -> None:
    host.process.start(_serve(world, host, fleet.MT5_NODE))


def _paper_node(world: World, host: Host) -> None:
    host.process.start(_serve(world, host, fleet.PAPER_NODE))


async def _serve(world: World, host: Host, node: str) -> None:
    hops, disk = [], SimDisk(host.cable)
    for config in fleet.configs():
        if config.node == node:
            venue = await _venue(world, host, config)
            hop = _hop(world, host, config.account, venue, disk)
            await hop.start()
            hops.append(hop)
    await host.process.gate()
    disk.steady = True
    world.sites[node].life = Life(host.process, LocalNode(hops, host.clock))


def _hop(
    world: World, host: Host, account: Account, venue: WitnessedVenue, disk: SimDisk
) -> LastHop:
    journal = AsyncJournal(world.journals[account], disk)
    entropy = host.cable.chance.fork(f"entropy/{account}")
    return LastHop(account, venue, journal, host.clock, entropy, pace=PACE)


async def _venue(world: World, host: Host, config: AccountConfig) -> WitnessedVenue:
    if config.node == fleet.PAPER_NODE:
        return await _paper_venue(world, host)
    link = SimLink(world.desk, world.true_clock.now_ns)
    link.crossed = world.crossed
    world.links.append(link)
    module = SimulatedTerminal(link, sleep=_at_once)
    expected = fleet.expected(config)

    def connect() -> bool:
        path = fleet.terminal_path(config.account)
        return module.initialize(
            path,
            login=expected.login,
            password="demo",  # noqa: S106  # a simulated account
            timeout=READY_LOOKS_MS,
        )

    terminal = InlineTerminal(
        module,
        connect,
        host.clock,
        never_returns=CallNeverReturns,
        patience_s=TERMINAL_PATIENCE_S,
    )
    gated = GatedTerminal(terminal, host.cable)
    venue = Mt5Venue(config, expected, gated, host.clock, TUNING)
    venue.remember(entry.order_id for entry in world.journals[config.account].unanswered())
    return WitnessedVenue(venue, host.cable, world.witness, host.clock)


async def _paper_venue(world: World, host: Host) -> WitnessedVenue:
    disk = SimDisk(host.cable)
    disk.fails_after = False  # a commit that failed has not happened, as in SQLite
    paper = PaperVenue(
        world.paper,
        world.paper_store,
        host.clock,
        disk,
        world.paper_faults,
        tick_s=PAPER_TICK_S,
    )
    await paper.start()
    disk.steady = True
    return WitnessedVenue(paper, host.cable, world.witness, host.clock, world.paper_faults)


def _at_once(seconds: float) -> None:
    """The terminal's own waiting, which would stop the world."""
    del seconds
