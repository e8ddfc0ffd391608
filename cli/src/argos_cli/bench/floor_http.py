"""First process of the floor: HTTP in, one create-once append, 200."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.event_loop import run_loop
from argos_common.runtime.log import Append, CreateOnce, Mine
from argos_common.wire import subjects

from argos_cli.bench.floor_env import event, floor_log, settings

Message = MutableMapping[str, Any]  # as ASGI has it


async def main() -> None:
    """Serve until ended."""
    clock = SystemClock()
    async with floor_log("floor-http") as log:

        async def take(
            scope: Message,
            receive: Callable[[], Awaitable[Message]],
            send: Callable[[Message], Awaitable[None]],
        ) -> None:
            received_ns = clock.now_ns()
            while (await receive()).get("more_body"):
                pass
            key = str(scope["path"]).rpartition("/")[2]
            answer = await log.append(
                Append(
                    subject=subjects.signal("floor", key),
                    data=event(key, received_ns),
                    condition=CreateOnce(),
                )
            )
            status = 200 if isinstance(answer, Mine) else 503
            headers = [(b"content-length", b"2")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})

        config = uvicorn.Config(
            take,
            host="127.0.0.1",
            port=settings().http_port,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    run_loop(main())
