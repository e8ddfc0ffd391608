"""The bus in memory: subjects with wildcards, queue groups, requests, and a cut cable.

`MemoryBus(clock)` has a hub of its own; `another()` is a second client on the same hub. While
`partitioned` is set a client neither reaches the hub nor is reached. Members of a queue group take
turns, so the same calls give the same deliveries.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from argos_common.runtime.bus import Handler, NoReply
from argos_common.runtime.clock import Clock
from argos_common.testing.subject_match import matches

HandlerFailed = Callable[[str, Exception], None]


@dataclass(frozen=True, slots=True)
class _Message:
    subject: str
    payload: bytes
    reply: asyncio.Future[bytes] | None = None


def _no_answer(within_s: float) -> NoReply:
    return NoReply(f"no answer within {within_s:g} s")


class _Subscription:
    """One handler, called for one message at a time, in order."""

    def __init__(self, owner: MemoryBus, pattern: str, queue: str, handler: Handler) -> None:
        self.owner = owner
        self.pattern = pattern
        self.queue = queue
        self._handler = handler
        self._waiting: deque[_Message] = deque()
        self._pump: asyncio.Task[None] | None = None

    def deliver(self, message: _Message) -> None:
        self._waiting.append(message)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            message = self._waiting.popleft()
            try:
                answer = await self._handler(message.subject, message.payload)
            except Exception as error:  # noqa: BLE001  # whatever it is, the next message goes on
                self.owner.handler_failed(message.subject, error)
                continue
            future = message.reply
            if answer is None or future is None or future.done() or self.owner.partitioned:
                continue
            future.set_result(answer)


class MemoryHub:
    """Where the clients meet."""

    def __init__(self) -> None:
        self._subscriptions: list[_Subscription] = []
        self._turns: dict[tuple[str, str], int] = {}
        self._matching: dict[tuple[str, str], bool] = {}

    def add(self, subscription: _Subscription) -> None:
        self._subscriptions.append(subscription)

    def send(self, message: _Message) -> int:
        """Hand it to whoever listens; how many."""
        groups: dict[tuple[str, str], list[_Subscription]] = {}
        receivers: list[_Subscription] = []
        for subscription in self._subscriptions:
            if subscription.owner.partitioned:
                continue
            if not self._matches(subscription.pattern, message.subject):
                continue
            if subscription.queue:
                key = (subscription.pattern, subscription.queue)
                groups.setdefault(key, []).append(subscription)
            else:
                receivers.append(subscription)
        for key, members in groups.items():
            turn = self._turns.get(key, 0)
            self._turns[key] = turn + 1
            receivers.append(members[turn % len(members)])
        for receiver in receivers:
            receiver.deliver(message)
        return len(receivers)

    def _matches(self, pattern: str, subject: str) -> bool:
        known = self._matching.get((pattern, subject))
        if known is None:
            known = self._matching[pattern, subject] = matches(pattern, subject)
        return known


class MemoryBus:
    """Implements `Bus`."""

    def __init__(
        self,
        clock: Clock,
        *,
        hub: MemoryHub | None = None,
        handler_failed: HandlerFailed | None = None,
    ) -> None:
        self.hub = hub or MemoryHub()
        self.partitioned = False
        self.failures: list[tuple[str, Exception]] = []
        self.handler_failed = handler_failed or self._note_failure
        self._clock = clock

    def another(self) -> MemoryBus:
        """A second client on the same hub."""
        return MemoryBus(self._clock, hub=self.hub)

    async def publish(self, subject: str, payload: bytes) -> None:
        if not self.partitioned:
            self.hub.send(_Message(subject, payload))

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> None:
        self.hub.add(_Subscription(self, subject, queue, handler))

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> bytes:
        if self.partitioned:
            raise NoReply("NATS is away")
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if not self.hub.send(_Message(subject, payload, reply)):
            raise NoReply(f"nobody serves {subject}")
        deadline = asyncio.ensure_future(self._give_up(reply, timeout_s))
        try:
            answer = await reply
        finally:
            deadline.cancel()
        if self.partitioned:
            raise _no_answer(timeout_s)
        return answer

    async def _give_up(self, reply: asyncio.Future[bytes], after_s: float) -> None:
        await self._clock.sleep(after_s)
        if not reply.done():
            reply.set_exception(_no_answer(after_s))

    def _note_failure(self, subject: str, error: Exception) -> None:
        self.failures.append((subject, error))
