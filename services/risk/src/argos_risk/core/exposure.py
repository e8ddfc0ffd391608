"""How much an account has at stake already: open value, reservations, open trades, today's loss.

- What is held counts gross: two strategies on opposite sides add up, they do not cancel.
- A fill that the venue has answered but whose deal is not on record yet counts as held.
- Approved legs that are not over count at their reserved value, whatever state their orders are in.
  One that an exit has already ended counts as well: a bridge that has not read so far may claim it.
- What is held is valued at the mark of its symbol, the decided symbol at the price of the moment.
  Something held without a mark has no known value, and then the whole has none.
- The loss of the day is the worse of two measures: realised since midnight UTC with what open
  positions lose now; and how far equity is below the day's baseline. A floating profit pays for
  nothing, and on a spot account, whose holdings are not in the balance, only the second counts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.book import Book, TradeView
from argos_common.domain.ids import Symbol, TradeId
from argos_common.domain.instrument import AccountKind
from argos_common.domain.verdict import Effect, Facts

from argos_risk.core.state import AccountRisk, Mark, may_open

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """`held_value` is None if something is held that cannot be valued: `unvalued` says which."""

    held_value: Decimal | None
    unvalued: Symbol | None
    reserved_value: Decimal
    open_trades: int


def measure(
    risk: AccountRisk, symbol: Symbol, facts: Facts, without: TradeId | None = None
) -> Exposure:
    """What is at stake on the account, leaving out the trade `without` (one about to be closed)."""
    held: dict[Symbol, Decimal] = {
        name: abs(left) for name, left in risk.book.residual.items() if name in risk.marks
    }
    reserved, count = ZERO, 0
    for trade in risk.book.trades.values():
        if trade.trade_id == without:
            continue
        position = sum((abs(each) for each in trade.positions.values()), ZERO)
        owed, asked = _open_legs(risk.book, trade)
        held[trade.symbol] = held.get(trade.symbol, ZERO) + position + owed
        reserved += asked
        if position or owed or risk.book.expected(trade) or _may_yet_open(risk.book, trade):
            count += 1
    total, unvalued = ZERO, None
    current = mark_of(facts)
    for name, quantity in held.items():
        if not quantity:
            continue
        mark = current if current and name == symbol else risk.marks.get(name)
        if mark is None:
            unvalued = unvalued or name
        else:
            total += mark.value(quantity)
    return Exposure(
        held_value=total if unvalued is None else None,
        unvalued=unvalued,
        reserved_value=reserved,
        open_trades=count,
    )


def mark_of(facts: Facts) -> Mark | None:
    """The price of the moment as a mark: the dearer side of the quote."""
    if facts.instrument is None or facts.ask is None or facts.bid is None:
        return None
    return Mark(
        price=max(facts.ask, facts.bid),
        contract_size=facts.instrument.contract_size,
        quote_to_account=facts.instrument.quote_to_account,
    )


def day_loss(risk: AccountRisk, facts: Facts) -> Decimal | None:
    """What the account has lost in the UTC day of the decision, 0 if nothing; None if unknown."""
    if facts.equity is None or facts.balance is None or risk.config is None:
        return None
    day = risk.day(facts.now_ns)
    spot = risk.config.kind is AccountKind.SPOT
    floating = ZERO if spot else min(facts.equity - facts.balance, ZERO)
    by_equity = day.baseline - facts.equity if day.baseline is not None else ZERO
    return max(-(day.realised + floating), by_equity, ZERO)


def _may_yet_open(book: Book, trade: TradeView) -> bool:
    waiting = any(v.leg.effect is Effect.OPEN and not v.over for v in trade.legs.values())
    return waiting or may_open(book, trade)


def _open_legs(book: Book, trade: TradeView) -> tuple[Decimal, Decimal]:
    """(filled but not dealt yet, value reserved for what is not filled) of the legs that open."""
    owed, reserved = ZERO, ZERO
    for view in trade.legs.values():
        if view.leg.effect is not Effect.OPEN:
            continue
        filled = ZERO
        for order_id in view.orders:
            order = book.orders[order_id]
            filled += order.filled_quantity
            owed += max(order.filled_quantity - order.dealt_quantity, ZERO)
        if not view.over and view.leg.quantity:
            left = max(view.leg.quantity - filled, ZERO)
            reserved += view.leg.reserved_value * left / view.leg.quantity
    return owed, reserved
