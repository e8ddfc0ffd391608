"""One HTTP/1.1 connection on the loopback interface that is kept open: cheap enough to make load.

One request at a time. No proxy, no redirect, no compression. A connection that the server closed
between two requests is opened again, once.
"""

from __future__ import annotations

import asyncio

from argos_cli.client.http import Response

TIMEOUT_S = 10.0
HEAD_MAX = 16 * 1024


class KeepAlive:
    """A connection to one server; opened by the first request."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, head: bytes, body: bytes, timeout_s: float = TIMEOUT_S) -> Response:
        """Send a request whose head ends before Content-Length; raises OSError, TimeoutError.

        `head`: request line and headers, each with its line end, without Content-Length.
        """
        message = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        async with asyncio.timeout(timeout_s):
            fresh = self._writer is None
            try:
                return await self._exchange(message)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
                if fresh:
                    raise
                return await self._exchange(message)

    async def _exchange(self, message: bytes) -> Response:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(
                self._host, self._port, limit=HEAD_MAX
            )
        self._writer.write(message)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length, closes = 0, False
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            match name.lower():
                case b"content-length":
                    length = int(value)
                case b"connection":
                    closes = value.strip().lower() == b"close"
                case _:
                    pass
        body = await self._reader.readexactly(length)
        if closes:
            self.close()
        return Response(int(lines[0].split(b" ", 2)[1]), body)

    def close(self) -> None:
        """Drop the connection; a later request opens another."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def post_head(path: str, host: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The head of a POST as `KeepAlive.post` takes it."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "".join(f"{line}\r\n" for line in lines).encode()
