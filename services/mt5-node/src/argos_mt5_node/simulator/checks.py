"""Why the trade server refuses a request. Each check answers a retcode, or 0 to go on."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.market import Quote
from argos_mt5_node.simulator.records import ZERO, Order, Position, TradeRequest
from argos_mt5_node.simulator.state import BrokerState
from argos_mt5_node.simulator.symbols import SymbolSpec
from argos_mt5_node.simulator.valuation import margin, standing

OK = 0
_LIMITS = frozenset({c.BUY_LIMIT, c.SELL_LIMIT})
_STOP_LIMITS = frozenset({c.BUY_STOP_LIMIT, c.SELL_STOP_LIMIT})


def check(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> int:
    """The retcode with which a request is refused, or 0."""
    numbers = (request.volume, request.price, request.stoplimit, request.sl, request.tp)
    if not all(number.is_finite() and number >= 0 for number in numbers):
        return c.INVALID
    handler = _HANDLERS.get(request.action)
    return c.INVALID if handler is None else handler(state, book, request, now_ns)


def _known_symbol(state: BrokerState, book: Book, symbol: str) -> SymbolSpec | None:
    if book.spec.symbols and symbol not in book.spec.symbols:
        return None
    return state.market.symbols.get(symbol)


def _on_grid(spec: SymbolSpec, *prices: Decimal) -> bool:
    return all(price == round(price, spec.digits) for price in prices)


def check_volume(spec: SymbolSpec, volume: Decimal) -> int:
    """Volume must be min + k steps and at most max."""
    if not spec.volume_min <= volume <= spec.volume_max:
        return c.INVALID_VOLUME
    return c.INVALID_VOLUME if (volume - spec.volume_min) % spec.volume_step else OK


def _check_deal(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> int:
    spec = _known_symbol(state, book, request.symbol)
    if spec is None:
        return c.INVALID
    if request.type not in {c.BUY, c.SELL}:
        return c.INVALID_ORDER
    if not state.market.is_open(spec.name, now_ns):
        return c.MARKET_CLOSED
    closing: Position | None = None
    if book.spec.is_hedging and request.position:
        closing = book.positions.get(request.position)
        if closing is None:
            return c.POSITION_CLOSED
        if closing.symbol != request.symbol or closing.type == request.type:
            return c.INVALID
    code = check_volume(spec, request.volume) or _check_filling(spec, request)
    if code:
        return code
    if closing is not None and request.volume > closing.volume:
        return c.INVALID_CLOSE_VOLUME
    quote = state.market.quote(spec.name, now_ns)
    code = _check_trade_mode(book, spec, request, closing) or _check_price(spec, request, quote)
    if code:
        return code
    if closing is not None:
        return c.FROZEN if _is_frozen(spec, closing, quote) else OK
    base = quote.bid if request.type == c.BUY else quote.ask
    return _check_stops(spec, request.type == c.BUY, base, request.sl, request.tp) or _check_room(
        state, book, spec, request, now_ns
    )


def _check_filling(spec: SymbolSpec, request: TradeRequest) -> int:
    filling = request.type_filling
    pending = request.action == c.ACTION_PENDING
    if filling == c.RETURN:
        allowed = pending or spec.exemode == c.EXECUTION_EXCHANGE
    elif filling == c.BOC:
        allowed = request.type in _LIMITS | _STOP_LIMITS and bool(
            spec.filling_mode & c.FILLING_BOC_BIT
        )
    elif spec.exemode in {c.EXECUTION_INSTANT, c.EXECUTION_REQUEST} and not pending:
        allowed = filling == c.FOK
    elif filling in {c.FOK, c.IOC}:
        bit = c.FILLING_FOK_BIT if filling == c.FOK else c.FILLING_IOC_BIT
        allowed = bool(spec.filling_mode & bit)
    else:
        allowed = False
    return OK if allowed else c.INVALID_FILL


def _check_trade_mode(
    book: Book, spec: SymbolSpec, request: TradeRequest, closing: Position | None
) -> int:
    mode = spec.trade_mode
    if mode == c.TRADE_MODE_FULL:
        return OK
    if mode == c.TRADE_MODE_DISABLED:
        return c.TRADE_DISABLED
    buying = request.type in c.BUYING
    held = closing if book.spec.is_hedging else book.position_on(request.symbol)
    if held is not None and (held.type == c.BUY) != buying and request.volume <= held.volume:
        return OK
    if mode == c.TRADE_MODE_CLOSEONLY:
        return c.CLOSE_ONLY
    if mode == c.TRADE_MODE_LONGONLY:
        return OK if buying else c.LONG_ONLY
    return c.SHORT_ONLY if buying else OK


def _check_price(spec: SymbolSpec, request: TradeRequest, quote: Quote) -> int:
    """Request and Instant execution fill at the asked price, or requote beyond the deviation."""
    if spec.exemode in {c.EXECUTION_MARKET, c.EXECUTION_EXCHANGE}:
        return OK
    if not request.price or not _on_grid(spec, request.price):
        return c.INVALID_PRICE
    market = quote.ask if request.type == c.BUY else quote.bid
    away = abs(market - request.price) / spec.point
    return c.REQUOTE if away > request.deviation else OK


def _check_stops(spec: SymbolSpec, buying: bool, base: Decimal, sl: Decimal, tp: Decimal) -> int:  # noqa: FBT001 - side of one order
    if not _on_grid(spec, sl, tp):
        return c.INVALID_STOPS
    least = max(1, spec.stops_level) * spec.point
    sign = 1 if buying else -1
    if sl and (base - sl) * sign < least:
        return c.INVALID_STOPS
    return c.INVALID_STOPS if tp and (tp - base) * sign < least else OK


def _check_room(
    state: BrokerState, book: Book, spec: SymbolSpec, request: TradeRequest, now_ns: int
) -> int:
    """Limits of volume, positions and money for what a fill would add."""
    held = book.exposure.get(spec.name)
    buying = request.type in c.BUYING
    buy = held.buy_lots if held else ZERO
    sell = held.sell_lots if held else ZERO
    before = max(buy, sell)
    if book.spec.is_hedging:
        after = max(buy + request.volume, sell) if buying else max(buy, sell + request.volume)
    else:
        after = abs(buy - sell + (request.volume if buying else -request.volume))
    same_side = (buy if buying else sell) + request.volume
    if spec.volume_limit and same_side > spec.volume_limit:
        return c.LIMIT_VOLUME
    if book.spec.limit_positions and len(book.positions) >= book.spec.limit_positions:
        return c.LIMIT_POSITIONS
    if after <= before:
        return OK
    needed = margin(state.market, book, spec, after - before, now_ns)
    return c.NO_MONEY if needed > standing(state.market, book, now_ns).free else OK


def _is_frozen(spec: SymbolSpec, position: Position, quote: Quote) -> bool:
    if not spec.freeze_level:
        return False
    price = quote.bid if position.type == c.BUY else quote.ask
    near = spec.freeze_level * spec.point
    return any(level and abs(price - level) <= near for level in (position.sl, position.tp))


def _is_order_frozen(spec: SymbolSpec, order: Order, quote: Quote) -> bool:
    if not spec.freeze_level:
        return False
    price = quote.ask if order.type in c.BUYING else quote.bid
    return abs(price - order.price_open) <= spec.freeze_level * spec.point


def _check_pending(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> int:
    spec = _known_symbol(state, book, request.symbol)
    if spec is None:
        return c.INVALID
    if not c.BUY_LIMIT <= request.type <= c.SELL_STOP_LIMIT:
        return c.INVALID_ORDER
    if not state.market.is_open(spec.name, now_ns):
        return c.MARKET_CLOSED
    code = (
        check_volume(spec, request.volume)
        or _check_filling(spec, request)
        or _check_trade_mode(book, spec, request, None)
    )
    if code:
        return code
    if book.spec.limit_orders and len(book.orders) >= book.spec.limit_orders:
        return c.LIMIT_ORDERS
    return check_levels(state, spec, request, now_ns)


def check_levels(state: BrokerState, spec: SymbolSpec, request: TradeRequest, now_ns: int) -> int:
    """Prices, stops and expiry of a pending order, placed or modified."""
    quote = state.market.quote(spec.name, now_ns)
    buying = request.type in c.BUYING
    market = quote.ask if buying else quote.bid
    below = request.type in {c.BUY_LIMIT, c.SELL_STOP, c.SELL_STOP_LIMIT}
    away = market - request.price if below else request.price - market
    if not request.price or not _on_grid(spec, request.price, request.stoplimit):
        return c.INVALID_PRICE
    if away < max(1, spec.stops_level) * spec.point:
        return c.INVALID_PRICE
    base = request.price
    if request.type in _STOP_LIMITS:
        base = request.stoplimit
        wrong = base >= request.price if buying else base <= request.price
        if not base or wrong:
            return c.INVALID_PRICE
    if request.type_time in {c.TIME_SPECIFIED, c.TIME_SPECIFIED_DAY}:
        if request.expiration <= state.market.clock.server_s(now_ns):
            return c.INVALID_EXPIRATION
    elif request.type_time not in {c.TIME_GTC, c.TIME_DAY}:
        return c.INVALID_EXPIRATION
    return _check_stops(spec, buying, base, request.sl, request.tp)


def find_position(book: Book, request: TradeRequest) -> Position | None:
    """The position an SLTP request means: by ticket, or by symbol when netting."""
    if request.position:
        return book.positions.get(request.position)
    return None if book.spec.is_hedging else book.position_on(request.symbol)


def _check_sltp(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> int:
    position = find_position(book, request)
    if position is None:
        return c.POSITION_CLOSED
    if request.symbol and request.symbol != position.symbol:
        return c.INVALID
    if (request.sl, request.tp) == (position.sl, position.tp):
        return c.NO_CHANGES
    spec = state.spec(position.symbol)
    quote = state.market.quote(spec.name, now_ns)
    if _is_frozen(spec, position, quote):
        return c.FROZEN
    base = quote.bid if position.type == c.BUY else quote.ask
    return _check_stops(spec, position.type == c.BUY, base, request.sl, request.tp)


def _check_modify(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> int:
    order = book.orders.get(request.order)
    if order is None or order.type < c.BUY_LIMIT:
        return c.INVALID
    spec = state.spec(order.symbol)
    if _is_order_frozen(spec, order, state.market.quote(spec.name, now_ns)):
        return c.FROZEN
    asked = (request.price, request.sl, request.tp, request.type_time, request.expiration)
    if asked == (order.price_open, order.sl, order.tp, order.type_time, order.expiration) and (
        request.stoplimit in {ZERO, order.price_stoplimit}
    ):
        return c.NO_CHANGES
    merged = TradeRequest(
        symbol=order.symbol,
        type=order.type,
        price=request.price,
        stoplimit=request.stoplimit or order.price_stoplimit,
        sl=request.sl,
        tp=request.tp,
        type_time=request.type_time,
        expiration=request.expiration,
    )
    return check_levels(state, spec, merged, now_ns)


def _check_remove(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> int:
    order = book.orders.get(request.order)
    if order is None:
        return c.INVALID
    spec = state.spec(order.symbol)
    quote = state.market.quote(spec.name, now_ns)
    return c.FROZEN if _is_order_frozen(spec, order, quote) else OK


def _check_close_by(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> int:
    if not book.spec.is_hedging:
        return c.INVALID
    first = book.positions.get(request.position)
    second = book.positions.get(request.position_by)
    if first is None or second is None:
        return c.POSITION_CLOSED
    if first.symbol != second.symbol or first.type == second.type:
        return c.INVALID
    return OK if state.market.is_open(first.symbol, now_ns) else c.MARKET_CLOSED


_HANDLERS: dict[int, Callable[[BrokerState, Book, TradeRequest, int], int]] = {
    c.ACTION_DEAL: _check_deal,
    c.ACTION_PENDING: _check_pending,
    c.ACTION_SLTP: _check_sltp,
    c.ACTION_MODIFY: _check_modify,
    c.ACTION_REMOVE: _check_remove,
    c.ACTION_CLOSE_BY: _check_close_by,
}
