"""The monitor's pages: status, trades, signals; JSON for people and for the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from argos_common.wire.codec import to_plain
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from argos_monitor.core.signals import signal_lines
from argos_monitor.core.status import Json
from argos_monitor.core.timeline import timeline
from argos_monitor.ports import LedgerAway, LedgerReader

LIMIT_MAX = 1_000
TRACE_ID_DIGITS = 32


def make_app(
    *,
    status: Callable[[], Json],
    ledger: LedgerReader,
    metrics: Callable[[], bytes],
    ready: Callable[[], bool],
) -> FastAPI:
    """The application. Handlers that read the ledger run in threads of their own."""
    app = FastAPI(
        title="Argos", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )

    @app.exception_handler(LedgerAway)
    async def away(request: Request, error: LedgerAway) -> JSONResponse:
        del request
        return JSONResponse({"error": str(error)}, status_code=503)

    @app.get("/api/system/status")
    async def system_status() -> JSONResponse:
        return JSONResponse(status())

    _ledger_pages(app, ledger)

    @app.get("/metrics")
    def prometheus() -> Response:
        return Response(metrics(), media_type="text/plain; version=0.0.4")

    @app.get("/healthz")
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> PlainTextResponse:
        if ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("the log has not been read to its end yet\n", status_code=503)

    @app.exception_handler(404)
    async def nowhere(request: Request, error: Any) -> JSONResponse:  # the framework's own
        del error
        known = "/api/system/status, /api/trades, /api/trades/<trade_id>, /api/signals, /metrics"
        sentence = f"there is no {request.url.path[:80]}; there is {known}"
        return JSONResponse({"error": sentence}, status_code=404)

    @app.exception_handler(405)
    async def only_read(request: Request, error: Any) -> JSONResponse:  # the framework's own
        del request, error
        return JSONResponse({"error": "the monitor is only read: use GET"}, status_code=405)

    @app.exception_handler(RequestValidationError)
    async def misasked(request: Request, error: RequestValidationError) -> JSONResponse:
        del request
        wrong = (f"{each['loc'][-1]}: {each['msg'].lower()}" for each in error.errors())
        return JSONResponse({"error": "; ".join(wrong)}, status_code=422)

    return app


def _ledger_pages(app: FastAPI, ledger: LedgerReader) -> None:
    @app.get("/api/trades")
    def trades(
        limit: int = Query(50, ge=1, le=LIMIT_MAX), account: str = Query("", max_length=80)
    ) -> JSONResponse:
        return JSONResponse({"trades": ledger.trades(limit, account)})

    @app.get("/api/trades/{trade_id}")
    def trade(trade_id: str) -> JSONResponse:
        trade_id = _spelled(trade_id)
        told = ledger.events_of(trade_id)
        if not told:
            sentence = (
                f"there is no trade or signal {trade_id[:80]!r} in the ledger, which stands at log"
                f" entry {ledger.checkpoint()}"
            )
            return JSONResponse({"error": sentence}, status_code=404)
        return JSONResponse(to_plain(timeline(trade_id, told)))

    @app.get("/api/signals")
    def signals(limit: int = Query(50, ge=1, le=LIMIT_MAX)) -> JSONResponse:
        return JSONResponse({"signals": signal_lines(ledger.signals(limit))})


def _spelled(trade_id: str) -> str:
    """The id as we write it. A trace's id is the trade's without dashes, so that is taken too."""
    if len(trade_id) != TRACE_ID_DIGITS:
        return trade_id
    try:
        return str(UUID(hex=trade_id))
    except ValueError:
        return trade_id
