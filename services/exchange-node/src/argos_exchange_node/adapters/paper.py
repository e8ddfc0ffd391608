"""The paper venue behind the last hop's port: it keeps the books, the core makes the rules.

Usable in process with any clock, and over any store. `faults` makes it behave as badly as a real
exchange on a bad day.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import OrderId
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import (
    AccountFacts,
    AssetBalance,
    Deals,
    Evidence,
    Outcome,
    Question,
    Snapshot,
    Submission,
)
from argos_common.domain.order import RefusalClass
from argos_common.domain.venue import Deal, Quote
from argos_common.lasthop.contract import FACTS_EVERY_S, NodeUnavailable, in_doubt
from argos_common.lasthop.ports import Offload, direct
from argos_common.lasthop.venue import Capabilities
from argos_common.runtime.bounded import bounded
from argos_common.runtime.clock import Clock

from argos_exchange_node.core import exchange, translate
from argos_exchange_node.core.account import PaperAccount
from argos_exchange_node.core.books import Books, Execution, PaperTrade
from argos_exchange_node.core.exchange import Rejection
from argos_exchange_node.core.market import Market, Touch, touch
from argos_exchange_node.ports import Store

TICK_S = 0.1
FACTS_EVERY_NS = int((FACTS_EVERY_S - TICK_S) * 1_000_000_000)


@dataclass(slots=True)
class Faults:
    """Bad days, switched from outside. Counts run down by themselves.

    `lose_answers`: so many orders are executed and their answer is lost. `lose_calls`: so many
    never arrive, and nobody says so. `refuse`: so many are refused for the venue's own reasons.
    `disconnected`: nothing is answered at all. `lag_ns`: trades and orders show up so much later.
    """

    lose_answers: int = 0
    lose_calls: int = 0
    refuse: int = 0
    disconnected: bool = False
    lag_ns: int = 0


class PaperVenue:
    """One account at the paper venue. Implements the last hop's `Venue`."""

    def __init__(
        self,
        paper: PaperAccount,
        store: Store,
        clock: Clock,
        offload: Offload = direct,
        faults: Faults | None = None,
        *,
        tick_s: float = TICK_S,
    ) -> None:
        """`tick_s`: how often prices are looked at for protective orders."""
        self.faults = faults or Faults()
        self._paper = paper
        self._store = store
        self._clock = clock
        self._offload = offload
        self._tick_s = tick_s
        self._books = Books()
        self._markets = {market.venue_symbol: market for market in paper.markets}
        self._changing = asyncio.Lock()
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Loads the books, and opens the account the first time. Raises OurMistake."""
        self._books = await self._offload(self._store.load)
        if not self._books.balances:
            await self._commit(Books.opened_with(self._paper.balances))
        for order in self._books.orders.values():
            if order.venue_symbol not in self._markets:
                raise OurMistake(
                    f"paper account {self._paper.account} has traded {order.venue_symbol}, which"
                    " its configuration no longer names; put the symbol back"
                )

    async def stop(self) -> None:
        await self._offload(self._store.close)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(kind=AccountKind.SPOT, self_limiting_close=False)

    @property
    def books(self) -> Books:
        """What the venue itself recorded, for those who check it from outside."""
        return self._books

    def touch(self, market: Market) -> Touch:
        """The price of this moment."""
        return touch(market, self._paper.seed, self._clock.now_ns())

    async def place(self, submission: Submission) -> Outcome:
        try:
            return await self._place(submission)
        except OurMistake as error:
            return in_doubt(submission.order_id, "venue_failed", str(error))

    async def _place(self, submission: Submission) -> Outcome:
        faults, order_id = self.faults, submission.order_id
        if faults.disconnected or faults.lose_calls:
            faults.lose_calls = max(0, faults.lose_calls - 1)
            return in_doubt(order_id, "no_answer", "the venue did not answer")
        if faults.refuse:
            faults.refuse -= 1
            no = Rejection(RefusalClass.VENUE_ERROR, "busy", "the venue is too busy")
            return translate.refused(submission, no)
        market = self._markets.get(submission.venue_symbol)
        if market is None:
            sentence = f"there is no market {submission.venue_symbol}"
            no = Rejection(RefusalClass.FINAL, "symbol", sentence)
            return translate.refused(submission, no)
        request = translate.request_of(submission)
        if isinstance(request, Rejection):
            return translate.refused(submission, request)
        async with self._changing:
            now_ns = self._clock.now_ns()
            now = touch(market, self._paper.seed, now_ns)
            made = exchange.place(self._books, market, now, self._paper.fees, request, now_ns)
            if isinstance(made, Rejection):
                return translate.refused(submission, made)
            await self._commit(made)
        if faults.lose_answers:
            faults.lose_answers -= 1
            return in_doubt(order_id, "no_answer", "the venue did not answer")
        return translate.outcome_of(submission, made.orders[0])

    async def _commit(self, execution: Execution) -> None:
        await self._offload(lambda: self._store.commit(execution))
        self._books.apply(execution)
        self._news.set()

    async def run_triggers(self) -> None:
        """Executes every protective order whose price is reached at this moment."""
        async with self._changing:
            now_ns = self._clock.now_ns()
            for market in self._paper.markets:
                now = touch(market, self._paper.seed, now_ns)
                while True:
                    made = exchange.trigger(self._books, market, now, self._paper.fees, now_ns)
                    if made is None:
                        break
                    await self._commit(made)

    async def search(self, question: Question) -> Evidence:
        self._require_connection()
        return translate.evidence_of(
            question,
            (each for each in self._books.orders.values() if self._shows(each.placed_at_ns)),
            conclusive=True,
            now_ns=self._clock.now_ns(),
        )

    async def snapshot(self) -> Snapshot:
        self._require_connection()
        books = self._books
        return Snapshot(
            facts=self._facts(),
            complete=True,
            positions=(),
            working_orders=tuple(
                translate.working_order_of(order, self._markets[order.venue_symbol])
                for order in books.open_orders.values()
            ),
            balances=tuple(
                AssetBalance(asset=asset, total=total)
                for asset, total in sorted(books.balances.items())
            ),
            epoch=0,
            incarnation="",
        )

    async def deals(self, since_ns: int) -> Deals:
        self._require_connection()
        trades = [each for each in self._books.trades if each.at_ns >= since_ns]
        return Deals(
            deals=self._deals(each for each in trades if self._shows(each.at_ns)),
            complete=all(self._shows(each.at_ns) for each in trades),
        )

    async def watch(self) -> AsyncGenerator[Deal | AccountFacts]:
        self._require_connection()
        yield self._facts()
        facts_ns = self._clock.monotonic_ns()
        sent = self._visible_trades()
        while True:
            await self._pause()
            self._require_connection()
            await self.run_triggers()
            visible = self._visible_trades()
            for deal in self._deals(self._books.trades[sent:visible]):
                yield deal
            changed, sent = visible > sent, visible
            if changed or self._clock.monotonic_ns() - facts_ns >= FACTS_EVERY_NS:
                facts_ns = self._clock.monotonic_ns()
                yield self._facts()

    async def abandon(self, order_id: OrderId) -> bool:  # noqa: ARG002 - no call outlives this process
        return not self._changing.locked()

    async def _pause(self) -> None:
        """Until something happened, at most one tick."""
        await bounded(self._clock, self._news.wait(), self._tick_s)
        self._news.clear()

    def _require_connection(self) -> None:
        if self.faults.disconnected:
            raise NodeUnavailable("the paper venue is disconnected")

    def _shows(self, at_ns: int) -> bool:
        """Whether what happened then is listed by now; also where the clock was set back since."""
        return not 0 <= self._clock.now_ns() - at_ns < self.faults.lag_ns

    def _visible_trades(self) -> int:
        trades, count = self._books.trades, len(self._books.trades)
        while count and not self._shows(trades[count - 1].at_ns):
            count -= 1
        return count

    def _deals(self, trades: Iterable[PaperTrade]) -> tuple[Deal, ...]:
        return tuple(
            translate.deal_of(trade, self._markets[trade.venue_symbol]) for trade in trades
        )

    def _facts(self) -> AccountFacts:
        books, paper = self._books, self._paper
        touches = {market: self.touch(market) for market in paper.markets}
        worth = sum(books.held(market.base) * now.bid for market, now in touches.items())
        return AccountFacts(
            account=paper.account,
            kind=AccountKind.SPOT,
            node_time_ns=self._clock.now_ns(),
            ready=not self.faults.disconnected,
            reason="",
            currency=paper.currency,
            equity=books.held(paper.currency) + worth,
            balance=books.held(paper.currency),
            quotes=tuple(
                Quote(symbol=market.symbol, bid=now.bid, ask=now.ask, age_ns=0)
                for market, now in touches.items()
            ),
            instruments=tuple(translate.instrument_of(market) for market in paper.markets),
        )
