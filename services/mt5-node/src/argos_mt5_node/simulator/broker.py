"""The simulated broker: deterministic, without I/O, time passed in.

Use it directly for simulations in virtual time::

    broker = SimulatedBroker(seed=7, now_ns=start_ns)
    reply = broker.send(10_001, TradeRequest(action=1, symbol="EURUSD", ...), now_ns)
    broker.advance(now_ns)                 # stops, targets, pending orders, late fills
    broker.positions(10_001, now_ns)       # as the terminal shows them
    broker.record                          # what the broker itself recorded

Every call first advances to ``now_ns``. Between two calls every tick is evaluated, so results do
not depend on how often ``advance`` is called, except across gaps beyond ``catch_up_ticks``, whose
oldest part is skipped. Time never goes back: an earlier ``now_ns`` evaluates nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from decimal import Decimal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator import intake, triggers
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.checks import check
from argos_mt5_node.simulator.market import Market, Quote, ScriptMode
from argos_mt5_node.simulator.prng import Prng, SplitMix64, mix64
from argos_mt5_node.simulator.records import (
    ZERO,
    BrokerEntry,
    Deal,
    Order,
    Position,
    Reply,
    TradeRequest,
    TradeResult,
)
from argos_mt5_node.simulator.state import BrokerState
from argos_mt5_node.simulator.switchboard import ALL_LOGINS, Params
from argos_mt5_node.simulator.symbols import (
    AccountSpec,
    ServerClock,
    SymbolSpec,
    default_accounts,
    default_symbols,
)
from argos_mt5_node.simulator.valuation import Standing, standing

__all__ = ["SimulatedBroker", "UnknownAccountError"]


class UnknownAccountError(KeyError):
    """No account with that login at this broker."""


class SimulatedBroker:
    """Every account of one broker, its market and its faults."""

    def __init__(  # noqa: PLR0913 - the broker's whole world, all optional but the seed
        self,
        seed: int,
        accounts: Sequence[AccountSpec] = (),
        symbols: Sequence[SymbolSpec] = (),
        *,
        now_ns: int = 0,
        prng: Prng | None = None,
        clock: ServerClock | None = None,
        tick_ms: int = 100,
        catch_up_ticks: int = 36_000,
        deposit: bool = True,
    ) -> None:
        """Open the broker at ``now_ns``; the accounts' balances are booked as deposits then.

        ``deposit=False`` leaves the books empty, for restoring them.
        """
        market = Market(seed, symbols or default_symbols(), clock or ServerClock(), tick_ms)
        self.seed = seed
        self.state = BrokerState(
            market, accounts or default_accounts(), prng or SplitMix64(mix64(seed))
        )
        self._watches: dict[str, triggers.Watch] = {}
        self._catch_up_ticks = catch_up_ticks
        self.state.last_index = market.index(now_ns)
        self.state.last_day = market.clock.day(now_ns)
        if deposit:
            for login in self.state.books:
                self.deposit(login, self.state.books[login].spec.balance, now_ns)

    @property
    def record(self) -> list[BrokerEntry]:
        """The append-only record; do not change it."""
        return self.state.record

    @property
    def market(self) -> Market:
        """Prices and symbols."""
        return self.state.market

    def book(self, login: int) -> Book:
        """The true books of an account. Raises UnknownAccountError."""
        try:
            return self.state.books[login]
        except KeyError:
            raise UnknownAccountError(login) from None

    def deposit(self, login: int, amount: Decimal, now_ns: int) -> Deal:
        """Book a deposit (or a withdrawal) as a balance deal."""
        deal = Deal(
            ticket=self.state.deal_ticket(),
            order=0,
            symbol="",
            type=c.DEAL_TYPE_BALANCE,
            entry=c.ENTRY_IN,
            magic=0,
            position_id=0,
            reason=c.REASON_CLIENT,
            volume=ZERO,
            price=ZERO,
            commission=ZERO,
            swap=ZERO,
            profit=amount,
            fee=ZERO,
            comment="Deposit",
            time_ns=now_ns,
            visible_ns=now_ns,
        )
        self.book(login).add_deal(deal)
        return deal

    def advance(self, now_ns: int) -> None:
        """Bring the broker to an instant: evaluate ticks and run what is due, in time order."""
        state = self.state
        tick_ns = state.market.tick_ns
        target = now_ns // tick_ns
        if target > state.last_index:
            start = max(state.last_index + 1, target - self._catch_up_ticks + 1)
            triggers.refresh_watches(state, self._watches)
            for index in range(start, target + 1):
                if self._is_idle():
                    break
                at_ns = index * tick_ns
                self._run_due(at_ns - 1)
                state.last_index = index
                self._roll_over(at_ns)
                triggers.run_tick(state, self._watches, at_ns)
                if index % 10 == 0:
                    triggers.run_second(state, at_ns)
                    triggers.refresh_watches(state, self._watches)
            state.last_index = target
            state.last_day = max(state.last_day, state.market.clock.day(now_ns))
        self._run_due(now_ns)

    def _is_idle(self) -> bool:
        if self._watches or self.state.scheduled:
            return False
        return not any(book.positions or book.orders for book in self.state.books.values())

    def _run_due(self, now_ns: int) -> None:
        scheduled = self.state.scheduled
        while scheduled and scheduled[0].due_ns <= now_ns:
            item = heapq.heappop(scheduled)
            book = self.state.books[item.login]
            intake.run_scheduled(self.state, book, item.request, item.due_ns, item.received_ns)
            triggers.refresh_watches(self.state, self._watches)

    def _roll_over(self, now_ns: int) -> None:
        day = self.state.market.clock.day(now_ns)
        if day > self.state.last_day:
            self.state.last_day = day
            for login in self.state.books:
                triggers.rollover(self.state, self.book(login), now_ns, reopen=False)

    def send(self, login: int, request: TradeRequest, now_ns: int) -> Reply:
        """One order_send of the client: permissions, faults, execution."""
        self.advance(now_ns)
        return intake.send(self.state, self.book(login), request, now_ns)

    def check(self, login: int, request: TradeRequest, now_ns: int) -> tuple[int, Standing]:
        """(retcode or 0, standing now); changes nothing and reaches no fault."""
        self.advance(now_ns)
        book = self.book(login)
        return check(self.state, book, request, now_ns), self.standing(login, now_ns)

    def manual_trade(self, login: int, request: TradeRequest, now_ns: int) -> TradeResult:
        """A human trades on the account: reason 0, magic 0."""
        self.advance(now_ns)
        return intake.manual_trade(self.state, self.book(login), request, now_ns)

    def rollover(self, login: int, now_ns: int, *, reopen: bool = False) -> None:
        """Charge one night's swap now; ``reopen`` changes tickets, never identifiers."""
        self.advance(now_ns)
        triggers.rollover(self.state, self.book(login), now_ns, reopen=reopen)

    def quote(self, symbol: str, now_ns: int) -> Quote:
        """The last tick of a symbol. Raises KeyError for an unknown one."""
        return self.state.market.quote(symbol, now_ns)

    def script(
        self, symbol: str, mode: ScriptMode, now_ns: int, price: Decimal | None = None
    ) -> None:
        """Script a symbol's price from now on and evaluate it at once."""
        self.advance(now_ns)
        self.state.market.script(symbol, mode, now_ns, price)
        triggers.refresh_watches(self.state, self._watches)
        triggers.run_tick(self.state, self._watches, now_ns)
        triggers.run_second(self.state, now_ns)

    def standing(self, login: int, now_ns: int) -> Standing:
        """Balance, equity and margin of an account."""
        self.advance(now_ns)
        return standing(self.state.market, self.book(login), now_ns)

    def positions(self, login: int, now_ns: int) -> list[Position]:
        """Positions as the terminal shows them (late, or frozen when disconnected)."""
        self.advance(now_ns)
        return self.book(login).shown_positions(now_ns)

    def orders(self, login: int, now_ns: int) -> list[Order]:
        """Working orders as the terminal shows them."""
        self.advance(now_ns)
        return self.book(login).shown_orders()

    def deals(self, login: int, now_ns: int) -> list[Deal]:
        """Deals the terminal already shows, oldest first."""
        self.advance(now_ns)
        book = self.book(login)
        return [d for d in book.deals if book.is_visible(d.visible_ns, d.time_ns, now_ns)]

    def history_orders(self, login: int, now_ns: int) -> list[Order]:
        """Finished orders the terminal already shows, oldest first."""
        self.advance(now_ns)
        book = self.book(login)
        return [o for o in book.history if book.is_visible(o.visible_ns, o.time_done_ns, now_ns)]

    def arm(
        self,
        login: int,
        name: str,
        now_ns: int,
        *,
        count: int | None = None,
        rate_ppm: int | None = None,
        params: Params | None = None,
    ) -> None:
        """Switch a fault on (login 0: every account). See ``switchboard.FAULTS``."""
        self.advance(now_ns)
        self.state.switchboard.arm(
            login, name, now_ns=now_ns, count=count, rate_ppm=rate_ppm, params=params
        )
        if name == "disconnected":
            for book in self._scope(login):
                book.freeze(now_ns)

    def clear(self, login: int, now_ns: int, name: str | None = None) -> None:
        """Switch a fault off, or all of a login's faults."""
        self.advance(now_ns)
        board = self.state.switchboard
        before = {
            book.spec.login: board.active(book.spec.login, "disconnected")
            for book in self._scope(login)
        }
        board.clear(login, name)
        for book in self._scope(login):
            params = before[book.spec.login]
            if params is not None and board.active(book.spec.login, "disconnected") is None:
                book.thaw(now_ns, int(params["history_delay_ms"]))

    def _scope(self, login: int) -> list[Book]:
        return list(self.state.books.values()) if login == ALL_LOGINS else [self.book(login)]
