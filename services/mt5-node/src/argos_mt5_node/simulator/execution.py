"""Orders that execute: the depth they find, how filling modes treat the rest, and their deals."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.positions import apply_fill, close_by
from argos_mt5_node.simulator.records import ZERO, Deal, Order, Position, TradeRequest, TradeResult
from argos_mt5_node.simulator.state import BrokerState, Cause
from argos_mt5_node.simulator.symbols import SymbolSpec

Fill = tuple[Decimal, Decimal]
_REASONS = {"expert": c.REASON_EXPERT, "manual": c.REASON_CLIENT, "broker": c.REASON_CLIENT}


def new_order(
    state: BrokerState, book: Book, cause: Cause, request: TradeRequest, now_ns: int
) -> Order:
    """An order with a fresh ticket from a request; not yet in any book."""
    ticket = state.order_ticket()
    spec = state.market.symbols.get(request.symbol)
    price = request.price
    close_ticket = position_id = 0
    if request.action in {c.ACTION_DEAL, c.ACTION_CLOSE_BY}:
        if spec is not None and request.action == c.ACTION_DEAL:
            quote = state.market.quote(spec.name, now_ns)
            price = quote.ask if request.type == c.BUY else quote.bid
        if book.spec.is_hedging and request.position:
            close_ticket = request.position
            position_id = book.positions[close_ticket].identifier
        elif not book.spec.is_hedging:
            held = book.position_on(request.symbol)
            position_id = held.identifier if held is not None else ticket
        else:
            position_id = ticket
    return Order(
        ticket=ticket,
        symbol=request.symbol,
        type=request.type,
        type_filling=request.type_filling,
        type_time=request.type_time,
        expiration=request.expiration,
        state=c.STATE_PLACED,
        magic=request.magic,
        comment=request.comment,
        reason=_REASONS[cause.origin],
        volume_initial=request.volume,
        volume_current=request.volume,
        price_open=price,
        price_stoplimit=request.stoplimit,
        sl=request.sl,
        tp=request.tp,
        position_id=position_id,
        position_by_id=request.position_by,
        time_setup_ns=now_ns,
        time_done_ns=0,
        visible_ns=now_ns,
        close_ticket=close_ticket,
    )


def plan_fills(
    state: BrokerState,
    cause: Cause,
    order: Order,
    now_ns: int,
    limit: Decimal | None = None,
) -> list[Fill]:
    """(volume, price) per level of the book an order would take, best first.

    A ``limit`` caps how far it may go. Less than the order's volume means the book was too thin.
    """
    spec = state.spec(order.symbol)
    quote = state.market.quote(order.symbol, now_ns)
    buying = order.type in c.BUYING
    sign = 1 if buying else -1
    best = (quote.ask_points if buying else quote.bid_points) + sign * cause.slippage_points
    wanted = order.volume_current
    if cause.share_percent < 100:
        steps = wanted * cause.share_percent / 100 / spec.volume_step
        wanted = steps.to_integral_value(ROUND_DOWN) * spec.volume_step
    fills: list[Fill] = []
    for lots, away in _levels(state, cause, spec, wanted):
        price = Decimal(max(1, best + sign * away)).scaleb(-spec.digits)
        if limit is not None and (price > limit if buying else price < limit):
            break
        volume = min(lots, wanted)
        if volume <= 0:
            break
        fills.append((volume, price))
        wanted -= volume
    return fills


def _levels(
    state: BrokerState, cause: Cause, spec: SymbolSpec, wanted: Decimal
) -> tuple[tuple[Decimal, int], ...]:
    thin = state.switchboard.active(cause.login, "thin_book")
    if thin is not None and cause.origin != "broker":
        lots, step = Decimal(str(thin["lots"])), int(thin["step_points"])
        return tuple((lots, level * step) for level in range(int(thin["levels"])))
    return spec.depth or ((wanted, 0),)


def execute(
    state: BrokerState,
    book: Book,
    cause: Cause,
    order: Order,
    fills: list[Fill],
    now_ns: int,
) -> tuple[Order, list[Deal]]:
    """Apply fills to an order; the rest waits (RETURN), is cancelled (IOC) or kills all (FOK)."""
    filled = sum((volume for volume, _ in fills), ZERO)
    short = filled < order.volume_current
    if short and (order.type_filling == c.FOK or (not filled and order.type_filling == c.IOC)):
        done = replace(order, state=c.STATE_REJECTED, time_done_ns=now_ns)
        book.finish_order(done)
        return done, []
    deals = [
        apply_fill(state, book, cause, order, volume, price, now_ns) for volume, price in fills
    ]
    rest = order.volume_current - filled
    position_id = deals[-1].position_id if deals else order.position_id
    order = replace(order, volume_current=rest, position_id=position_id)
    if rest and order.type_filling in {c.RETURN, c.BOC}:
        partial = c.STATE_PARTIAL if rest < order.volume_initial else c.STATE_PLACED
        order = replace(order, state=partial)
        book.put_order(order)
        return order, deals
    order = replace(
        order,
        state=c.STATE_CANCELED if rest else c.STATE_FILLED,
        time_done_ns=now_ns,
        visible_ns=deals[-1].visible_ns,
    )
    book.finish_order(order)
    return order, deals


def market_order(
    state: BrokerState, book: Book, cause: Cause, request: TradeRequest, now_ns: int
) -> TradeResult:
    """Execute a checked DEAL request."""
    order = new_order(state, book, cause, request, now_ns)
    state.note_order(cause, order, now_ns)
    fills = plan_fills(state, cause, order, now_ns)
    done, deals = execute(state, book, cause, order, fills, now_ns)
    if not deals:
        waiting = done.ticket in book.orders
        code = c.PLACED if waiting else c.REJECT
        return state.result(code, request.symbol, now_ns, order=done.ticket)
    filled = sum((deal.volume for deal in deals), ZERO)
    value = sum((deal.volume * deal.price for deal in deals), ZERO)
    digits = state.spec(request.symbol).digits
    return state.result(
        c.DONE if not done.volume_current else c.DONE_PARTIAL,
        request.symbol,
        now_ns,
        order=done.ticket,
        deal=deals[0].ticket,
        volume=filled,
        price=round(value / filled, digits),
    )


def close_by_order(
    state: BrokerState, book: Book, cause: Cause, request: TradeRequest, now_ns: int
) -> TradeResult:
    """Execute a checked CLOSE_BY request."""
    first = book.positions[request.position]
    second = book.positions[request.position_by]
    volume = min(first.volume, second.volume)
    request = replace(request, symbol=first.symbol, type=c.CLOSE_BY, volume=volume)
    order = new_order(state, book, cause, request, now_ns)
    state.note_order(cause, order, now_ns)
    deal, _ = close_by(state, book, cause, order, now_ns)
    done = replace(
        order,
        state=c.STATE_FILLED,
        price_open=deal.price,
        volume_current=ZERO,
        position_by_id=second.identifier,
        time_done_ns=now_ns,
        visible_ns=deal.visible_ns,
    )
    book.finish_order(done)
    return state.result(
        c.DONE,
        first.symbol,
        now_ns,
        order=done.ticket,
        deal=deal.ticket,
        volume=volume,
        price=deal.price,
    )


def broker_close(
    state: BrokerState, book: Book, position: Position, reason: int, comment: str, now_ns: int
) -> Deal:
    """The broker closes a whole position: SL, TP or stop-out. Never short of volume.

    The comment is the broker's; magic is the position's, or 0 if the account says so.
    """
    magic = 0 if book.spec.stop_magic_zero else position.magic
    cause = Cause(
        login=book.spec.login,
        origin="broker",
        received_ns=now_ns,
        action=0,
        magic=magic,
        comment=comment,
    )
    request = TradeRequest(
        action=c.ACTION_DEAL,
        symbol=position.symbol,
        volume=position.volume,
        type=c.SELL if position.type == c.BUY else c.BUY,
        type_filling=c.IOC,
        magic=magic,
        comment=comment,
        position=position.ticket,
    )
    order = replace(new_order(state, book, cause, request, now_ns), reason=reason)
    state.note_order(cause, order, now_ns)
    quote = state.market.quote(position.symbol, now_ns)
    price = quote.bid if position.type == c.BUY else quote.ask
    _, deals = execute(state, book, cause, order, [(position.volume, price)], now_ns)
    return deals[0]
