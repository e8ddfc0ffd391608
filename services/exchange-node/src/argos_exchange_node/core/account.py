"""What a paper account is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.ids import Account

from argos_exchange_node.core.exchange import Fees
from argos_exchange_node.core.market import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperAccount:
    """What a paper account is. Its money is the quote asset of every market, `currency`."""

    account: Account
    currency: str
    markets: tuple[Market, ...]
    fees: Fees
    seed: int
    balances: Mapping[str, Decimal]
