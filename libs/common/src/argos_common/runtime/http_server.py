"""The HTTP server around an application: uvicorn on a socket of ours, one process, no access log."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn

from argos_common.domain.errors import OurMistake


class _Server(uvicorn.Server):
    """The process's own signal handling stays in place."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an ASGI application on an address until `close`.

    `service` is who serves: its section of the fleet file is where the port comes from. Raises
    OurMistake when the address cannot be listened on. HTTP is parsed by httptools if it is
    installed.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], host: str, port: int, *, service: str
    ) -> None:
        self._socket = _listen(host, port, service)
        self.port = int(self._socket.getsockname()[1])
        self._server = _Server(
            uvicorn.Config(
                app,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=3,
                proxy_headers=False,
            )
        )

    async def serve(self) -> None:
        """Serve; after `close`, finish what is under way and return."""
        await self._server.serve(sockets=[self._socket])

    def close(self) -> None:
        self._server.should_exit = True


async def server_ended(serving: asyncio.Task[None]) -> None:
    """Fails when the server that `serving` runs ends by itself."""
    await asyncio.wait({serving})
    serving.result()
    raise OurMistake("the HTTP server ended by itself")


def _listen(host: str, port: int, service: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise OurMistake(
            f"the {service} cannot listen on {host}:{port} ({error.strerror}): free the port, or"
            f" change {service}.port in fleet.toml"
        ) from None
    listener.setblocking(False)  # noqa: FBT003  # the standard library's signature
    return listener
