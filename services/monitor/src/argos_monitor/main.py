"""Wires the monitor: its pages at once, everything else as soon as the log is there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from argos_common.runtime.http_server import HttpServer, server_ended
from argos_common.runtime.nats_log import stream_name
from argos_common.runtime.service import Context, run_service
from prometheus_client import generate_latest

from argos_monitor.adapters.alertmanager import add_alertmanager
from argos_monitor.adapters.files import watch_files
from argos_monitor.adapters.gauges import ServiceGauges
from argos_monitor.adapters.http import make_app
from argos_monitor.adapters.ledger_sql import SqlLedgerReader
from argos_monitor.adapters.nats_monitor import watch_log_servers
from argos_monitor.core.notice import Notice
from argos_monitor.core.status import waiting_status
from argos_monitor.runner import Monitor
from argos_monitor.settings import (
    SERVICES,
    ledger_url,
    strategy_periods,
    token_file,
    watched_files,
)


async def main(context: Context) -> None:
    """Serve and watch until the process is to stop."""
    environment, fleet = context.environment, context.fleet
    ledger = SqlLedgerReader(ledger_url(environment, fleet))
    opened: list[Monitor] = []

    async def tell(notices: Sequence[Notice]) -> bool:
        return bool(opened) and await opened[0].tell(notices)

    app = make_app(
        status=lambda: opened[0].status() if opened else waiting_status(os.getpid()),
        ledger=ledger,
        metrics=lambda: generate_latest(context.metrics.registry),
        ready=lambda: context.pulse.ready and context.connected,
    )
    add_alertmanager(app, token_file(environment), tell)
    port = fleet.monitor.port if environment.monitor_port is None else environment.monitor_port
    host = environment.listen or fleet.monitor.host
    server = HttpServer(app, host, port, service="monitor")
    context.publish_port("http_port", server.port)
    context.logger.info("listening", host=host, port=server.port)
    serving = asyncio.create_task(server.serve())
    try:
        await context.run_until_stopped(_watch(context, opened), server_ended(serving))
    finally:
        server.close()
        await serving
        ledger.close()


async def _watch(context: Context, opened: list[Monitor]) -> None:
    context.pulse.state = "waiting"
    await context.wait_for_nats()
    gauges = ServiceGauges(context.metrics)
    monitor = Monitor(
        log=context.log,
        bus=context.bus,
        clock=context.clock,
        expected=SERVICES,
        periods=strategy_periods(context.fleet),
        pid=os.getpid(),
        pulse=context.pulse,
        gauges=gauges,
        logger=context.logger,
    )
    opened.append(monitor)
    url = context.environment.nats_monitor_url
    stream = stream_name(context.environment.generation)
    async with asyncio.TaskGroup() as group:
        group.create_task(monitor.run())
        backups, certificates = watched_files(context.environment)
        if backups is not None or certificates:
            metrics, logger = context.metrics, context.logger
            group.create_task(watch_files(backups, certificates, context.clock, metrics, logger))
        if url:
            group.create_task(watch_log_servers(url, stream, context.clock, gauges.log_server))


def run() -> int:
    """The process's exit code."""
    return run_service("monitor", main, needs_nats=False)
