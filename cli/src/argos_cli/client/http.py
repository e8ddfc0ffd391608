"""Plain HTTP on the loopback interface: no proxy, no redirect, a bound on time and size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from argos_cli.exits import unreachable

TIMEOUT_S = 5.0
SIZE_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes

    def json(self) -> object:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


async def request(
    url: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Response:
    """One request on a connection of its own. Raises OSError, TimeoutError or ValueError."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is not an http address")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.0", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        try:
            writer.write("\r\n".join((*lines, "", "")).encode() + body)
            await writer.drain()
            raw = await _read_all(reader)
        finally:
            writer.close()
    head, _, content = raw.partition(b"\r\n\r\n")
    first = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(first) < 2 or not first[0].startswith(b"HTTP/"):  # version and status
        raise ValueError(f"{url} gave no HTTP answer")
    return Response(int(first[1]), content)


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    parts = []
    size = 0
    while chunk := await reader.read(65_536):
        parts.append(chunk)
        size += len(chunk)
        if size > SIZE_MAX:
            raise ValueError(f"the answer is larger than {SIZE_MAX} bytes")
    return b"".join(parts)


async def get_json(url: str, who: str, timeout_s: float = TIMEOUT_S) -> object:
    """GET a JSON document. Raises Ended (not reachable) naming `who`."""
    try:
        response = await request(url, timeout_s=timeout_s)
        if response.status != 200:  # HTTP OK
            raise ValueError(f"answered {response.status}")
        return response.json()
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error) or "no answer in time"
        raise unreachable(f"{who} at {url} cannot be reached ({reason}): is it running?") from None
