"""The HTTP server around the application: uvicorn on a socket of ours."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from argos_common.domain.errors import OurMistake
from fastapi import FastAPI


class _Server(uvicorn.Server):
    """The process's own signal handling stays in place."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an application on an address until `close`."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        self._socket = _listen(host, port)
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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise OurMistake(
            f"the monitor cannot listen on {host}:{port} ({error.strerror}): free the port, or"
            " change monitor.port in fleet.toml"
        ) from None
    listener.setblocking(False)  # noqa: FBT003  # the standard library's signature
    return listener
