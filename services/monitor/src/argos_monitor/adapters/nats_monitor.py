"""Asks each of the log's servers for its monitoring pages, every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from argos_common.runtime.clock import Clock
from argos_common.runtime.provision import fetch_json

from argos_monitor.core.log_server import ServerFigures, most_telling, server_figures

ASK_EVERY_S = 5.0
ANSWER_S = 2.0
PAGES = ("/healthz", "/varz", "/jsz?streams=true&consumers=true")
"""The first is refused by a server that could not write, say to a full disk, until it is restarted."""


class Told(Protocol):
    """Hears the figures, None if no server is well, and how many of the servers are not."""

    def __call__(self, figures: ServerFigures | None, unwell: int) -> None: ...


async def watch_log_servers(urls: str, stream: str, clock: Clock, told: Told) -> None:
    """For ever. `urls` names every server, separated by commas."""
    addresses = [url.rstrip("/") for url in urls.split(",")]
    while True:
        found = [await _figures(address, stream) for address in addresses]
        well = [figures for figures in found if figures is not None]
        told(most_telling(well), len(found) - len(well))
        await clock.sleep(ASK_EVERY_S)


async def _figures(address: str, stream: str) -> ServerFigures | None:
    try:
        _, varz, jsz = await _pages([address + page for page in PAGES])
    except (OSError, ValueError):
        return None
    return server_figures(varz, jsz, stream)


async def _pages(urls: Sequence[str]) -> list[dict[str, object]]:
    return [await asyncio.to_thread(fetch_json, url, ANSWER_S) for url in urls]
