"""Wiring of the gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.http_server import HttpServer, server_ended
from argos_common.runtime.logs import hide_value
from argos_common.runtime.service import Context, run_service

from argos_gateway.adapters.http import Webhook, make_app
from argos_gateway.adapters.limiter import MinuteLimiter
from argos_gateway.adapters.nats import serve_inject
from argos_gateway.core.access import Access
from argos_gateway.ports import Limiter
from argos_gateway.runner import Intake
from argos_gateway.settings import read_access


async def gateway(context: Context) -> None:
    """Listen at once, take signals in as soon as the log is there, until told to stop."""
    access = _read_access(context)
    where, port = context.fleet.gateway, context.environment.gateway_port
    opened: list[Intake] = []
    limiter = MinuteLimiter(access.rates)
    webhook = Webhook(access, lambda: opened[0] if opened else None, limiter, context.clock)
    _renew_on_hangup(context, webhook)
    app = make_app(webhook, lambda: bool(opened) and context.connected)
    host = context.environment.listen or where.host
    server = HttpServer(app, host, where.port if port is None else port, service="gateway")
    context.publish_port("http_port", server.port)
    context.logger.info("listening", host=host, port=server.port)
    serving = asyncio.create_task(server.serve())
    try:
        await context.run_until_stopped(
            _take_in(context, access, limiter, opened), server_ended(serving)
        )
    finally:
        server.close()
        await serving


def _read_access(context: Context) -> Access:
    """Who may send, now; no log shows their secrets. Raises ConfigMistake."""
    access = read_access(context.fleet, context.state_dir, os.environ)
    for source in access.sources.values():
        hide_value(source.body_secret or "")
    return access


def _renew_on_hangup(context: Context, webhook: Webhook) -> None:
    """SIGHUP: read the tokens again, so that one can be replaced while signals come in."""

    def renew() -> None:
        try:
            webhook.renew(_read_access(context))
        except ConfigMistake as error:
            context.logger.error("the tokens stay as they were", reason=str(error))
        else:
            context.logger.info("the tokens were read again")

    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, renew)


async def _take_in(
    context: Context, access: Access, limiter: Limiter, opened: list[Intake]
) -> None:
    context.pulse.state = "waiting"
    await context.wait_for_nats()
    intake = Intake(
        access,
        context.log,
        context.bus,
        context.clock,
        context.telemetry,
        context.metrics,
        context.logger,
    )
    opened.append(intake)
    await serve_inject(context.bus, intake, limiter, context.clock)
    context.pulse.state, context.pulse.ready = "running", True
    await intake.watch_log()


def run() -> int:
    return run_service("gateway", gateway, needs_nats=False)
