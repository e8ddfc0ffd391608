"""Asks the log's server for its monitoring pages, every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from argos_common.runtime.clock import Clock
from argos_common.runtime.provision import fetch_json

from argos_monitor.core.log_server import ServerFigures, server_figures

ASK_EVERY_S = 5.0
ANSWER_S = 2.0
PAGES = ("/varz", "/jsz?streams=true&consumers=true")


async def watch_log_server(
    url: str, stream: str, clock: Clock, told: Callable[[ServerFigures | None], None]
) -> None:
    """For ever; `told` hears None while the server does not answer."""
    addresses = [url.rstrip("/") + page for page in PAGES]
    while True:
        try:
            varz, jsz = [
                await asyncio.to_thread(fetch_json, address, ANSWER_S) for address in addresses
            ]
        except (OSError, ValueError):
            told(None)
        else:
            told(server_figures(varz, jsz, stream))
        await clock.sleep(ASK_EVERY_S)
