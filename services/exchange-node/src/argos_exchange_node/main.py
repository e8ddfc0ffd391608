"""Wiring of the exchange node."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal
from argos_common.lasthop.local import LocalNode
from argos_common.lasthop.measured import MeasuredVenue
from argos_common.lasthop.ports import OneThread
from argos_common.lasthop.server import NodeServer
from argos_common.lasthop.sqlite_journal import SqliteJournal
from argos_common.runtime.service import Context, run_service

from argos_exchange_node.adapters.paper import PaperVenue
from argos_exchange_node.adapters.sqlite_store import SqliteStore
from argos_exchange_node.core.account import PaperAccount
from argos_exchange_node.runner import Runner
from argos_exchange_node.settings import listen_port, paper_accounts


async def exchange_node(context: Context) -> None:
    """Host the node's paper accounts until told to stop."""
    folder = context.state_dir / "nodes" / context.environment.node
    accounts = paper_accounts(context.fleet, context.environment)

    def listening(port: int) -> None:
        context.publish_port("node_port", port)
        context.logger.info("listening", port=port, accounts=[each.account for each in accounts])

    def report(ready: bool) -> None:  # noqa: FBT001 - the one thing it reports
        context.pulse.state = "running" if ready else "waiting"
        context.pulse.ready = ready

    told, port = context.environment, listen_port(context.fleet, context.environment)

    def serve(node: LocalNode) -> NodeServer:
        return NodeServer(node, context.clock, port, host=told.listen, tls=told.node_tls)

    runner = Runner(context.clock, serve, listening, report, context.telemetry)
    async with AsyncExitStack() as stack:
        hops = [await _open(context, stack, folder, account) for account in accounts]

        async def until_stopped() -> None:
            await context.run_until_stopped(runner.watch_readiness(hops))

        await runner.run(hops, until_stopped)


async def _open(
    context: Context, stack: AsyncExitStack, folder: Path, account: PaperAccount
) -> LastHop:
    """The venue of one account, and the last hop to it; each with its file and its thread."""
    venue_thread = OneThread(f"venue-{account.account}")
    stack.callback(venue_thread.close)
    venue = PaperVenue(
        account,
        SqliteStore(folder / f"{account.account}.venue.sqlite"),
        context.clock,
        venue_thread,
    )
    stack.push_async_callback(venue.stop)
    await venue.start()
    journal_thread = OneThread(f"journal-{account.account}")
    stack.callback(journal_thread.close)
    journal = SqliteJournal(folder / f"{account.account}.journal.sqlite", account.account)
    return LastHop(
        account.account,
        MeasuredVenue(venue, context.clock, context.telemetry, context.metrics),
        AsyncJournal(journal, journal_thread),
        context.clock,
        context.entropy,
    )


def run() -> int:
    return run_service("exchange-node", exchange_node, needs_nats=False)
