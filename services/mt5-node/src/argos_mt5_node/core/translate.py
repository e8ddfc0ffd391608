"""MetaTrader's records as what the fleet knows. Nothing of its words leaves through here.

Rules:
1. Deals that trade nothing (deposits, credits, charges) are not reported: they move no position.
2. A deal belongs to an order by the tag in its comment, else by magic, if the order is one that this
   node knows. Never if the broker made it: a stop's deal may carry what its position carried.
3. `venue_position_id` is the position's identifier, which stays; its ticket may change.
4. On a netting account a position is many orders', so it is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from argos_common.domain.ids import OrderId, Symbol, magic_matches, order_bits, order_id_of_tag
from argos_common.domain.instrument import AccountKind, Instrument
from argos_common.domain.node import WorkingOrder
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal, DealEntry, DealReason, Quote, VenuePosition

from argos_mt5_node.core import constants as c
from argos_mt5_node.core.calls import Row
from argos_mt5_node.core.numbers import Float, to_decimal
from argos_mt5_node.core.server_time import to_utc_ns

ENTRIES = {0: DealEntry.IN, 1: DealEntry.OUT, 2: DealEntry.BOTH, 3: DealEntry.OUT}
REASONS = {
    0: DealReason.MANUAL,
    1: DealReason.MANUAL,
    2: DealReason.MANUAL,
    c.REASON_EXPERT: DealReason.OURS,
    c.REASON_SL: DealReason.STOP_LOSS,
    c.REASON_TP: DealReason.TAKE_PROFIT,
    c.REASON_SO: DealReason.STOP_OUT,
}
Candidates = Mapping[int, OrderId]  # what a magic number carries of an order id -> the order id


def candidate(order_id: OrderId) -> int:
    """The key of an order among the candidates."""
    return order_bits(order_id)


def owner(row: Row, candidates: Candidates) -> OrderId | None:
    """Whose an order, deal or position record is, by tag or magic."""
    if row["reason"] in c.REASONS_OF_VENUE:
        return None
    by_tag = order_id_of_tag(row["comment"])
    if by_tag is not None:
        return by_tag
    magic = row["magic"]
    found = candidates.get(magic & ((1 << 41) - 1)) if magic > 0 else None
    return found if found is not None and magic_matches(magic, found) else None


def is_trade(deal: Row) -> bool:
    """Whether a deal changed hands."""
    return deal["type"] in (c.DEAL_BUY, c.DEAL_SELL)


def deal_of(
    row: Row, symbols: Mapping[str, Symbol], offset_ns: int, candidates: Candidates
) -> Deal:
    """A deal that `is_trade`. `symbols` is by the venue's name."""
    side = Side.BUY if row["type"] == c.DEAL_BUY else Side.SELL
    quantity = to_decimal(row["volume"])
    return Deal(
        deal_id=str(row["ticket"]),
        venue_order_id=str(row["order"]) if row["order"] else "",
        venue_position_id=str(row["position_id"]) if row["position_id"] else "",
        symbol=symbols.get(row["symbol"], Symbol(row["symbol"])),
        venue_symbol=row["symbol"],
        side=side,
        entry=ENTRIES.get(row["entry"], DealEntry.IN),
        reason=REASONS.get(row["reason"], DealReason.OTHER),
        quantity=quantity,
        price=to_decimal(row["price"]),
        commission=to_decimal(row["commission"]),
        swap=to_decimal(row["swap"]),
        fee=to_decimal(row["fee"]),
        profit=to_decimal(row["profit"]),
        position_delta=side.sign * quantity,
        venue_time_ns=to_utc_ns(row["time_msc"], offset_ns),
        order_id=owner(row, candidates),
        comment=row["comment"],
    )


def position_of(
    row: Row, symbols: Mapping[str, Symbol], kind: AccountKind, candidates: Candidates
) -> VenuePosition:
    sign = 1 if row["type"] == c.POSITION_BUY else -1
    return VenuePosition(
        venue_position_id=str(row["identifier"]),
        symbol=symbols.get(row["symbol"], Symbol(row["symbol"])),
        venue_symbol=row["symbol"],
        quantity=sign * to_decimal(row["volume"]),
        price_open=to_decimal(row["price_open"]),
        stop_price=_price_or_none(row["sl"]),
        take_profit_price=_price_or_none(row["tp"]),
        order_id=owner(row, candidates) if kind is AccountKind.HEDGING else None,
    )


def _price_or_none(value: Float) -> Decimal | None:
    return to_decimal(value) if value else None


def working_order_of(
    row: Row, symbols: Mapping[str, Symbol], candidates: Candidates
) -> WorkingOrder:
    return WorkingOrder(
        venue_order_id=str(row["ticket"]),
        symbol=symbols.get(row["symbol"], Symbol(row["symbol"])),
        side=Side.BUY if row["type"] in c.BUYING_TYPES else Side.SELL,
        quantity=to_decimal(row["volume_current"]),
        order_id=owner(row, candidates),
    )


def quote_of(row: Row, symbol: Symbol, age_ns: int) -> Quote | None:
    """None while the terminal has no quote."""
    if not row["bid"] or not row["ask"]:
        return None
    return Quote(
        symbol=symbol, bid=to_decimal(row["bid"]), ask=to_decimal(row["ask"]), age_ns=age_ns
    )


def instrument_of(row: Row, symbol: Symbol, quote_to_account: Decimal) -> Instrument:
    tick = to_decimal(row["trade_tick_size"]) or to_decimal(row["point"])
    return Instrument(
        symbol=symbol,
        venue_symbol=row["name"],
        quantity_min=to_decimal(row["volume_min"]),
        quantity_max=to_decimal(row["volume_max"]),
        quantity_step=to_decimal(row["volume_step"]),
        price_tick=tick,
        contract_size=to_decimal(row["trade_contract_size"]),
        quote_currency=row["currency_profit"],
        quote_to_account=quote_to_account,
        stop_distance_min=row["trade_stops_level"] * to_decimal(row["point"]),
    )


def conversion(row: Row, profit: Float | None, move: Decimal) -> Decimal | None:
    """Account currency per unit of the symbol's profit currency.

    `profit` is what one lot earns on a rise of `move`, in the account's currency.
    """
    if profit is None or profit <= 0:
        return None
    return to_decimal(to_decimal(profit) / (to_decimal(row["trade_contract_size"]) * move))
