"""What a tick sets off: stops, targets, pending orders, expiry, stop-out, the nightly swap.

Per symbol, a watch keeps the quotes outside of which anything can happen, so that a quiet tick
costs four comparisons however many positions there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.execution import broker_close, execute, plan_fills
from argos_mt5_node.simulator.intake import cancel
from argos_mt5_node.simulator.market import Quote
from argos_mt5_node.simulator.records import Order, Origin, Position
from argos_mt5_node.simulator.state import BrokerState, Cause
from argos_mt5_node.simulator.symbols import DAY_S, SymbolSpec
from argos_mt5_node.simulator.valuation import cents, position_profit, rate, standing

_NEVER = 1 << 62


@dataclass(slots=True)
class Watch:
    """Something happens at bid <= bid_low, bid >= bid_high, ask <= ask_low or ask >= ask_high."""

    bid_low: int = -1
    bid_high: int = _NEVER
    ask_low: int = -1
    ask_high: int = _NEVER

    def hit(self, quote: Quote) -> bool:
        """Whether the quote reaches any level."""
        return (
            quote.bid_points <= self.bid_low
            or quote.bid_points >= self.bid_high
            or quote.ask_points <= self.ask_low
            or quote.ask_points >= self.ask_high
        )


def refresh_watches(state: BrokerState, watches: dict[str, Watch]) -> None:
    """Recompute the watches of symbols whose positions or orders changed."""
    stale: dict[str, None] = {}
    for book in state.books.values():
        if book.stale_symbols:
            stale.update(book.stale_symbols)
            book.stale_symbols.clear()
    for symbol in stale:
        watch = _watch(state, symbol)
        if watch == Watch():
            watches.pop(symbol, None)
        else:
            watches[symbol] = watch


def _watch(state: BrokerState, symbol: str) -> Watch:
    watch = Watch()
    point = state.spec(symbol).point
    for book in state.books.values():
        for position in book.positions.values():
            if position.symbol == symbol:
                low, high = position.sl, position.tp
                buying = position.type == c.BUY
                if not buying:
                    low, high = high, low
                _narrow(watch, low / point, high / point, on_bid=buying)
        for order in book.orders.values():
            if order.symbol == symbol:
                below, level = _activation(order)
                price = level / point
                low, high = (price, Decimal(0)) if below else (Decimal(0), price)
                _narrow(watch, low, high, on_bid=order.type not in c.BUYING)
    return watch


def _narrow(watch: Watch, low: Decimal, high: Decimal, *, on_bid: bool) -> None:
    if on_bid:
        watch.bid_low = max(watch.bid_low, int(low) if low else -1)
        watch.bid_high = min(watch.bid_high, int(high) if high else _NEVER)
    else:
        watch.ask_low = max(watch.ask_low, int(low) if low else -1)
        watch.ask_high = min(watch.ask_high, int(high) if high else _NEVER)


def _activation(order: Order) -> tuple[bool, Decimal]:
    """(fires at or below, level); market remainders fire at any price."""
    if order.type in {c.BUY, c.SELL}:
        return True, Decimal(_NEVER)
    return order.type in {c.BUY_LIMIT, c.SELL_STOP, c.SELL_STOP_LIMIT}, order.price_open


def run_tick(state: BrokerState, watches: dict[str, Watch], now_ns: int) -> None:
    """Evaluate one tick of every watched symbol."""
    for symbol in list(watches):
        watch = watches.get(symbol)
        if watch is None or not state.market.is_open(symbol, now_ns):
            continue
        quote = state.market.quote(symbol, now_ns)
        if watch.hit(quote):
            _fire(state, symbol, quote, now_ns)
            refresh_watches(state, watches)


def _fire(state: BrokerState, symbol: str, quote: Quote, now_ns: int) -> None:
    spec = state.spec(symbol)
    for book in state.books.values():
        for position in list(book.positions.values()):
            if position.symbol == symbol and position.ticket in book.positions:
                _fire_position(state, book, spec, position, quote, now_ns)
        for order in list(book.orders.values()):
            if order.symbol == symbol and order.ticket in book.orders:
                _fire_order(state, book, order, quote, now_ns)


def _fire_position(
    state: BrokerState,
    book: Book,
    spec: SymbolSpec,
    position: Position,
    quote: Quote,
    now_ns: int,
) -> None:
    if position.type == c.BUY:
        stopped = position.sl and quote.bid <= position.sl
        reached = position.tp and quote.bid >= position.tp
    else:
        stopped = position.sl and quote.ask >= position.sl
        reached = position.tp and quote.ask <= position.tp
    if stopped:
        text = f"[sl {position.sl:.{spec.digits}f}]"
        broker_close(state, book, position, c.REASON_SL, text, now_ns)
    elif reached:
        text = f"[tp {position.tp:.{spec.digits}f}]"
        broker_close(state, book, position, c.REASON_TP, text, now_ns)


def _fire_order(state: BrokerState, book: Book, order: Order, quote: Quote, now_ns: int) -> None:
    buying = order.type in c.BUYING
    price = quote.ask if buying else quote.bid
    below, level = _activation(order)
    if not (price <= level if below else price >= level):
        return
    if order.type in {c.BUY_STOP_LIMIT, c.SELL_STOP_LIMIT}:
        limit_type = c.BUY_LIMIT if buying else c.SELL_LIMIT
        book.put_order(
            replace(order, type=limit_type, price_open=order.price_stoplimit, triggered=True)
        )
        return
    if standing(state.market, book, now_ns).free <= 0 and not order.close_ticket:
        cancel(book, order, c.STATE_REJECTED, now_ns)
        return
    origin: Origin = "manual" if order.reason == c.REASON_CLIENT else "expert"
    cause = Cause(
        login=book.spec.login,
        origin=origin,
        received_ns=order.time_setup_ns,
        action=c.ACTION_PENDING,
        magic=order.magic,
        comment=order.comment,
    )
    if order.close_ticket and not _can_close(book, order):
        cancel(book, order, c.STATE_CANCELED, now_ns)
        return
    limit = order.price_open if order.type in {c.BUY_LIMIT, c.SELL_LIMIT} else None
    fills = plan_fills(state, cause, order, now_ns, limit)
    execute(state, book, cause, order, fills, now_ns)


def _can_close(book: Book, order: Order) -> bool:
    """A closing remainder must never turn into a new position."""
    held = book.positions.get(order.close_ticket)
    return held is not None and held.volume >= order.volume_current


def run_second(state: BrokerState, now_ns: int) -> None:
    """Evaluate what need not be looked at on every tick: expiry and stop-out."""
    clock = state.market.clock
    for book in state.books.values():
        for order in list(book.orders.values()):
            if _has_expired(order, clock.server_s(now_ns), clock.day(order.time_setup_ns)):
                cancel(book, order, c.STATE_EXPIRED, now_ns)
        if book.positions:
            _stop_out(state, book, now_ns)


def _has_expired(order: Order, server_s: int, setup_day: int) -> bool:
    if order.type_time == c.TIME_DAY:
        return server_s // DAY_S > setup_day
    if order.type_time == c.TIME_SPECIFIED:
        return server_s >= order.expiration
    if order.type_time == c.TIME_SPECIFIED_DAY:
        return server_s // DAY_S > order.expiration // DAY_S
    return False


def _stop_out(state: BrokerState, book: Book, now_ns: int) -> None:
    """Close the worst position until the margin level is above the limit again."""
    while book.positions:
        now = standing(state.market, book, now_ns)
        if not now.margin or now.level >= book.spec.stop_out_percent:
            return
        open_now = [p for p in book.positions.values() if state.market.is_open(p.symbol, now_ns)]
        if not open_now:
            return
        currency = book.spec.currency
        worst = min(
            open_now,
            key=lambda p: (position_profit(state.market, currency, p, now_ns)[1], p.ticket),
        )
        broker_close(state, book, worst, c.REASON_SO, f"[so {now.level:.2f}%]", now_ns)


def rollover(state: BrokerState, book: Book, now_ns: int, *, reopen: bool) -> None:
    """Charge one night's swap on every position; ``reopen`` gives each a new ticket."""
    market = state.market
    for position in list(book.positions.values()):
        spec = state.spec(position.symbol)
        points = spec.swap_long if position.type == c.BUY else spec.swap_short
        amount = points * spec.point * spec.contract_size * position.volume
        amount *= rate(market, spec.profit_currency, book.spec.currency, now_ns)
        changed = replace(position, swap=position.swap + cents(amount))
        if reopen:
            book.drop_position(position.ticket)
            changed = replace(changed, ticket=state.order_ticket())
        book.put_position(changed)
