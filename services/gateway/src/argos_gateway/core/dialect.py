"""What every dialect turns a message into, whatever its words are.

A dialect is one file in `dialects` with one function, `read(payload) -> Message`; `registry` lists
them. It knows the sender's words, not the fleet: no symbol map, no strategies, no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.side import Side
from argos_common.domain.signal import Action, QuantityRule

from argos_gateway.core.payload import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a message asks for, in our words.

    `symbols`: how the sender names the symbol, the most exact first. `sender_id`: its own id, or
    empty. `facts`: what makes the alert one of a kind besides its fire time. `max_lag_s`: how old
    the sender allows it to be.
    """

    strategy: str
    bot_version: str
    symbols: tuple[str, ...]
    action: Action
    facts: tuple[str, ...]
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
    sender_id: str = ""
    max_lag_s: Decimal | None = None
    fired_field: str = "fired_at"
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyBeat:
    """A strategy says that it is alive. Not a signal; nothing is recorded."""

    strategy: str
    bot_version: str = ""


Message = Wanted | StrategyBeat
Dialect = Callable[[Payload], Message]

COMMON_FIELDS = ("type", "strategy", "bot_version", "id", "secret", "extras", "comment")
STRATEGY_FIX = 'add "strategy" with the name of the strategy in fleet.toml'
VERSION_FIX = 'add "bot_version" with a version registered in fleet.toml'


def read_beat(payload: Payload) -> StrategyBeat | None:
    """The heartbeat in a message, if it is one: `{"type": "heartbeat", "strategy": …}`."""
    kind = payload.choice("type", ("signal", "heartbeat"))
    if kind != "heartbeat":
        return None
    return StrategyBeat(
        strategy=payload.text("strategy", STRATEGY_FIX), bot_version=payload.text("bot_version")
    )


def symbol_names(payload: Payload, ticker: str) -> tuple[str, ...]:
    """How a sender names a symbol: EXCHANGE:TICKER if it says the exchange, then the ticker alone."""
    exchange = payload.text("exchange").upper()
    prefix, _, bare = ticker.rpartition(":")
    for field, name in (("exchange", exchange), ("ticker", prefix)):
        if name.endswith(("_DL", "_DLY")):
            raise payload.refuse(
                field, f"is {name[:40]}: the chart is on delayed data; trade on real-time data",
                "delayed_data",
            )  # fmt: skip
    exact = ticker if prefix or not exchange else f"{exchange}:{ticker}"
    return tuple(dict.fromkeys((exact, bare)))
