"""What the gateway's parts need from each other and from outside, by role."""

from __future__ import annotations

from typing import Protocol

from argos_gateway.core.access import Access
from argos_gateway.core.reply import Reply


class Limiter(Protocol):
    def admit(self, source: str) -> bool:
        """Whether one more message of the source is within its rate."""
        ...


class SignalIntake(Protocol):
    """Where the adapters bring messages; `received_at_ns` is wall clock, taken first thing."""

    @property
    def access(self) -> Access: ...

    async def receive(self, source_name: str, body: bytes, received_at_ns: int) -> Reply:
        """Take one message of a source that has proved itself."""
        ...

    async def limited(self, source_name: str, received_at_ns: int) -> Reply:
        """A source is over its rate."""
        ...

    def unauthorised(self, source_name: str) -> Reply:
        """Somebody without proof."""
        ...
