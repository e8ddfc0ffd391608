"""First process of the floor: HTTP in, one create-once append, 200."""

from __future__ import annotations

import uvicorn
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.event_loop import run_loop
from argos_common.runtime.log import Append, CreateOnce, Mine
from argos_common.wire import subjects
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from argos_cli.bench.floor_env import event, floor_log, settings


async def main() -> None:
    """Serve until ended."""
    clock = SystemClock()
    async with floor_log("floor-http") as log:

        async def take(request: Request) -> Response:
            received_ns = clock.now_ns()
            await request.body()
            key = request.path_params["key"]
            answer = await log.append(
                Append(
                    subject=subjects.signal("floor", key),
                    data=event(key, received_ns),
                    condition=CreateOnce(),
                )
            )
            return Response(b"{}", 200 if isinstance(answer, Mine) else 503)

        app = Starlette(routes=[Route("/floor/{key}", take, methods=["POST"])])
        config = uvicorn.Config(
            app,
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
