"""A verdict: what risk made of one signal (or of one order of its own) on one account.

Exactly one per (cause, account). It carries everything it was decided from, so that a replay can
decide again and must come to the same. Approved legs are intents: the only thing a bridge may turn
into orders. A reversal has two legs, and the second waits for the first (`after_leg`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from argos_common.domain.ids import Account, SignalId, Strategy, Symbol, TradeId
from argos_common.domain.instrument import Instrument
from argos_common.domain.side import Side


class Origin(Enum):
    """Who asked: a signal, or the system itself. RESTORE: a lost verdict, as its claims tell it."""

    SIGNAL = 1
    FLATTEN = 2
    CORRECTIVE = 3
    RESTORE = 4


class Decision(Enum):
    """PARTLY: what reduces risk was let through, what adds risk was refused."""

    APPROVED = 1
    PARTLY = 2
    REFUSED = 3


class Change(Enum):
    """What the cause means for the position it met."""

    NONE = 1
    ENTRY = 2
    ADD = 3
    PARTIAL_EXIT = 4
    EXIT = 5
    REVERSAL = 6


class Effect(Enum):
    """Whether a leg adds risk (OPEN) or takes it away (CLOSE)."""

    OPEN = 1
    CLOSE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """One rule's finding: what it measured, what it allows, and one sentence."""

    rule: str
    passed: bool
    value: str
    limit: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One approved intent. `leg` counts within (trade_id, account), from 1, and is never reused.

    OPEN: trade `quantity` on `side`, with `stop_price` (and target) sent in the same request.
    CLOSE: reduce the trade by `quantity`, or to nothing if `close_all`; `side` is the side of the
    orders that do it. `reserved_value` is the exposure held for it, in account currency, 0 for CLOSE.
    No submission may begin after `deadline_ns` (risk's clock, wall).
    """

    leg: int
    trade_id: TradeId
    effect: Effect
    side: Side
    quantity: Decimal
    deadline_ns: int
    close_all: bool = False
    stop_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    reserved_value: Decimal = Decimal(0)
    after_leg: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The unrecorded facts a verdict was decided from; None where they were missing or stale.

    Ages are in nanoseconds at the moment of decision. `equity`, `balance` in account currency.
    """

    now_ns: int
    bid: Decimal | None = None
    ask: Decimal | None = None
    quote_age_ns: int | None = None
    equity: Decimal | None = None
    balance: Decimal | None = None
    account_age_ns: int | None = None
    venue_ready: bool = False
    instrument: Instrument | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictGiven:
    """Risk's answer for one cause on one account. Written to the account's verdict head.

    `control_sequence` and `epoch` are those of the account as risk had folded them;
    `folded_sequence` is the last log entry risk had folded when it decided.
    """

    account: Account
    cause_id: SignalId
    origin: Origin
    strategy: Strategy
    bot_version: str
    symbol: Symbol
    decision: Decision
    change: Change
    reason: str
    legs: tuple[Leg, ...]
    rules: tuple[RuleResult, ...]
    facts: Facts
    config_hash: str
    control_sequence: int
    epoch: int
    folded_sequence: int
    trade_id: TradeId | None = None
    trace_parent: str = ""
