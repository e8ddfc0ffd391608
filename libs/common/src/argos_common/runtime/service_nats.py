"""How a service comes to its log and its bus: it waits for NATS, and says so."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from argos_common.runtime.context import Context
from argos_common.runtime.credentials import read_secret_file
from argos_common.runtime.environment import Environment
from argos_common.runtime.logs import hide_value
from argos_common.runtime.metered_log import MeteredLog
from argos_common.runtime.nats_bus import NatsBus
from argos_common.runtime.nats_connection import (
    NatsConnection,
    NatsEvents,
    NatsSettings,
    NoAnswer,
    NobodyThere,
    NotSent,
    connect,
)
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.provision import ensure_stream, verify_sync_always


def nats_settings(environment: Environment, url: str, name: str) -> NatsSettings:
    """How a process comes to NATS, with the secrets read in. Raises ConfigMistake."""

    def secret(file: str) -> str:
        return read_secret_file(Path(file)).reveal() if file else ""

    return NatsSettings(
        url=url,
        name=name,
        user=environment.nats_user,
        password=secret(environment.nats_password_file),
        nkey_seed=secret(environment.nats_nkey_file),
        tls=environment.nats_tls,
    )


async def open_nats(context: Context, stack: AsyncExitStack) -> None:
    """Connect, wait for the log, and put both into the context; closed with `stack`."""
    environment, logger = context.environment, context.logger
    url = environment.nats_url or context.fleet.nats_url or "nats://127.0.0.1:4222"
    settings = nats_settings(environment, url, context.name)
    hide_value(settings.password)
    hide_value(settings.nkey_seed)
    connected = context.metrics.nats_connected

    def away() -> None:
        connected.set(0)
        context.pulse.away = True
        logger.warning("NATS is away; waiting for it")

    def back() -> None:
        connected.set(1)
        context.pulse.away = False
        logger.info("NATS is back")

    events = NatsEvents(
        waiting=logger.warning,
        away=away,
        back=back,
        closed=lambda: context.stop("the connection to NATS is closed for good"),
        violation=lambda text: logger.error("NATS refuses a subject", reason=text),
    )
    context.connection = await connect(settings, events)
    stack.push_async_callback(context.connection.close)
    connected.set(1)
    await _check_stream(context, context.connection)
    log = NatsLog(
        context.connection, environment.generation, clock=context.clock, entropy=context.entropy
    )
    context.log_opened = MeteredLog(log, context.metrics, context.clock)
    context.bus_opened = NatsBus(context.connection)


async def _check_stream(context: Context, connection: NatsConnection) -> None:
    environment = context.environment
    if environment.nats_monitor_url:
        await verify_sync_always(environment.nats_monitor_url)
    while True:
        try:
            await ensure_stream(
                connection,
                environment.generation,
                max_bytes=environment.log_max_bytes,
                replicas=environment.log_replicas,
            )
        except (NotSent, NobodyThere, NoAnswer) as error:
            context.logger.warning("waiting for the log", reason=str(error))
            await context.clock.sleep(1.0)
        else:
            return
