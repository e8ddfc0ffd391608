"""Wires the reconciler."""

from __future__ import annotations

from contextlib import AsyncExitStack

from argos_common.lasthop.client import NodeClient
from argos_common.runtime.clock import Clock
from argos_common.runtime.service import Context, run_service

from argos_reconciler.adapters.report import ServiceReport
from argos_reconciler.adapters.sql.ledger import SqlLedger
from argos_reconciler.runner import Reconciler
from argos_reconciler.settings import ledger_url, node_addresses

SIZE_EVERY_S = 5.0


async def main(context: Context) -> None:
    """Reconcile until the process is to stop."""
    async with AsyncExitStack() as stack:
        nodes = {}
        for name, address in node_addresses(context.environment, context.fleet).items():
            nodes[name] = NodeClient(address, tls=context.environment.node_tls)
            stack.push_async_callback(nodes[name].close)
        ledger = SqlLedger(ledger_url(context.environment, context.fleet))
        stack.push_async_callback(ledger.close)
        report = ServiceReport(context.metrics, context.clock)
        reconciler = Reconciler(
            log=context.log,
            clock=context.clock,
            ledger=ledger,
            nodes=nodes,
            telemetry=context.telemetry,
            pulse=context.pulse,
            report=report,
            logger=context.logger,
        )
        context.gauges.append(report.measure)
        await context.run_until_stopped(
            reconciler.run(), _watch_size(ledger, report, context.clock)
        )


async def _watch_size(ledger: SqlLedger, report: ServiceReport, clock: Clock) -> None:
    while True:
        await clock.sleep(SIZE_EVERY_S)
        size = await ledger.size()
        if size is not None:
            report.sized(size)


def run() -> int:
    """The process's exit code."""
    return run_service("reconciler", main)
