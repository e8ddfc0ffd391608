"""Wires the bridge to NATS, the state folder and the venue nodes, and runs it."""

from __future__ import annotations

from contextlib import AsyncExitStack

from argos_common.lasthop.client import NodeClient
from argos_common.runtime.service import Context, run_service
from argos_common.runtime.snapshot import Snapshot, load_snapshot, save_snapshot

from argos_bridge.core.state import SCHEMA, BridgeState
from argos_bridge.ports import Surroundings
from argos_bridge.runner.bridge import Bridge
from argos_bridge.runner.life import live
from argos_bridge.settings import node_addresses


async def serve(context: Context) -> None:
    """Run the bridge until the context says stop; let what is under way end first."""
    path = context.state_dir / "snapshots" / "bridge.json"
    status = await context.log.status()
    generation, last = status.generation, status.last_sequence
    found = load_snapshot(
        path, BridgeState, generation=generation, schema=SCHEMA, last_sequence=last
    )
    if not isinstance(found, Snapshot) and found.sentence:
        context.logger.warning(found.sentence)
    known = found if isinstance(found, Snapshot) else Snapshot(0, BridgeState())

    def keep() -> None:
        save_snapshot(
            path, bridge.state, generation=generation, sequence=bridge.sequence, schema=SCHEMA
        )

    around = Surroundings(
        log=context.log,
        bus=context.bus,
        clock=context.clock,
        writer=f"{context.name}-{context.incarnation}",
        telemetry=context.telemetry,
        metrics=context.metrics,
        lines=context.logger,
    )
    async with AsyncExitStack() as stack:
        clients = {}
        for name, address in node_addresses(context.fleet, context.environment).items():
            clients[name] = NodeClient(address, tls=context.environment.node_tls)
            stack.push_async_callback(clients[name].close)
        bridge = Bridge(around, clients, state=known.state, after=known.sequence)
        await live(context, bridge, keep)


def main() -> int:
    """The process's entry point; its exit code."""
    return run_service("bridge", serve)
