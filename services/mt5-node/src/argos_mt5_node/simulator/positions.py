"""How a fill changes positions: hedging, netting, and closing by an opposite position.

Hedging: a fill opens (or adds to) the position named by its own order, or reduces the position
its order closes. Netting: one position per symbol; an opposite fill reduces, flattens or reverses
it. A reversal keeps the identifier and takes the ticket of the reversing order.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.records import ZERO, Deal, Order, Position
from argos_mt5_node.simulator.state import BrokerState, Cause
from argos_mt5_node.simulator.valuation import cents, profit

_AVERAGE = Decimal("0.00000001")


def apply_fill(
    state: BrokerState,
    book: Book,
    cause: Cause,
    order: Order,
    volume: Decimal,
    price: Decimal,
    now_ns: int,
) -> Deal:
    """Execute a volume of an order at a price: change the position, add the deal, record it."""
    side = c.BUY if order.type in c.BUYING else c.SELL
    if not book.spec.is_hedging:
        held = book.position_on(order.symbol)
    elif order.close_ticket:
        held = book.positions[order.close_ticket]
    else:
        held = book.positions.get(order.ticket)
    visible_ns = state.visible_ns(book, now_ns)
    if held is None:
        _open(book, order, order.ticket, order.ticket, side, volume, price, now_ns, visible_ns)
        return _deal(
            state, book, cause, order, c.ENTRY_IN, order.ticket, volume, price, now_ns, visible_ns
        )
    if held.type == side:
        _increase(book, held, order, volume, price, now_ns, visible_ns)
        return _deal(
            state,
            book,
            cause,
            order,
            c.ENTRY_IN,
            held.identifier,
            volume,
            price,
            now_ns,
            visible_ns,
        )
    closing = min(volume, held.volume)
    gain, swap = _reduce(state, book, held, closing, price, now_ns, visible_ns)
    entry = c.ENTRY_OUT
    if volume > closing:
        entry = c.ENTRY_INOUT
        rest = volume - closing
        _open(book, order, order.ticket, held.identifier, side, rest, price, now_ns, visible_ns)
    return _deal(
        state,
        book,
        cause,
        order,
        entry,
        held.identifier,
        volume,
        price,
        now_ns,
        visible_ns,
        gain=gain,
        swap=swap,
    )


def close_by(
    state: BrokerState,
    book: Book,
    cause: Cause,
    order: Order,
    now_ns: int,
) -> tuple[Deal, Deal]:
    """Close ``close_ticket`` by the opposite ``position_by_id``: two OUT_BY deals.

    Both are priced at the opposite position's opening price, so the first carries the result.
    """
    first = book.positions[order.close_ticket]
    second = book.positions[order.position_by_id]
    volume = min(first.volume, second.volume)
    visible_ns = state.visible_ns(book, now_ns)
    deals: list[Deal] = []
    for held in (first, second):
        price = second.price_open
        gain, swap = _reduce(state, book, held, volume, price, now_ns, visible_ns)
        leg = replace(order, type=c.SELL if held.type == c.BUY else c.BUY)
        deals.append(
            _deal(
                state,
                book,
                cause,
                leg,
                c.ENTRY_OUT_BY,
                held.identifier,
                volume,
                price,
                now_ns,
                visible_ns,
                gain=gain,
                swap=swap,
            )
        )
    return deals[0], deals[1]


def _open(  # noqa: PLR0913 - one new position
    book: Book,
    order: Order,
    ticket: int,
    identifier: int,
    side: int,
    volume: Decimal,
    price: Decimal,
    now_ns: int,
    visible_ns: int,
) -> None:
    position = Position(
        ticket=ticket,
        identifier=identifier,
        symbol=order.symbol,
        type=side,
        magic=order.magic,
        comment=order.comment,
        reason=order.reason,
        volume=volume,
        price_open=price,
        sl=order.sl,
        tp=order.tp,
        swap=ZERO,
        time_ns=now_ns,
        time_update_ns=now_ns,
    )
    book.put_position(position, visible_ns if visible_ns > now_ns else 0)


def _increase(
    book: Book,
    held: Position,
    order: Order,
    volume: Decimal,
    price: Decimal,
    now_ns: int,
    visible_ns: int,
) -> None:
    total = held.volume + volume
    average = (held.price_open * held.volume + price * volume) / total
    position = replace(
        held,
        volume=total,
        price_open=average.quantize(_AVERAGE, ROUND_HALF_EVEN),
        sl=order.sl or held.sl,
        tp=order.tp or held.tp,
        time_update_ns=now_ns,
    )
    book.put_position(position, visible_ns if visible_ns > now_ns else 0)


def _reduce(
    state: BrokerState,
    book: Book,
    held: Position,
    volume: Decimal,
    price: Decimal,
    now_ns: int,
    visible_ns: int,
) -> tuple[Decimal, Decimal]:
    """Take a volume off a position; returns its (profit, share of the swap)."""
    lag_ns = visible_ns if visible_ns > now_ns else 0
    gain = profit(
        state.market,
        state.spec(held.symbol),
        book.spec.currency,
        held.type,
        volume,
        held.price_open,
        price,
        now_ns,
    )
    if volume == held.volume:
        book.drop_position(held.ticket, lag_ns)
        return gain, held.swap
    swap = cents(held.swap * volume / held.volume)
    rest = replace(held, volume=held.volume - volume, swap=held.swap - swap, time_update_ns=now_ns)
    book.put_position(rest, lag_ns)
    return gain, swap


def _deal(  # noqa: PLR0913 - one deal
    state: BrokerState,
    book: Book,
    cause: Cause,
    order: Order,
    entry: int,
    position_id: int,
    volume: Decimal,
    price: Decimal,
    now_ns: int,
    visible_ns: int,
    *,
    gain: Decimal = ZERO,
    swap: Decimal = ZERO,
) -> Deal:
    deal = Deal(
        ticket=state.deal_ticket(),
        order=order.ticket,
        symbol=order.symbol,
        type=c.BUY if order.type in c.BUYING else c.SELL,
        entry=entry,
        magic=order.magic,
        position_id=position_id,
        reason=order.reason,
        volume=volume,
        price=price,
        commission=-cents(book.spec.commission_per_lot * volume),
        swap=swap,
        profit=gain,
        fee=-book.spec.fee_per_deal,
        comment=order.comment,
        time_ns=now_ns,
        visible_ns=visible_ns,
    )
    book.add_deal(deal)
    state.note_deal(cause, deal)
    return deal
