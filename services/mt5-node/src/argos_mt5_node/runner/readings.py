"""What the node knows of one account from its reads: how it stands, quotes, symbols, the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.ids import Account, OrderId, Symbol
from argos_common.domain.instrument import Instrument
from argos_common.domain.node import AccountFacts
from argos_common.domain.venue import Quote
from argos_common.runtime.clock import Clock

from argos_mt5_node.core import server_time
from argos_mt5_node.core.calls import Answer, Call, Row
from argos_mt5_node.core.numbers import to_decimal
from argos_mt5_node.core.standing import Expected, why_not, wrong_account
from argos_mt5_node.core.translate import candidate, quote_of

CURRENT_NS = 60 * 1_000_000_000
_CANDIDATES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class _Tick:
    row: Row
    moved_monotonic_ns: int
    proven: bool  # it was seen to move


class Readings:
    """Folded from the answers. `symbols` is by the venue's name."""

    def __init__(
        self, account: Account, expected: Expected, symbols: Mapping[str, Symbol], clock: Clock
    ) -> None:
        self.expected = expected
        self.symbols = symbols
        self.offset_ns: int | None = None
        self.specs: dict[str, Row] = {}
        self.instruments: dict[str, Instrument] = {}
        self.candidates: dict[int, OrderId] = {}
        self.reason = "the terminal has not been asked yet"
        self._account = account
        self._clock = clock
        self._ticks: dict[str, _Tick] = {}
        self._equity = self._balance = Decimal(0)
        self._connected_since_ns: int | None = None
        self._life = 0

    # Taking in.

    def look(self) -> tuple[Call, ...]:
        """The calls whose answers `take` wants."""
        return (Call("terminal_info"), Call("account_info"), *self.look_at_ticks())

    def look_at_ticks(self) -> tuple[Call, ...]:
        """The calls whose answers `take_ticks` wants."""
        return tuple(Call("symbol_info_tick", (name,)) for name in self.symbols)

    def take(self, answers: list[Answer], life: int) -> None:
        """The answers to `look`."""
        terminal, account, *ticks = answers
        self.take_standing(terminal.row, account.row, life)
        if not wrong_account(account.row, self.expected):
            self.take_ticks(ticks)

    def take_ticks(self, answers: list[Answer]) -> None:
        """The answers to `look_at_ticks`, from the right account."""
        for name, answer in zip(self.symbols, answers, strict=True):
            if answer.row is not None and answer.row["time_msc"]:
                self._take_tick(name, answer.row)

    def take_standing(self, terminal: Row | None, account: Row | None, life: int) -> None:
        """`life` is the terminal's: how long it was connected before is not known."""
        self.reason = why_not(terminal, account, self.expected)
        if life != self._life:
            self._life, self._connected_since_ns = life, None
        if terminal is None or not terminal["connected"]:
            self._connected_since_ns = None
        elif self._connected_since_ns is None:
            self._connected_since_ns = self._clock.monotonic_ns()
        if account is not None and not wrong_account(account, self.expected):
            self._equity = to_decimal(account["equity"])
            self._balance = to_decimal(account["balance"])

    def _take_tick(self, name: str, row: Row) -> None:
        known = self._ticks.get(name)
        now_ns = self._clock.monotonic_ns()
        if known is None:
            self._ticks[name] = _Tick(row, now_ns, proven=False)
        elif row["time_msc"] != known.row["time_msc"]:
            offset = server_time.offset_of(
                known.row["time_msc"], row["time_msc"], self._clock.now_ns()
            )
            if offset is not None:
                self.offset_ns = offset
            self._ticks[name] = _Tick(row, now_ns, proven=True)

    def lost(self, reason: str) -> None:
        """The terminal did not answer."""
        self.reason = reason
        self._connected_since_ns = None

    def remember(self, order_id: OrderId) -> None:
        """A magic number may from now on be taken for this order's."""
        self.candidates[candidate(order_id)] = order_id
        if len(self.candidates) > _CANDIDATES_MAX:
            del self.candidates[next(iter(self.candidates))]

    # Giving out.

    def connected_for_ns(self) -> int:
        """How long the broker has been connected without a break that was seen; -1: it is not."""
        if self._connected_since_ns is None:
            return -1
        return self._clock.monotonic_ns() - self._connected_since_ns

    def is_current(self) -> bool:
        """Whether a quote has moved within the last minute, so that the server's clock runs."""
        now_ns = self._clock.monotonic_ns()
        return any(
            tick.proven and now_ns - tick.moved_monotonic_ns < CURRENT_NS
            for tick in self._ticks.values()
        )

    def server_ns(self) -> int:
        """UTC of the newest tick, which is as far as the server's clock is known to be; 0: none."""
        newest = max((tick.row["time_msc"] for tick in self._ticks.values()), default=0)
        return server_time.to_utc_ns(newest, self.offset_ns or 0) if newest else 0

    def tick(self, name: str) -> Row | None:
        known = self._ticks.get(name)
        return known.row if known is not None else None

    def facts(self) -> AccountFacts:
        quotes = (self._quote(name, symbol) for name, symbol in self.symbols.items())
        return AccountFacts(
            account=self._account,
            kind=self.expected.kind,
            node_time_ns=self._clock.now_ns(),
            ready=not self.not_ready(),
            reason=self.not_ready(),
            currency=self.expected.currency,
            equity=self._equity,
            balance=self._balance,
            quotes=tuple(quote for quote in quotes if quote is not None),
            instruments=tuple(self.instruments.values()),
        )

    def not_ready(self) -> str:
        """Why no order should come now; empty if it may."""
        if self.reason:
            return self.reason
        if self.offset_ns is None:
            return "no quote has moved yet, so the broker's clock is not known"
        missing = [name for name in self.symbols if name not in self.instruments]
        return f"the terminal does not describe {', '.join(missing)}" if missing else ""

    def _quote(self, name: str, symbol: Symbol) -> Quote | None:
        tick = self._ticks.get(name)
        if tick is None or not tick.proven:
            return None  # nobody knows how old it is
        return quote_of(tick.row, symbol, self._clock.monotonic_ns() - tick.moved_monotonic_ns)
