"""The configuration of one account as it stands in the log: everything a decision may depend on.

`fleet.toml` only proposes. What is decided with is the newest `ConfigApplied` of the account, whole
and by hash. Durations are in nanoseconds, money in the account's currency, quantities in the
venue's unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.ids import Account, Strategy, Symbol
from argos_common.domain.instrument import AccountKind
from argos_common.domain.signal import QuantityRule
from argos_common.domain.times import NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an account may do. Every limit is required: a missing one refuses new risk."""

    order_quantity_max: Decimal
    order_value_max: Decimal
    open_positions_max: int
    daily_loss_max: Decimal
    account_value_max: Decimal
    risk_percent_max: Decimal
    signal_age_max_ns: int = 30 * NS_PER_S
    facts_age_max_ns: int = 3 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRoute:
    """A strategy that may trade on this account, how, and how large.

    `quantity_rule` and `quantity` size a signal that names no size of its own; `multiplier` scales
    any size for this account. `require_stop`: an entry without a protective stop is refused.
    """

    strategy: Strategy
    bot_versions: tuple[str, ...]
    symbols: tuple[Symbol, ...]
    quantity_rule: QuantityRule
    quantity: Decimal
    multiplier: Decimal = Decimal(1)
    require_stop: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRoute:
    """Our symbol, and what this account's venue calls it."""

    symbol: Symbol
    venue_symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """One account. `node` names the venue node that serves it; `live` that real money is at stake.

    `entry_deadline_ns`, `exit_deadline_ns`: how long after the verdict a submission may begin.
    `submit_window_ns`: how long one submission has from claim to call. `doubt_grace_ns`: how long
    after that its outcome may still arrive before it is in doubt. `settling_ns`: how long the venue
    may take to show something it did.
    """

    account: Account
    node: str
    kind: AccountKind
    currency: str
    live: bool
    limits: Limits
    strategies: tuple[StrategyRoute, ...]
    symbols: tuple[SymbolRoute, ...]
    entry_deadline_ns: int = 10 * NS_PER_S
    exit_deadline_ns: int = 600 * NS_PER_S
    submit_window_ns: int = 5 * NS_PER_S
    doubt_grace_ns: int = 2 * NS_PER_S
    settling_ns: int = 60 * NS_PER_S
    watch_ns: int = 86_400 * NS_PER_S
