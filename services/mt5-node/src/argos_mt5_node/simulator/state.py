"""What the parts of the broker share: market, books, faults, tickets, record, scheduled work."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from argos_common.domain.times import NS_PER_MS

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.market import Market
from argos_mt5_node.simulator.prng import Prng
from argos_mt5_node.simulator.records import (
    ZERO,
    BrokerEntry,
    Deal,
    Order,
    Origin,
    TradeRequest,
    TradeResult,
)
from argos_mt5_node.simulator.switchboard import Switchboard
from argos_mt5_node.simulator.symbols import AccountSpec, SymbolSpec


@dataclass(frozen=True, slots=True, order=True)
class Scheduled:
    """A request that will be executed later. Ordered by due time, then by arrival."""

    due_ns: int
    serial: int
    login: int
    received_ns: int
    request: TradeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something is executed: who asked, when it arrived, and with which faults."""

    login: int
    origin: Origin
    received_ns: int
    action: int
    magic: int = 0
    comment: str = ""
    share_percent: int = 100
    slippage_points: int = 0


class BrokerState:
    """Mutable state of the whole broker."""

    def __init__(self, market: Market, accounts: Sequence[AccountSpec], prng: Prng) -> None:
        """Books without the opening deposit; ``SimulatedBroker`` makes it."""
        self.market = market
        self.prng = prng
        self.switchboard = Switchboard(prng)
        self.books = {spec.login: Book(spec) for spec in sorted(accounts, key=lambda a: a.login)}
        self.record: list[BrokerEntry] = []
        self.scheduled: list[Scheduled] = []
        self.next_order = 50_000_001
        self.next_deal = 40_000_001
        self.next_request = 1
        self.serial = 0
        self.last_index = -1
        self.last_day = 0

    def order_ticket(self) -> int:
        """The next order ticket, unique in the broker."""
        self.next_order += 1
        return self.next_order - 1

    def deal_ticket(self) -> int:
        """The next deal ticket, unique in the broker."""
        self.next_deal += 1
        return self.next_deal - 1

    def schedule(self, due_ns: int, login: int, received_ns: int, request: TradeRequest) -> None:
        """Execute a request at an instant to come."""
        self.serial += 1
        item = Scheduled(due_ns, self.serial, login, received_ns, request)
        heapq.heappush(self.scheduled, item)

    def visible_ns(self, book: Book, now_ns: int) -> int:
        """When the terminal will see what happens now."""
        lag = self.switchboard.active(book.spec.login, "deal_lag")
        if lag is not None:
            return now_ns + self.switchboard.between(lag) * NS_PER_MS
        low, high = book.spec.deal_lag_ms
        if high <= 0:
            return now_ns
        return now_ns + (low + self.prng.below(high - low + 1)) * NS_PER_MS

    def spec(self, symbol: str) -> SymbolSpec:
        """Specification of a known symbol."""
        return self.market.symbols[symbol]

    def result(
        self,
        retcode: int,
        symbol: str = "",
        now_ns: int = 0,
        *,
        order: int = 0,
        deal: int = 0,
        volume: Decimal = ZERO,
        price: Decimal = ZERO,
    ) -> TradeResult:
        """An answer with the quotes of the moment; the request number is set on sending."""
        bid = ask = ZERO
        if symbol in self.market.symbols and now_ns:
            quote = self.market.quote(symbol, now_ns)
            bid, ask = quote.bid, quote.ask
        return TradeResult(
            retcode=retcode,
            deal=deal,
            order=order,
            volume=volume,
            price=price,
            bid=bid,
            ask=ask,
            comment=c.RETCODE_TEXT.get(retcode, f"Retcode {retcode}"),
        )

    def note_request(
        self, cause: Cause, request: TradeRequest, result: TradeResult, now_ns: int
    ) -> None:
        """Record that a request reached the broker and what truly became of it."""
        self._note(
            "request",
            cause,
            now_ns,
            retcode=result.retcode,
            order=result.order,
            deal=result.deal,
            position_id=request.position,
            symbol=request.symbol,
            kind_type=request.type,
            volume=request.volume,
            price=result.price,
        )

    def note_order(self, cause: Cause, order: Order, now_ns: int) -> None:
        """Record an accepted order."""
        self._note(
            "order",
            cause,
            now_ns,
            order=order.ticket,
            position_id=order.position_id,
            symbol=order.symbol,
            kind_type=order.type,
            reason=order.reason,
            volume=order.volume_initial,
            price=order.price_open,
            stored=order.comment,
        )

    def note_deal(self, cause: Cause, deal: Deal) -> None:
        """Record an execution."""
        self._note(
            "deal",
            cause,
            deal.time_ns,
            order=deal.order,
            deal=deal.ticket,
            position_id=deal.position_id,
            symbol=deal.symbol,
            kind_type=deal.type,
            entry=deal.entry,
            reason=deal.reason,
            volume=deal.volume,
            price=deal.price,
            stored=deal.comment,
        )

    def _note(  # noqa: PLR0913 - one line of the record, every column named
        self,
        kind: Literal["request", "order", "deal"],
        cause: Cause,
        now_ns: int,
        *,
        symbol: str,
        kind_type: int,
        volume: Decimal,
        price: Decimal,
        order: int = 0,
        deal: int = 0,
        position_id: int = 0,
        retcode: int = 0,
        entry: int = 0,
        reason: int = 0,
        stored: str = "",
    ) -> None:
        self.record.append(
            BrokerEntry(
                seq=len(self.record) + 1,
                kind=kind,
                login=cause.login,
                origin=cause.origin,
                time_ns=now_ns,
                received_ns=cause.received_ns,
                action=cause.action,
                retcode=retcode,
                order=order,
                deal=deal,
                position_id=position_id,
                symbol=symbol,
                type=kind_type,
                entry=entry,
                reason=reason,
                volume=volume,
                price=price,
                magic=cause.magic,
                comment=cause.comment,
                comment_stored=stored,
            )
        )
