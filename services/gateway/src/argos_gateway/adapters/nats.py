"""The same intake as a request on core NATS, for senders inside: `argos.inject.<source>`.

Who may use the subject is NATS's matter; there is no token. The answer is that of HTTP, with the
HTTP status as `http_status`. A source has one rate, whichever door it takes.

Requests are taken in `LANES`, one at a time in each, so that one which waits for the log does not
make those behind it look younger than they are.
"""

from __future__ import annotations

import json

from argos_common.runtime.bus import Bus
from argos_common.runtime.clock import Clock
from argos_common.wire.subjects import INJECT

from argos_gateway.core.reply import refusal
from argos_gateway.ports import Limiter, SignalIntake

LANES = 16


async def serve_inject(bus: Bus, intake: SignalIntake, limiter: Limiter, clock: Clock) -> None:
    """Answer requests from now on."""

    async def arrived(subject: str, payload: bytes) -> bytes:
        received_at_ns = clock.now_ns()
        source = subject.removeprefix(INJECT + ".")
        if source not in intake.access.sources:
            reply = refusal(404, "unknown_source", f"{source} is no source: name one of fleet.toml")
        elif limiter.admit(source):
            reply = await intake.receive(source, payload, received_at_ns)
        else:
            reply = await intake.limited(source, received_at_ns)
        return json.dumps({**reply.body, "http_status": reply.status}, ensure_ascii=False).encode()

    for _ in range(LANES):
        await bus.subscribe(f"{INJECT}.*", arrived, queue="gateway")
