"""What a venue reports: deals, and the account as the venue sees it.

A deal is the venue's smallest fact: a quantity changed hands at a price. Positions and balances
follow from deals, so only deals are recorded; positions, quotes and equity are facts in passing.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from argos_common.domain.ids import Account, OrderId, Symbol, TradeId
from argos_common.domain.side import Side


class DealEntry(Enum):
    """What a deal did to its position. BOTH: closed one side and opened the other (netting)."""

    IN = 1
    OUT = 2
    BOTH = 3
    BALANCE = 4


class DealReason(Enum):
    """Who made the deal: us, a person, or the venue itself."""

    OURS = 1
    MANUAL = 2
    STOP_LOSS = 3
    TAKE_PROFIT = 4
    STOP_OUT = 5
    OTHER = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """One deal, translated but not yet attributed.

    `quantity` is positive, in the venue's unit. `commission`, `swap`, `fee`, `profit` are signed
    in account currency as the venue books them (a cost is negative). `fee_asset`, if set, says that
    `fee` was taken in that asset instead. `order_id` is ours if a tag or the node's own journal
    proves it. `venue_time_ns` is the venue's clock, translated to UTC.
    `position_delta` is what the deal did to what the account holds, signed: on a margin account the
    quantity with the sign of its side, on a spot account less a fee taken in the base asset.
    `venue_position_id` names the position it belongs to; on a spot account the venue symbol.
    """

    deal_id: str
    venue_order_id: str
    venue_position_id: str
    symbol: Symbol
    venue_symbol: str
    side: Side
    entry: DealEntry
    reason: DealReason
    quantity: Decimal
    price: Decimal
    commission: Decimal
    swap: Decimal
    fee: Decimal
    profit: Decimal
    position_delta: Decimal
    venue_time_ns: int
    fee_asset: str = ""
    order_id: OrderId | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DealRecorded:
    """A deal on record, attributed: create-once per (account, deal_id).

    `how` says what attributed it: `tag`, `ticket`, `fingerprint` or `external`. `external` marks a
    position that nobody here opened.
    """

    account: Account
    deal: Deal
    trade_id: TradeId
    how: str
    external: bool
    recorded_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfirmed:
    """A venue node has remembered an epoch for good: nothing older that adds risk passes it."""

    account: Account
    epoch: int
    node_time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuePosition:
    """A position as the venue shows it. `quantity` is signed: long positive, short negative."""

    venue_position_id: str
    symbol: Symbol
    venue_symbol: str
    quantity: Decimal
    price_open: Decimal
    stop_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    order_id: OrderId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """`age_ns` is the quote's age when the node sent it, on the node's own clock."""

    symbol: Symbol
    bid: Decimal
    ask: Decimal
    age_ns: int
