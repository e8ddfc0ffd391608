"""One MetaTrader 5 account as a `Venue`: what the last hop asks, in the terminal's own calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from argos_common.domain.config import AccountConfig
from argos_common.domain.ids import OrderId
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import (
    AccountFacts,
    Deals,
    Evidence,
    Journaled,
    Outcome,
    Question,
    Snapshot,
    Submission,
)
from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import Deal
from argos_common.lasthop.contract import NodeUnavailable
from argos_common.lasthop.venue import Capabilities
from argos_common.runtime.clock import Clock

from argos_mt5_node.core import search, server_time
from argos_mt5_node.core.calls import Answer, Call
from argos_mt5_node.core.standing import Expected, wrong_account
from argos_mt5_node.core.translate import deal_of, is_trade, position_of, working_order_of
from argos_mt5_node.ports import CallLost, Terminal, TerminalDown
from argos_mt5_node.runner.placing import Placing
from argos_mt5_node.runner.readings import Readings
from argos_mt5_node.runner.specs import learn
from argos_mt5_node.runner.tuning import Tuning
from argos_mt5_node.runner.watching import Watching

_CLOCK_TRIES = 40
_CLOCK_PAUSE_S = 0.05
_SEARCH_BEFORE_NS = 600 * NS_PER_S


class Mt5Venue:
    """Implements `Venue`. Whoever makes it starts and stops the terminal."""

    def __init__(
        self,
        account: AccountConfig,
        expected: Expected,
        terminal: Terminal,
        clock: Clock,
        tuning: Tuning | None = None,
    ) -> None:
        self._terminal = terminal
        self._clock = clock
        self._tuning = tuning or Tuning()
        self._readings = Readings(
            account.account,
            expected,
            {route.venue_symbol: route.symbol for route in account.symbols},
            clock,
        )
        self._placing = Placing(terminal, self._readings, clock, self._tuning.deviation_points)
        self._watching = Watching(terminal, self._readings, clock, self._tuning)

    @property
    def capabilities(self) -> Capabilities:
        kind = self._readings.expected.kind
        return Capabilities(kind=kind, self_limiting_close=kind is AccountKind.HEDGING)

    def remember(self, order_ids: Iterable[OrderId]) -> None:
        """Orders that an earlier process sent and had no answer to: their deals are theirs.

        A broker may erase the comment; the magic alone names an order only to whoever expects it.
        """
        for order_id in order_ids:
            self._readings.remember(order_id)

    async def place(self, submission: Submission) -> Outcome:
        self._readings.remember(submission.order_id)
        try:
            return await self._placing.place(submission)
        finally:
            self._watching.expect_deals()

    async def abandon(self, order_id: OrderId) -> bool:
        if self._placing.sending == order_id:
            await self._terminal.kill()
            return True
        return await self._terminal.alone()

    async def search(self, question: Question) -> Evidence:
        self._readings.remember(question.order_id)
        offset_ns = await self._server_offset()
        start, end = self._bounds(question.since_ns - _SEARCH_BEFORE_NS)
        answers = await self._read(
            Call("orders_get"),
            Call("positions_get"),
            Call("history_orders_get", (start, end)),
            Call("history_deals_get", (start, end)),
        )
        orders, positions, history, deals = (answer.rows for answer in answers)
        unknown = orders is None or positions is None or history is None or deals is None
        books = search.Books(
            orders=orders or [], positions=positions or [], history=history or [], deals=deals or []
        )
        trace = search.search(question, books, self._readings.expected.kind, offset_ns)
        doubt = self._inconclusive(unknown=unknown, ambiguous=trace.ambiguous)
        return Evidence(
            order_id=question.order_id,
            conclusive=not doubt,
            found=trace.found,
            journal=Journaled.NOTHING,
            as_of_ns=self._clock.now_ns(),
            method=trace.method,
            working=trace.working,
            done=trace.done,
            venue_order_id=trace.venue_order_id,
            venue_position_id=trace.venue_position_id,
            filled_quantity=trace.filled_quantity,
            average_price=trace.average_price,
            sentence=doubt,
        )

    def _inconclusive(self, *, unknown: bool, ambiguous: bool) -> str:
        if unknown:
            return "the terminal could not show all of its orders, positions and deals"
        if ambiguous:
            return "more than one order looks like it"
        if not self._settled():
            return "the broker has not been connected for long enough to show everything"
        if not self._readings.is_current():
            return "no quote has moved for a minute, so the terminal may be behind"
        return ""

    async def snapshot(self) -> Snapshot:
        positions, orders, *looked = await self._read(
            Call("positions_get"), Call("orders_get"), *self._readings.look_at_ticks()
        )
        self._readings.take_ticks(looked)
        await self._learn()
        view = self._readings
        known = positions.rows is not None and orders.rows is not None
        return Snapshot(
            facts=view.facts(),
            complete=known and view.connected_for_ns() >= 0,
            positions=tuple(
                position_of(row, view.symbols, view.expected.kind, view.candidates)
                for row in positions.rows or ()
            ),
            working_orders=tuple(
                working_order_of(row, view.symbols, view.candidates) for row in orders.rows or ()
            ),
            balances=(),
            epoch=0,
            incarnation="",
        )

    async def deals(self, since_ns: int) -> Deals:
        offset_ns = await self._server_offset()
        (listed,) = await self._read(Call("history_deals_get", self._bounds(since_ns)))
        if listed.rows is None:
            raise NodeUnavailable(f"the terminal does not show its deals ({listed.text})")
        view = self._readings
        found = [
            deal_of(row, view.symbols, offset_ns, view.candidates)
            for row in listed.rows
            if is_trade(row)
        ]
        found.sort(key=lambda deal: (deal.venue_time_ns, int(deal.deal_id)))
        return Deals(
            deals=tuple(deal for deal in found if deal.venue_time_ns >= since_ns),
            complete=self._settled(),
        )

    async def watch(self) -> AsyncGenerator[Deal | AccountFacts]:
        yield self._readings.facts()
        self._watching.start_over()
        while True:
            for item in await self._watching.poll():
                yield item
            await self._clock.sleep(self._watching.pause_s())

    # Reading.

    async def _read(self, *calls: Call) -> list[Answer]:
        """The answers, from the right account. Raises NodeUnavailable."""
        try:
            terminal, account, *answers = await self._terminal.ask(
                Call("terminal_info"), Call("account_info"), *calls
            )
        except (TerminalDown, CallLost) as error:
            self._readings.lost(str(error))
            raise NodeUnavailable(str(error)) from None
        self._readings.take_standing(terminal.row, account.row, self._terminal.life)
        wrong = wrong_account(account.row, self._readings.expected)
        if wrong:
            raise NodeUnavailable(wrong)
        return answers

    async def _learn(self) -> None:
        try:
            await learn(self._terminal, self._readings)
        except (TerminalDown, CallLost) as error:
            raise NodeUnavailable(str(error)) from None

    async def _server_offset(self) -> int:
        """The server's clock, waiting a little for a quote to move. Raises NodeUnavailable."""
        for _ in range(_CLOCK_TRIES):
            if self._readings.offset_ns is not None:
                return self._readings.offset_ns
            self._readings.take_ticks(await self._read(*self._readings.look_at_ticks()))
            await self._clock.sleep(_CLOCK_PAUSE_S)
        raise NodeUnavailable("no quote has moved yet, so the broker's clock is not known")

    def _bounds(self, since_ns: int) -> tuple[int, int]:
        return server_time.bounds(since_ns, self._clock.now_ns(), self._readings.offset_ns)

    def _settled(self) -> bool:
        settles_ns = int(self._tuning.history_settles_s * NS_PER_S)
        return self._readings.connected_for_ns() >= settles_ns
