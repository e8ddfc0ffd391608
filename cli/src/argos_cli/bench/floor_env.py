"""What the four processes of the floor share: where things are, and one event's form.

The floor is the least that the same promises cost on this machine: the same process hops and the
same durable steps as Argos takes from an alert to the call of the venue, without any logic.

    floor_http     HTTP in, create-once append                     as the gateway
    floor_second   reads the log, append on its own head           as risk
    floor_third    reads the log, fenced once-only append, gRPC    as the bridge
    floor_fourth   one durable SQLite row, then it would call      as a venue node
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog

METHOD = "/argos.floor/Call"
LANES = 4
FILLER = "x" * 240
"""Makes an event as long as Argos's are, about 300 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorSettings:
    nats: str
    http_port: int
    grpc_port: int
    journal: str
    out: str


def settings() -> FloorSettings:
    """As the parent wrote them into the environment."""
    return FloorSettings(**json.loads(os.environ["ARGOS_FLOOR"]))


@asynccontextmanager
async def floor_log(name: str) -> AsyncIterator[NatsLog]:
    """The log, as a service opens it."""
    connection = await connect(NatsSettings(url=settings().nats, name=name), timeout_s=10.0)
    try:
        yield NatsLog(connection)
    finally:
        await connection.close()


def event(key: str, received_ns: int) -> bytes:
    return f"{key} {received_ns} {FILLER}".encode()


def read(data: bytes) -> tuple[str, int]:
    """(key, when it was received)."""
    key, received, _ = data.decode().split(" ", 2)
    return key, int(received)


def lane_of(key: str) -> int:
    """Keys are `<number>-<nonce>`; lanes stand for accounts."""
    return int(key.split("-", 1)[0]) % LANES
