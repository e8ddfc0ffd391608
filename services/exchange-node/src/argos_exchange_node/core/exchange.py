"""The rules of the paper spot venue.

1. An order to buy or sell is executed at once and whole: a buy at the ask, a sell at the bid. It
   is refused if it is not on the step, or the account does not hold what it needs. Nothing can be
   sold that is not held.
2. The client's order id must differ from those of the *open* orders only. After a fill it may come
   again and is executed again, as on real exchanges: it is no protection against sending twice.
3. A fee is taken in the quote asset, or, on a buy at a venue of the other habit, in the base asset:
   then less is received than was bought.
4. A buy may carry a stop and a target. They become one protective order for what was received,
   rounded down to the step; it sells at the bid once that is at the stop or below, or at the
   target or above. It locks nothing: it sells what is still held at that moment, at most.
5. A sell takes its quantity off the protective orders of its market, the oldest first, so that what
   is sold is not protected, and sold, again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum

from argos_common.domain.money import down_to_step, plain
from argos_common.domain.order import RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.venue import DealReason

from argos_exchange_node.core.books import (
    Books,
    Execution,
    OrderKind,
    OrderStatus,
    PaperOrder,
    PaperTrade,
)
from argos_exchange_node.core.market import Market, Touch

PROTECTIVE_MARK = "s"
"""Behind the client's id on the protective order that came with an entry."""


class FeeHabit(Enum):
    """Which asset the fee of a buy is taken in; of a sell it is always the quote asset."""

    BASE = 1
    QUOTE = 2


@dataclass(frozen=True, slots=True)
class Fees:
    """`rate` of the value traded, such as 0.001."""

    rate: Decimal
    habit: FeeHabit


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A market order as a client sends it."""

    client_id: str
    side: Side
    quantity: Decimal
    stop_price: Decimal | None = None
    take_profit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """The venue's explicit no."""

    refusal: RefusalClass
    code: str
    sentence: str


def place(
    books: Books, market: Market, now: Touch, fees: Fees, request: Request, now_ns: int
) -> Execution | Rejection:
    """What a request would change, or why it is refused. Changes nothing itself."""
    rejection = _unfit(books, market, now, request)
    if rejection is not None:
        return rejection
    if request.side is Side.BUY:
        return _buy(books, market, now, fees, request, now_ns)
    return _sell(books, market, now, fees, request, now_ns)


def trigger(books: Books, market: Market, now: Touch, fees: Fees, now_ns: int) -> Execution | None:
    """What the oldest protective order whose price is reached would change, if there is one."""
    for order in books.open_orders.values():
        if order.venue_symbol == market.venue_symbol:
            reason = _reached(order, now.bid)
            if reason is not None:
                return _protect(books, market, now, fees, order, reason, now_ns)
    return None


def _unfit(books: Books, market: Market, now: Touch, request: Request) -> Rejection | None:
    quantity, step = request.quantity, market.quantity_step
    if any(order.client_id == request.client_id for order in books.open_orders.values()):
        return _final("duplicate_client_id", f"an open order has the id {request.client_id}")
    if not market.quantity_min <= quantity <= market.quantity_max:
        limits = f"{plain(market.quantity_min)} to {plain(market.quantity_max)}"
        return _final("quantity", f"the quantity {plain(quantity)} is not within {limits}")
    if down_to_step(quantity, step) != quantity:
        return _final("step", f"the quantity {plain(quantity)} is no multiple of {plain(step)}")
    stop, target = request.stop_price, request.take_profit_price
    if request.side is Side.SELL and (stop is not None or target is not None):
        return _final("stop", "a sell cannot carry a stop or a target")
    if stop is not None and not 0 < stop < now.bid:
        return _final("stop", f"the stop {plain(stop)} is not below the bid {plain(now.bid)}")
    if target is not None and target <= now.ask:
        return _final("target", f"the target {plain(target)} is not above the ask {plain(now.ask)}")
    return None


def _final(code: str, sentence: str) -> Rejection:
    return Rejection(RefusalClass.FINAL, code, sentence)


def _buy(
    books: Books, market: Market, now: Touch, fees: Fees, request: Request, now_ns: int
) -> Execution | Rejection:
    cost = request.quantity * now.ask
    in_base = fees.habit is FeeHabit.BASE
    fee = (request.quantity if in_base else cost) * fees.rate
    paid = cost if in_base else cost + fee
    received = request.quantity - fee if in_base else request.quantity
    if paid > books.held(market.quote):
        held = plain(books.held(market.quote))
        sentence = f"{plain(paid)} {market.quote} are needed, {held} are there"
        return Rejection(RefusalClass.NO_MONEY, "insufficient_balance", sentence)
    order = _filled(books, market, request, now.ask, now_ns)
    trade = PaperTrade(
        trade_id=f"t{len(books.trades) + 1}",
        venue_order_id=order.venue_order_id,
        client_id=request.client_id,
        venue_symbol=market.venue_symbol,
        side=Side.BUY,
        reason=DealReason.OURS,
        quantity=request.quantity,
        price=now.ask,
        fee=fee,
        fee_asset=market.base if in_base else market.quote,
        base_delta=received,
        at_ns=now_ns,
    )
    return Execution(
        orders=(order, *_protection(books, market, request, received, now_ns)),
        trades=(trade,),
        balances=(
            (market.base, books.held(market.base) + received),
            (market.quote, books.held(market.quote) - paid),
        ),
    )


def _protection(
    books: Books, market: Market, request: Request, received: Decimal, now_ns: int
) -> tuple[PaperOrder, ...]:
    quantity = down_to_step(received, market.quantity_step)
    if quantity == 0 or (request.stop_price is None and request.take_profit_price is None):
        return ()
    return (
        PaperOrder(
            venue_order_id=_order_number(books, 2),
            client_id=request.client_id + PROTECTIVE_MARK,
            kind=OrderKind.PROTECTIVE,
            status=OrderStatus.OPEN,
            venue_symbol=market.venue_symbol,
            side=Side.SELL,
            quantity=quantity,
            placed_at_ns=now_ns,
            stop_price=request.stop_price,
            take_profit_price=request.take_profit_price,
        ),
    )


def _sell(
    books: Books, market: Market, now: Touch, fees: Fees, request: Request, now_ns: int
) -> Execution | Rejection:
    held = books.held(market.base)
    if request.quantity > held:
        sentence = f"{plain(request.quantity)} {market.base} to sell, {plain(held)} are there"
        gone = held < market.quantity_min
        refusal = RefusalClass.NOTHING_TO_CLOSE if gone else RefusalClass.NO_MONEY
        return Rejection(refusal, "insufficient_balance", sentence)
    order = _filled(books, market, request, now.bid, now_ns)
    sold = _sold(books, market, fees, order, DealReason.OURS, now_ns)
    return replace(sold, orders=(order, *_unprotected(books, market, request.quantity, now_ns)))


def _unprotected(
    books: Books, market: Market, quantity: Decimal, now_ns: int
) -> tuple[PaperOrder, ...]:
    """The protective orders that a sale of so much shortens or ends."""
    changed = []
    for order in books.open_orders.values():
        if order.venue_symbol != market.venue_symbol or quantity == 0:
            continue
        taken = min(quantity, order.quantity)
        quantity -= taken
        if taken == order.quantity:
            changed.append(replace(order, status=OrderStatus.CANCELLED, done_at_ns=now_ns))
        else:
            changed.append(replace(order, quantity=order.quantity - taken))
    return tuple(changed)


def _reached(order: PaperOrder, bid: Decimal) -> DealReason | None:
    if order.stop_price is not None and bid <= order.stop_price:
        return DealReason.STOP_LOSS
    if order.take_profit_price is not None and bid >= order.take_profit_price:
        return DealReason.TAKE_PROFIT
    return None


def _protect(
    books: Books,
    market: Market,
    now: Touch,
    fees: Fees,
    order: PaperOrder,
    reason: DealReason,
    now_ns: int,
) -> Execution:
    quantity = min(order.quantity, down_to_step(books.held(market.base), market.quantity_step))
    if quantity == 0:
        return Execution(orders=(replace(order, status=OrderStatus.CANCELLED, done_at_ns=now_ns),))
    filled = replace(
        order,
        status=OrderStatus.FILLED,
        done_at_ns=now_ns,
        filled_quantity=quantity,
        average_price=now.bid,
    )
    return replace(_sold(books, market, fees, filled, reason, now_ns), orders=(filled,))


def _sold(
    books: Books, market: Market, fees: Fees, order: PaperOrder, reason: DealReason, now_ns: int
) -> Execution:
    quantity, price = order.filled_quantity, order.average_price
    fee = quantity * price * fees.rate
    trade = PaperTrade(
        trade_id=f"t{len(books.trades) + 1}",
        venue_order_id=order.venue_order_id,
        client_id=order.client_id,
        venue_symbol=market.venue_symbol,
        side=Side.SELL,
        reason=reason,
        quantity=quantity,
        price=price,
        fee=fee,
        fee_asset=market.quote,
        base_delta=-quantity,
        at_ns=now_ns,
    )
    return Execution(
        trades=(trade,),
        balances=(
            (market.base, books.held(market.base) - quantity),
            (market.quote, books.held(market.quote) + quantity * price - fee),
        ),
    )


def _filled(
    books: Books, market: Market, request: Request, price: Decimal, now_ns: int
) -> PaperOrder:
    return PaperOrder(
        venue_order_id=_order_number(books, 1),
        client_id=request.client_id,
        kind=OrderKind.MARKET,
        status=OrderStatus.FILLED,
        venue_symbol=market.venue_symbol,
        side=request.side,
        quantity=request.quantity,
        placed_at_ns=now_ns,
        done_at_ns=now_ns,
        filled_quantity=request.quantity,
        average_price=price,
        stop_price=request.stop_price,
        take_profit_price=request.take_profit_price,
    )


def _order_number(books: Books, ahead: int) -> str:
    return str(1_000 + len(books.orders) + ahead)
