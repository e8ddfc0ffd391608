"""Values that several test kits start from: one account, one symbol, one deal.

The account is `demo`: hedging, USD, EURUSD with a step of 0.01; one lot is 100,000. A kit says what
is different with `dataclasses.replace` or by keyword.
"""

from __future__ import annotations

from decimal import Decimal

from argos_common.domain.config import AccountConfig, Limits, StrategyRoute, SymbolRoute
from argos_common.domain.ids import Account, OrderId, Strategy, Symbol
from argos_common.domain.instrument import AccountKind, Instrument
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal, DealEntry, DealReason

DEMO = Account("demo")
EURUSD = Symbol("EURUSD")
TREND = Strategy("trend")
INSTRUMENT = Instrument(
    symbol=EURUSD,
    venue_symbol="EURUSD",
    quantity_min=Decimal("0.01"),
    quantity_max=Decimal(100),
    quantity_step=Decimal("0.01"),
    price_tick=Decimal("0.00001"),
    contract_size=Decimal(100_000),
    quote_currency="USD",
    quote_to_account=Decimal(1),
)


def account_config(
    limits: Limits, *strategies: StrategyRoute, node: str, venue_symbol: str = "EURUSD"
) -> AccountConfig:
    """The account with these limits and routes; EURUSD is what it trades."""
    return AccountConfig(
        account=DEMO,
        node=node,
        kind=AccountKind.HEDGING,
        currency="USD",
        live=False,
        limits=limits,
        strategies=strategies,
        symbols=(SymbolRoute(symbol=EURUSD, venue_symbol=venue_symbol),),
    )


def deal(
    deal_id: str,
    quantity: Decimal,
    side: Side,
    price: Decimal,
    *,
    at_ns: int,
    order_id: OrderId | None,
    venue_order_id: str,
    position: str,
    entry: DealEntry,
    reason: DealReason = DealReason.OURS,
    commission: Decimal = Decimal(0),
    symbol: Symbol = EURUSD,
    venue_symbol: str = "EURUSD",
) -> Deal:
    """A deal that moves its position by all of its quantity and, but for commission, costs nothing."""
    return Deal(
        deal_id=deal_id,
        venue_order_id=venue_order_id,
        venue_position_id=position,
        symbol=symbol,
        venue_symbol=venue_symbol,
        side=side,
        entry=entry,
        reason=reason,
        quantity=quantity,
        price=price,
        commission=commission,
        swap=Decimal(0),
        fee=Decimal(0),
        profit=Decimal(0),
        position_delta=side.sign * quantity,
        venue_time_ns=at_ns,
        order_id=order_id,
    )
