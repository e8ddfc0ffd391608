"""Facts that need no record, and requests: core NATS, at most once, never part of a replay.

Quotes and account facts, heartbeats, leases, operator commands and injected signals travel here,
under `argos.`, outside the stream's prefix. Nothing here may be needed to rebuild a state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

Handler = Callable[[str, bytes], Awaitable[bytes | None]]
"""(subject, payload) -> the reply's payload, or None for no reply."""


class NoReply(Exception):
    """Nobody answered in time, or nobody was listening. What the other side did is not known."""


class Bus(Protocol):
    async def publish(self, subject: str, payload: bytes) -> None:
        """Send to whoever listens now. Dropped silently while disconnected."""
        ...

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> None:
        """Call `handler` for each message, one at a time per subscription, in order of arrival."""
        ...

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> bytes:
        """One question, one answer. Raises NoReply."""
        ...
