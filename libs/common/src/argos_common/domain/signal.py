"""A signal: what somebody outside asked for, authentic and well formed, not yet allowed.

Immutable. `action` says what is wanted of the strategy's position on `symbol`:

    ENTER    be in the market on `side`: opens, adds to, or (if the position is opposite) reverses
    EXIT     leave: all of it, or the part that `quantity` names; `side`, if set, is the side of the
             position to leave (an exit of a long does nothing to a short)
    TARGET   end up with the signed position `target_position`, in the quantity unit of `quantity`

Whether that is an entry, an add, an exit or a reversal is decided against the log by risk.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from argos_common.domain.ids import SignalId, Source, Strategy, Symbol
from argos_common.domain.side import Side


class Action(Enum):
    ENTER = 1
    EXIT = 2
    TARGET = 3


class QuantityRule(Enum):
    """What `quantity` on a signal means. STRATEGY: the strategy's configured rule, no number."""

    STRATEGY = 1
    FIXED = 2  # units of the venue (lots, base currency)
    RISK_PERCENT = 3  # percent of equity lost if the stop is hit
    RISK_AMOUNT = 4  # account currency lost if the stop is hit
    VALUE = 5  # account currency of exposure
    EQUITY_PERCENT = 6  # percent of equity as exposure
    POSITION_PERCENT = 7  # percent of the open position; exits only


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAccepted:
    """An authentic, well-formed, fresh and new signal. Create-once per (source, signal_id).

    Times: `bar_time_ns` (the bar the strategy looked at) and `fired_at_ns` are the sender's clock,
    `received_at_ns` the gateway's. `content_hash` is SHA-256 of what the sender meant, so that a
    second alert with the same id and another meaning is a conflict, not a duplicate.
    `price` is the sender's price when it fired; the intent's price for slippage if present.
    """

    signal_id: SignalId
    source: Source
    strategy: Strategy
    bot_version: str
    symbol: Symbol
    action: Action
    received_at_ns: int
    content_hash: str
    dialect: str
    raw: str
    side: Side | None = None
    quantity_rule: QuantityRule = QuantityRule.STRATEGY
    quantity: Decimal | None = None
    target_position: Decimal | None = None
    stop_price: Decimal | None = None
    stop_distance: Decimal | None = None
    take_profit_price: Decimal | None = None
    take_profit_distance: Decimal | None = None
    price: Decimal | None = None
    bar_time_ns: int | None = None
    fired_at_ns: int | None = None
    comment: str = ""
    trace_parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRefused:
    """An authenticated signal refused at the door, with the reason as one sentence."""

    signal_id: SignalId
    source: Source
    code: str
    sentence: str
    received_at_ns: int
    raw: str
    field: str = ""
    strategy: str = ""
    symbol: str = ""
    trace_parent: str = ""
