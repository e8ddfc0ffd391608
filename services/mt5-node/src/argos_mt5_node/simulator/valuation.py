"""Profit, margin and equity in the account's currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.market import Market
from argos_mt5_node.simulator.records import ZERO, Position
from argos_mt5_node.simulator.symbols import SymbolSpec

CENT = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    """Round money to the account's two digits, half to even."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def rate(market: Market, source: str, target: str, now_ns: int) -> Decimal:
    """Units of ``target`` per unit of ``source``, directly, inversely or through USD.

    A currency the broker quotes nowhere counts one to one.
    """
    if source == target:
        return Decimal(1)
    direct = _direct_rate(market, source, target, now_ns)
    if direct is not None:
        return direct
    first = _direct_rate(market, source, "USD", now_ns)
    second = _direct_rate(market, "USD", target, now_ns)
    return (first or Decimal(1)) * (second or Decimal(1))


def _direct_rate(market: Market, source: str, target: str, now_ns: int) -> Decimal | None:
    if source == target:
        return Decimal(1)
    if source + target in market.symbols:
        return market.quote(source + target, now_ns).bid
    if target + source in market.symbols:
        return 1 / market.quote(target + source, now_ns).ask
    return None


def profit(  # noqa: PLR0913 - the facts of one closed volume
    market: Market,
    spec: SymbolSpec,
    currency: str,
    side: int,
    volume: Decimal,
    opened: Decimal,
    closed: Decimal,
    now_ns: int,
) -> Decimal:
    """Profit of a volume between two prices, in the account's currency, to the cent."""
    move = closed - opened if side == c.BUY else opened - closed
    amount = move * volume * spec.contract_size
    if spec.profit_currency != currency:
        amount *= rate(market, spec.profit_currency, currency, now_ns)
    return cents(amount)


def position_profit(
    market: Market, currency: str, position: Position, now_ns: int
) -> tuple[Decimal, Decimal]:
    """(current price, floating profit) of a position."""
    quote = market.quote(position.symbol, now_ns)
    price = quote.bid if position.type == c.BUY else quote.ask
    spec = market.symbols[position.symbol]
    return price, profit(
        market, spec, currency, position.type, position.volume, position.price_open, price, now_ns
    )


def margin(market: Market, book: Book, spec: SymbolSpec, lots: Decimal, now_ns: int) -> Decimal:
    """Margin a volume of a symbol needs, unrounded."""
    amount = lots * spec.contract_size / book.spec.leverage
    if not spec.is_forex:
        amount *= market.quote(spec.name, now_ns).ask
    return amount * rate(market, spec.margin_currency, book.spec.currency, now_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An account's totals, in its currency. ``level`` is percent, 0 without margin."""

    balance: Decimal
    floating: Decimal
    equity: Decimal
    margin: Decimal
    free: Decimal
    level: Decimal


def standing(market: Market, book: Book, now_ns: int) -> Standing:
    """Totals from the exposure sums: cost grows with symbols, not with positions.

    Hedged volume costs the margin of its larger side.
    """
    floating = used = ZERO
    currency = book.spec.currency
    for symbol, held in book.exposure.items():
        if not held.count:
            continue
        spec = market.symbols[symbol]
        quote = market.quote(symbol, now_ns)
        move = held.buy_lots * quote.bid - held.buy_cost + held.sell_cost
        amount = (move - held.sell_lots * quote.ask) * spec.contract_size
        if spec.profit_currency != currency:
            amount *= rate(market, spec.profit_currency, currency, now_ns)
        floating += amount + held.swap
        used += margin(market, book, spec, max(held.buy_lots, held.sell_lots), now_ns)
    floating, used = cents(floating), cents(used)
    equity = book.balance + floating
    level = equity / used * 100 if used else ZERO
    return Standing(
        balance=book.balance,
        floating=floating,
        equity=equity,
        margin=used,
        free=equity - used,
        level=level,
    )
