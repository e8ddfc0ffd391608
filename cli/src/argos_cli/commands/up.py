"""`argos up`: the fleet on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Annotated

import typer
from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import Source
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.log import LogUnavailable
from argos_monitor.core.words import sentence

from argos_cli.audit.tone import tone, worth_showing
from argos_cli.client.history import follow
from argos_cli.client.opened import open_fleet
from argos_cli.commands.options import (
    DEFAULT_CONFIG,
    DEFAULT_STATE,
    ConfigOption,
    JsonOption,
    StateOption,
    port_overrides,
)
from argos_cli.exits import run
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_cli.output import clock_text, say, show, show_json

PortOption = Annotated[
    list[str] | None,
    typer.Option("--port", help="NAME=PORT for gateway, monitor, nats …; 0 is a free one."),
]


def up(
    config: ConfigOption = DEFAULT_CONFIG,
    state: StateOption = DEFAULT_STATE,
    port: PortOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show events.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start the fleet here and keep it alive until Ctrl-C; starting again continues."""
    run(_up(config, state, port_overrides(port or []), show_events=not quiet, as_json=as_json))


async def _up(
    config: Path, state: Path, ports: dict[str, int], *, show_events: bool, as_json: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    fleet = EmbeddedFleet(config, state, ports=ports, say=_timed)
    starting = asyncio.create_task(fleet.start())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    watching: asyncio.Task[None] | None = None
    try:
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        else:
            starting.result()
            _tell(fleet, as_json=as_json)
            if show_events:
                watching = asyncio.create_task(_watch(state))
            await stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        stopped.cancel()
        if fleet.names:
            say("stopping the fleet; its state is kept")
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await fleet.stop()
    say("stopped", "good")


def _timed(text: str) -> None:
    say(f"{clock_text(SystemClock().now_ns())[:8]}  {text}", "dim")


def _tell(fleet: EmbeddedFleet, *, as_json: bool) -> None:
    """Where to look, and a line that sends an alert."""
    if as_json:
        show_json(
            {
                "state": str(fleet.folder),
                "urls": fleet.urls,
                "processes": {each.name: each.pid for each in fleet.state},
                "webhooks": {source: fleet.webhook_url(source) for source in _sources(fleet)},
            },
            indent=None,
        )
        return
    say("the fleet is ready", "good")
    show(f"  status       {fleet.urls['monitor']}/api/system/status   or: argos status")
    show(f"  signals to   {fleet.urls['gateway']}/v1/webhooks/<source>/<token>")
    show(f"  logs         {fleet.folder / 'logs'}")
    show("  stop         Ctrl-C;   no new risk from now on: argos kill --reason '…'")
    line = curl_line(fleet)
    if line:
        show("  send an alert:")
        show(f"    {line}")


def _sources(fleet: EmbeddedFleet) -> list[Source]:
    found = fleet.fleet.sources if fleet.fleet is not None else {}
    return [name for name, source in found.items() if source.token_files]


def curl_line(fleet: EmbeddedFleet) -> str:
    """A line for the shell that sends an entry of the first strategy, as TradingView would."""
    known = fleet.fleet
    if known is None:
        return ""
    source = next((s for s in _sources(fleet) if known.sources[s].dialect == "argos"), Source(""))
    strategy = next((each for each in known.strategies.values() if source in each.sources), None)
    if strategy is None:
        return ""
    alert = {
        "strategy": strategy.name,
        "bot_version": strategy.bot_versions[-1],
        "ticker": strategy.symbols[0],
        "action": "buy",
        "stopLoss": {"type": "stop", "amount": 0.005},
        "time": "NOW",
    }
    body = json.dumps(alert).replace('"NOW"', "\"'$(date -u +%Y-%m-%dT%H:%M:%SZ)'\"")
    return f"curl --noproxy '*' -d '{body}' {fleet.webhook_url(source)}"


async def _watch(state: Path) -> None:
    """Show what happens from now on; says nothing of its own trouble, the supervisor does."""
    try:
        async with open_fleet(state) as opened:
            after = (await opened.log.status()).last_sequence
            async for item in follow(opened.log, after):
                if item.event is not None and worth_showing(item.event):
                    text = f"{clock_text(item.entry.appended_ns)[:12]}  {sentence(item.event)}"
                    show(text, tone(item.event))
    except (LogUnavailable, OurMistake) as error:
        say(f"events are no longer shown ({error}); `argos log tail --follow` shows them", "warn")
