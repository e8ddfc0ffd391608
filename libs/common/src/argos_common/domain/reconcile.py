"""What reconciliation finds: matches of intent and execution, discrepancies, and their resolution.

Slippage is signed and adverse: positive means worse than intended, whatever the side.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from argos_common.domain.ids import Account, OrderId, Symbol, TradeId


class MatchMethod(Enum):
    """How an execution was found to belong to an intent, best first."""

    TAG = 1
    TICKET = 2
    FINGERPRINT = 3


ITSELF = "reconciler"
"""The actor of a resolution because venue and log agree again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMatched:
    """An order and the deals that carried it out agree. Create-once per order.

    `slippage` is per unit in price, adverse positive, against `intended_price`; `slippage_cash`
    and `cost` (commission + swap + fee as costs, plus slippage_cash) are in account currency.
    `latency_ms` is from the signal's receipt to the venue's fill, None for system intents.
    """

    account: Account
    trade_id: TradeId
    order_id: OrderId
    method: MatchMethod
    deal_ids: tuple[str, ...]
    quantity: Decimal
    average_price: Decimal
    commission: Decimal
    cost: Decimal
    matched_at_ns: int
    intended_price: Decimal | None = None
    slippage: Decimal | None = None
    slippage_cash: Decimal | None = None
    latency_ms: Decimal | None = None


class DiscrepancyKind(Enum):
    POSITION = 1  # the venue's position is not the sum of the deals on record
    UNKNOWN_ORDER = 2  # a working order at the venue that is not ours
    MISSING_FILL = 3  # an order said to be filled, without deals for too long
    UNRESOLVED = 4  # an order in doubt for too long
    UNKNOWN_POSITION = 5  # a position at the venue that nobody here opened
    BALANCE = 6  # a spot balance that is not the sum of the deals


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyFound:
    """Holds the account and symbol (no new risk) until it is resolved."""

    discrepancy_id: str
    account: Account
    symbol: Symbol
    kind: DiscrepancyKind
    expected: str
    actual: str
    sentence: str
    since_ns: int
    found_at_ns: int
    order_id: OrderId | None = None
    trade_id: TradeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyResolved:
    """`how`: `agrees again` by itself, or what a person decided."""

    discrepancy_id: str
    account: Account
    symbol: Symbol
    how: str
    actor: str
    resolved_at_ns: int

    @property
    def by_a_person(self) -> bool:
        return self.actor != ITSELF


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRaised:
    """What a person must know. Create-once per alert_id."""

    alert_id: str
    level: str
    code: str
    sentence: str
    raised_at_ns: int
    account: str = ""
    trade_id: str = ""
