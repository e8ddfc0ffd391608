"""Fourth process of the floor: one durable row per call, then the moment at which it would send."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import grpc
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.event_loop import run_loop

from argos_cli.bench.floor_env import METHOD, read, settings


async def main() -> None:
    """Serve until ended."""
    clock, given = SystemClock(), settings()
    database = sqlite3.connect(given.journal, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE entry (key TEXT PRIMARY KEY, body BLOB) STRICT, WITHOUT ROWID")
    with Path(given.out).open("w", encoding="ascii") as out:  # noqa: ASYNC230  # once, at start

        async def take(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
            del context
            key, received_ns = read(request)
            database.execute("INSERT INTO entry VALUES (?, ?)", (key, request))
            called_ns = clock.now_ns()
            out.write(f"{key} {received_ns} {called_ns}\n")
            out.flush()
            return b""

        server = grpc.aio.server()
        service, _, method = METHOD.strip("/").partition("/")
        handler = grpc.unary_unary_rpc_method_handler(take)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )
        server.add_insecure_port(f"127.0.0.1:{given.grpc_port}")
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    run_loop(main())
