"""A venue under trial: counts what reaches a real or fake venue, holds calls, loses answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from decimal import Decimal

from argos_common.domain.ids import Account, OrderId
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import (
    AccountFacts,
    Deals,
    Evidence,
    Journaled,
    Outcome,
    Question,
    Result,
    Snapshot,
    Submission,
)
from argos_common.domain.venue import Deal, DealEntry, DealReason
from argos_common.domain.verdict import Effect
from argos_common.lasthop.contract import in_doubt
from argos_common.lasthop.venue import Capabilities, Venue
from argos_common.runtime.clock import Clock


class TrialVenue:
    """Wraps a venue. `placed` lists every order id that reached it, repeats too."""

    def __init__(self, inner: Venue) -> None:
        self._inner = inner
        self.placed: list[OrderId] = []
        self.running: list[OrderId] = []
        self.open = asyncio.Event()
        self.open.set()
        self.lose_answers = False
        self.drop_calls = False
        self.blind = False

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    async def place(self, submission: Submission) -> Outcome:
        self.placed.append(submission.order_id)
        self.running.append(submission.order_id)
        try:
            await self.open.wait()
            if self.drop_calls:
                return in_doubt(submission.order_id, "no_answer", "the call was lost")
            outcome = await self._inner.place(submission)
            if self.lose_answers:
                return in_doubt(submission.order_id, "no_answer", "the answer was lost")
            return outcome
        finally:
            self.running.remove(submission.order_id)

    async def search(self, question: Question) -> Evidence:
        if self.blind:
            return Evidence(
                order_id=question.order_id,
                conclusive=True,
                found=False,
                journal=Journaled.NOTHING,
                as_of_ns=0,
            )
        return await self._inner.search(question)

    async def snapshot(self) -> Snapshot:
        return await self._inner.snapshot()

    async def deals(self, since_ns: int) -> Deals:
        return await self._inner.deals(since_ns)

    def watch(self) -> AsyncIterator[Deal | AccountFacts]:
        return self._inner.watch()

    async def abandon(self, order_id: OrderId) -> bool:
        return order_id not in self.running


class FakeVenue:
    """Fills everything at once at price 1, on one hedging account, and remembers it."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self._deals: list[Deal] = []
        self._news: asyncio.Queue[Deal] = asyncio.Queue()
        self.orders: list[Submission] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(kind=AccountKind.HEDGING, self_limiting_close=True)

    async def place(self, submission: Submission) -> Outcome:
        self.orders.append(submission)
        number = str(len(self.orders))
        closes = submission.effect is Effect.CLOSE
        deal = Deal(
            deal_id=f"d{number}",
            venue_order_id=f"o{number}",
            venue_position_id=submission.position_ref or f"p{number}",
            symbol=submission.symbol,
            venue_symbol=submission.venue_symbol,
            side=submission.side,
            entry=DealEntry.OUT if closes else DealEntry.IN,
            reason=DealReason.OURS,
            quantity=submission.quantity,
            price=Decimal(1),
            commission=Decimal(0),
            swap=Decimal(0),
            fee=Decimal(0),
            profit=Decimal(0),
            position_delta=submission.side.sign * submission.quantity,
            venue_time_ns=self._clock.now_ns(),
            comment=submission.tag,
        )
        self._deals.append(deal)
        self._news.put_nowait(deal)
        return Outcome(
            order_id=submission.order_id,
            result=Result.DONE,
            venue_order_id=deal.venue_order_id,
            venue_position_id=deal.venue_position_id,
            filled_quantity=deal.quantity,
            average_price=deal.price,
        )

    async def search(self, question: Question) -> Evidence:
        deal = next((each for each in self._deals if each.comment == question.tag), None)
        return Evidence(
            order_id=question.order_id,
            conclusive=True,
            found=deal is not None,
            journal=Journaled.NOTHING,
            as_of_ns=self._clock.now_ns(),
            method="tag" if deal else "",
            done=deal is not None,
            venue_order_id=deal.venue_order_id if deal else "",
            venue_position_id=deal.venue_position_id if deal else "",
            filled_quantity=deal.quantity if deal else Decimal(0),
            average_price=deal.price if deal else Decimal(0),
        )

    async def snapshot(self) -> Snapshot:
        return Snapshot(
            facts=self._facts(),
            complete=True,
            positions=(),
            working_orders=(),
            balances=(),
            epoch=0,
            incarnation="",
        )

    async def deals(self, since_ns: int) -> Deals:
        found = tuple(each for each in self._deals if each.venue_time_ns >= since_ns)
        return Deals(deals=found, complete=True)

    async def watch(self) -> AsyncGenerator[Deal | AccountFacts]:
        yield self._facts()
        while True:
            yield await self._news.get()

    async def abandon(self, order_id: OrderId) -> bool:  # noqa: ARG002 - no call of it ever hangs
        return True

    def _facts(self) -> AccountFacts:
        return AccountFacts(
            account=self._account,
            kind=AccountKind.HEDGING,
            node_time_ns=self._clock.now_ns(),
            ready=True,
            reason="",
            currency="USD",
            equity=Decimal(1000),
            balance=Decimal(1000),
        )
