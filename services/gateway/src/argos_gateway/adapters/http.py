"""The webhook over HTTP. Every answer is a JSON object; a token is never logged or echoed.

One plain route does the work: no model, no dependency, no validation but the gateway's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from argos_common.runtime.clock import Clock
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from argos_gateway.core.access import Access
from argos_gateway.core.reply import NOT_CONFIRMED, UNAUTHORISED, Reply, refusal
from argos_gateway.core.strict_json import BODY_BYTES_MAX
from argos_gateway.ports import Limiter, SignalIntake

ANSWER_WITHIN_S = 2.4
BODY_WITHIN_S = 1.5
READ_BYTES_MAX = 1024 * 1024
PATH = "/v1/webhooks/{source}/{token}"
TOKEN_LENGTH_MAX = 200

_SENTENCES = {
    404: "there is nothing here: POST to /v1/webhooks/<source>/<token>",
    405: "this address takes POST only",
}


class Webhook:
    """Answers one kind of request: an alert.

    `opened` gives the intake, or None while the log has not been reached yet: a sender is then told
    to send again, which is better than to find nobody listening.
    """

    def __init__(
        self,
        access: Access,
        opened: Callable[[], SignalIntake | None],
        limiter: Limiter,
        clock: Clock,
    ) -> None:
        self._access, self._opened = access, opened
        self._limiter, self._clock = limiter, clock

    def renew(self, access: Access) -> None:
        """From now on these tokens are valid."""
        self._access = access

    async def __call__(self, request: Request) -> Response:
        """Answer within `ANSWER_WITHIN_S`, whatever happens."""
        received_at_ns = self._clock.now_ns()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return _response(await self._answer(request, received_at_ns))
        except TimeoutError:
            return _response(NOT_CONFIRMED)
        except ClientDisconnect:
            return Response(status_code=400)

    async def _answer(self, request: Request, received_at_ns: int) -> Reply:
        source, token = request.path_params["source"], request.path_params["token"]
        intake = self._opened()
        if not self._access.authentic(source, token[:TOKEN_LENGTH_MAX]):
            return UNAUTHORISED if intake is None else intake.unauthorised(source)
        if intake is None:
            return NOT_CONFIRMED
        if not self._limiter.admit(source):
            return await intake.limited(source, received_at_ns)
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                body = await _body(request)
        except TimeoutError:
            return refusal(408, "slow", "the body did not arrive in time: send it at once")
        if request.headers.get("content-encoding", "identity") != "identity":
            return refusal(
                415, "encoding", "the body is compressed: send it as it is", "content-encoding"
            )
        return await intake.receive(source, body, received_at_ns)


def make_app(webhook: Webhook, ready: Callable[[], bool]) -> FastAPI:
    """The gateway's HTTP application."""

    async def alert(request: Request) -> Response:
        return await webhook(request)

    async def healthz(request: Request) -> Response:
        del request
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        del request
        if ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready: the log cannot be reached\n", 503)

    async def refused(request: Request, error: Exception) -> Response:
        del request
        status = error.status_code if isinstance(error, HTTPException) else 500
        sentence = _SENTENCES.get(status, "this request cannot be answered")
        return _response(refusal(status, f"http_{status}", sentence))

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.router.routes.extend(
        [
            Route(PATH, alert, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ]
    )
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, refused)
    return app


async def _body(request: Request) -> bytes:
    """At most one byte more than is allowed, so that the excess shows.

    The rest is read too, and dropped: what is left unread resets the connection as it is closed,
    and the sender would never see why it was refused.
    """
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > READ_BYTES_MAX:
            break
        if len(body) <= BODY_BYTES_MAX:
            body += chunk
    return bytes(body[: BODY_BYTES_MAX + 1])


def _response(reply: Reply) -> Response:
    return Response(reply.to_json(), reply.status, media_type="application/json")
