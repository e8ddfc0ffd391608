"""Wiring of the MetaTrader 5 node: for each account a journal, a worker and a last hop."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal
from argos_common.lasthop.local import LocalNode
from argos_common.lasthop.measured import MeasuredVenue
from argos_common.lasthop.ports import OneThread
from argos_common.lasthop.server import NodeServer
from argos_common.lasthop.sqlite_journal import SqliteJournal
from argos_common.runtime.logs import hide_value
from argos_common.runtime.service import Context, run_service

from argos_mt5_node.adapters.worker_terminal import Budgets, WorkerPlan, WorkerTerminal
from argos_mt5_node.runner.tuning import Tuning
from argos_mt5_node.runner.venue import Mt5Venue
from argos_mt5_node.settings import HostedAccount, node_settings


async def mt5_node(context: Context) -> None:
    """Serve the node until told to stop; then let the calls under way come to their end."""
    settings = node_settings(context.fleet, context.environment, os.environ)
    async with AsyncExitStack() as stack:
        terminals = [_terminal(context, account) for account in settings.accounts]
        hops = []
        for account, terminal in zip(settings.accounts, terminals, strict=True):
            stack.push_async_callback(terminal.close)
            hops.append(await _hop(context, account, terminal, stack))
        node = LocalNode(hops, context.clock, context.telemetry)
        told = context.environment
        server = NodeServer(node, context.clock, settings.port, host=told.listen, tls=told.node_tls)
        port = await server.start()
        stack.push_async_callback(server.stop, 1.0)
        context.publish_port("grpc_port", port)
        context.pulse.state, context.pulse.ready = "running", True
        context.logger.info("listening", port=port, accounts=[hop.account for hop in hops])
        await context.run_until_stopped(*(terminal.run() for terminal in terminals))


def _terminal(context: Context, account: HostedAccount) -> WorkerTerminal:
    if account.module == "real":
        hide_value(account.password)
    plan = WorkerPlan(
        module=account.module,
        path=account.path,
        login=account.expected.login,
        server=account.expected.server,
        lock=str(account.lock),
        address=account.address,
        password=account.password,
    )
    budgets = Budgets(send_s=account.send_s, read_s=account.read_s, start_s=account.start_s)
    notice = partial(context.logger.warning, "terminal", account=account.config.account)
    return WorkerTerminal(
        plan, context.clock, lambda text: notice(reason=text), budgets, context.telemetry
    )


async def _hop(
    context: Context,
    account: HostedAccount,
    terminal: WorkerTerminal,
    stack: AsyncExitStack,
) -> LastHop:
    name = account.config.account
    tuning = replace(Tuning(), history_settles_s=account.settles_s)
    venue = Mt5Venue(account.config, account.expected, terminal, context.clock, tuning)
    measured = MeasuredVenue(venue, context.clock, context.telemetry, context.metrics)
    offload = OneThread(f"journal-{name}")
    stack.callback(offload.close)
    journal = AsyncJournal(SqliteJournal(account.journal, name), offload)
    venue.remember(entry.order_id for entry in await journal.unanswered())
    hop = LastHop(name, measured, journal, context.clock, context.entropy)
    await hop.start()
    stack.push_async_callback(hop.stop)
    return hop


def run() -> int:
    return run_service("mt5-node", mt5_node, needs_nats=False)
