"""Leases: the node asks, risk answers, the bridge carries both and remembers what it may use.

Ages count from when the question came by here, which is later than when the node asked: `USE_NS` is
half of what the node grants itself, so a nonce used here is live there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from argos_common.domain.errors import ArgosError
from argos_common.domain.node import LeaseAnswer, LeaseAsk
from argos_common.domain.times import NS_PER_MS
from argos_common.lasthop.contract import Node
from argos_common.runtime.bus import NoReply
from argos_common.wire.codec import pack, unpack
from argos_common.wire.subjects import LEASE

from argos_bridge.ports import Surroundings

USE_NS = 1_000 * NS_PER_MS
DELIVERED_NS = 20 * NS_PER_MS
"""After this the node surely has the answer; a younger nonce is used only if there is no other."""
ANSWER_S = 1.0
AGAIN_S = 0.25
KEPT = 4


@dataclass(frozen=True, slots=True)
class _Granted:
    nonce: str
    asked_ns: int
    granted_ns: int


class Leases:
    """The nonces lately granted for one account; monotonic times."""

    def __init__(self) -> None:
        self._granted: list[_Granted] = []
        self._granted_ns: int | None = None

    def age_ns(self, now_ns: int) -> int | None:
        """How long ago one was last granted; None: never."""
        return None if self._granted_ns is None else now_ns - self._granted_ns

    def grant(self, nonce: str, asked_ns: int, granted_ns: int) -> None:
        self._granted_ns = granted_ns
        self._granted = [*self._granted[1 - KEPT :], _Granted(nonce, asked_ns, granted_ns)]

    def clear(self) -> None:
        self._granted = []

    def usable(self, now_ns: int) -> str:
        """A nonce to rely on, or the empty text."""
        young = [each for each in self._granted if now_ns - each.asked_ns < USE_NS]
        delivered = [each for each in young if now_ns - each.granted_ns >= DELIVERED_NS]
        return (delivered or young)[-1].nonce if young else ""


class LeaseRelay:
    """Carries one node's questions to risk and the answers back, for ever."""

    def __init__(
        self,
        node: Node,
        around: Surroundings,
        *,
        answered: Callable[[LeaseAnswer, int], None],
    ) -> None:
        self._node = node
        self._around = around
        self._answered = answered
        self._answers: asyncio.Queue[LeaseAnswer] = asyncio.Queue()

    async def run(self) -> None:
        """`answered` is told each answer, and when its question came by (monotonic)."""
        while True:
            self._answers = asyncio.Queue()
            try:
                async with asyncio.TaskGroup() as group:
                    asks = self._node.lease(self._back(self._answers))
                    try:
                        async for ask in asks:
                            group.create_task(self._carry(ask, self._answers))
                    finally:
                        await close(asks)
            except* ArgosError:
                pass  # the session of each account says that its node is away
            await self._around.clock.sleep(AGAIN_S)

    async def _carry(self, ask: LeaseAsk, answers: asyncio.Queue[LeaseAnswer]) -> None:
        asked_ns = self._around.clock.monotonic_ns()
        try:
            reply = await self._around.bus.request(f"{LEASE}.{ask.account}", pack(ask), ANSWER_S)
            answer = unpack(LeaseAnswer, reply)
        except (NoReply, ArgosError):
            return  # no answer is no lease
        if (answer.account, answer.nonce) != (ask.account, ask.nonce):
            return
        answers.put_nowait(answer)
        self._answered(answer, asked_ns)

    @staticmethod
    async def _back(answers: asyncio.Queue[LeaseAnswer]) -> AsyncIterator[LeaseAnswer]:
        while True:
            yield await answers.get()


async def close(stream: AsyncIterator[object]) -> None:
    """End a stream that may be a generator, now and not when it is collected."""
    aclose = getattr(stream, "aclose", None)
    if aclose is not None:
        await aclose()
