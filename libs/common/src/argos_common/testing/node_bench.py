"""A venue node on a bench: one account, in process or over gRPC, with a clock that can be pushed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from argos_common.domain.ids import Account, Strategy, Symbol, magic, order_id, tag
from argos_common.domain.node import LeaseAnswer, LeaseAsk, Question, Submission
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_common.lasthop.client import NodeClient
from argos_common.lasthop.contract import Node
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, Journal
from argos_common.lasthop.local import LocalNode
from argos_common.lasthop.ports import direct
from argos_common.lasthop.server import NodeServer
from argos_common.lasthop.venue import Venue
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.entropy import SystemEntropy
from argos_common.testing.trial_venue import TrialVenue

ACCOUNT = Account("bench")
PATIENCE_S = 10.0


class PushedClock(SystemClock):
    """The machine's clocks, plus whatever they were pushed by."""

    def __init__(self) -> None:
        self.wall_ns = 0
        self.mono_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.wall_ns

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.mono_ns


async def eventually(done: Callable[[], bool]) -> None:
    """Polls until `done`; fails after ten seconds."""
    async with asyncio.timeout(PATIENCE_S):
        while not done():  # noqa: ASYNC110 - what it waits for has no event of its own
            await asyncio.sleep(0.002)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a bench is built from. `order` is a valid OPEN of the venue, `other_symbol` another."""

    make_venue: Callable[[PushedClock], Venue]
    open_journal: Callable[[], Journal]
    over_grpc: bool
    symbol: Symbol = Symbol("EURUSD")
    venue_symbol: str = "EURUSD"
    other_symbol: Symbol = Symbol("GBPUSD")
    other_venue_symbol: str = "GBPUSD"
    quantity: Decimal = Decimal(1)


@dataclass(slots=True)
class Bench:
    """`node` is what a bridge would use; `hop` is the last hop behind it."""

    kit: Kit
    clock: PushedClock = field(init=False)
    venue: TrialVenue = field(init=False)
    hop: LastHop = field(init=False)
    node: Node = field(init=False)
    _count: int = 0
    _server: NodeServer | None = None
    _client: NodeClient | None = None

    async def start(self) -> None:
        self.clock = PushedClock()
        self.venue = TrialVenue(self.kit.make_venue(self.clock))
        await self._open()

    async def _open(self) -> None:
        journal = AsyncJournal(self.kit.open_journal(), direct)
        self.hop = LastHop(ACCOUNT, self.venue, journal, self.clock, SystemEntropy())
        await self.hop.start()
        local = LocalNode([self.hop], self.clock)
        self.node = local
        if self.kit.over_grpc:
            self._server = NodeServer(local, self.clock)
            port = await self._server.start()
            self._client = NodeClient(f"127.0.0.1:{port}")
            self.node = self._client

    async def stop(self) -> None:
        self.venue.open.set()
        await self._disconnect()
        await self.hop.stop()

    async def restart(self) -> None:
        """The process ends at once, with whatever was under way, and another one starts."""
        await self.hop.crash()
        await self._disconnect()
        self.hop._journal._journal.close()  # noqa: SLF001  # the operating system would do it
        await self._open()

    async def _disconnect(self) -> None:
        if self._client is not None:
            await self._client.close()
        if self._server is not None:
            await self._server.stop(0)

    async def lease(self, *, epoch: int = 0, granted: bool = True) -> str:
        """The nonce of one question that was answered so, after the answer has arrived."""
        asked: asyncio.Future[LeaseAsk] = asyncio.get_running_loop().create_future()
        over = asyncio.Event()

        async def answers() -> AsyncIterator[LeaseAnswer]:
            ask = await asked
            yield LeaseAnswer(
                account=ask.account, nonce=ask.nonce, granted=granted, epoch=epoch, reason=""
            )
            await over.wait()

        stream = self.node.lease(answers())
        ask = await anext(aiter(stream))
        asked.set_result(ask)
        reading = asyncio.create_task(_drain(stream))
        if granted:
            await eventually(lambda: self.hop.lease_live(ask.nonce))
            reading.cancel()
        over.set()
        await asyncio.wait([reading])
        return ask.nonce

    def submission(self, lease: str = "", **changes: object) -> Submission:
        """A new OPEN that passes every gate if `lease` is live."""
        self._count += 1
        identity = order_id("trade", ACCOUNT, f"{self._count}", 1)
        base = Submission(
            order_id=identity,
            account=ACCOUNT,
            strategy=Strategy("trend"),
            symbol=self.kit.symbol,
            venue_symbol=self.kit.venue_symbol,
            side=Side.BUY,
            effect=Effect.OPEN,
            quantity=self.kit.quantity,
            deadline_ns=self.clock.now_ns() + 5_000_000_000,
            budget_ns=5_000_000_000,
            epoch=0,
            lease=lease,
            tag=tag(identity),
            magic=magic(identity, "trend"),
        )
        return replace(base, **changes)  # type: ignore[arg-type]  # named by the test

    def question(self, submission: Submission) -> Question:
        return Question(
            order_id=submission.order_id,
            account=submission.account,
            symbol=submission.symbol,
            venue_symbol=submission.venue_symbol,
            side=submission.side,
            effect=submission.effect,
            quantity=submission.quantity,
            since_ns=0,
            tag=submission.tag,
            magic=submission.magic,
            position_ref=submission.position_ref,
        )


async def _drain(stream: AsyncIterator[LeaseAsk]) -> None:
    async for _ in stream:
        pass
