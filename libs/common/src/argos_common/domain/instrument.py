"""What may be traded on one account under one of our symbols, and in what steps.

`symbol` is our spelling, `venue_symbol` the venue's. Quantities are in the venue's own unit (lots
on MetaTrader, base currency on a spot exchange); `contract_size` turns one unit into units of the
base asset, so value = quantity * contract_size * price, in `quote_currency`.
`quote_to_account` converts that into the account's currency (1 if they are the same).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from argos_common.domain.ids import Symbol


class AccountKind(Enum):
    """How a venue keeps positions. On HEDGING each entry is a position of its own."""

    HEDGING = 1
    NETTING = 2
    SPOT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    symbol: Symbol
    venue_symbol: str
    quantity_min: Decimal
    quantity_max: Decimal
    quantity_step: Decimal
    price_tick: Decimal
    contract_size: Decimal
    quote_currency: str
    quote_to_account: Decimal
    stop_distance_min: Decimal = Decimal(0)

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What `quantity` is worth at `price`, in the account's currency."""
        return abs(quantity) * self.contract_size * price * self.quote_to_account
