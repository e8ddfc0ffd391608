"""The address that Alertmanager posts to: who it is, what it says, and that it is on record.

The token is read from its file at every request, so it can be replaced while the monitor runs.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal

from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.credentials import read_secret_file
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from argos_monitor.core.alertmanager import OutsideAlert, notice_of
from argos_monitor.core.notice import Notice

PATH = "/api/alerts/alertmanager"
BODY_BYTES_MAX = 1024 * 1024
ALERTS_MAX = 500
TEXT_MAX = 2_000

Tell = Callable[[Sequence[Notice]], Awaitable[bool]]
"""Tell notices; whether all of them are on record."""


class _Alert(BaseModel):
    """Fields that newer versions add are none of our business."""

    model_config = ConfigDict(strict=True, extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    startsAt: str = Field(max_length=100)  # noqa: N815  # Alertmanager's name
    fingerprint: str = Field(min_length=1, max_length=200)


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    version: Literal["4"]
    alerts: list[_Alert] = Field(max_length=ALERTS_MAX)


def add_alertmanager(app: FastAPI, token_file: Path, tell: Tell) -> None:
    """Put the address into an application."""

    @app.post(PATH)
    async def alertmanager(request: Request) -> JSONResponse:
        refused = _unauthorised(request.headers.get("authorization", ""), token_file)
        if refused is not None:
            return refused
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return _error(413, f"the message is longer than {BODY_BYTES_MAX} bytes: split it")
        try:
            message = _Message.model_validate_json(bytes(body))
        except ValidationError as error:
            return _error(422, f"this is no message of Alertmanager: {_first(error)}")
        if not await tell([notice_of(_outside(each)) for each in message.alerts]):
            return _error(503, "the alerts are not on record yet: send them again")
        return JSONResponse({"recorded": len(message.alerts)})


def _unauthorised(header: str, token_file: Path) -> JSONResponse | None:
    try:
        token = read_secret_file(token_file).reveal()
    except ConfigMistake as error:
        return _error(503, f"alerts cannot be taken: {error}")
    if hmac.compare_digest(header.encode(), f"Bearer {token}".encode()):
        return None
    return _error(401, "the token is missing or wrong: send `Authorization: Bearer <token>`")


def _outside(alert: _Alert) -> OutsideAlert:
    return OutsideAlert(
        firing=alert.status == "firing",
        fingerprint=alert.fingerprint,
        starts_at=alert.startsAt,
        labels=alert.labels,
        annotations={name: text[:TEXT_MAX] for name, text in alert.annotations.items()},
    )


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    found = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(each) for each in found["loc"])
    return f"{where}: {found['msg']}" if where else str(found["msg"])


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=status)
