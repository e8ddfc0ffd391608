"""The stop and the target that an entry carries to the venue, from a price or from a distance.

A distance counts from the side of the quote at which the entry is made: the ask for a buy, the bid
for a sell. Both prices are put on the venue's tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.money import to_tick
from argos_common.domain.side import Side
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.verdict import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """`loss`: price from entry to stop, None where it can't be measured or isn't a loss."""

    stop_price: Decimal | None
    take_profit_price: Decimal | None
    loss: Decimal | None


def protect(signal: SignalAccepted, side: Side, facts: Facts) -> Protection:
    """What protects an entry of the signal on `side`."""
    entry = facts.ask if side is Side.BUY else facts.bid
    tick = facts.instrument.price_tick if facts.instrument is not None else None
    stop = _price(signal.stop_price, signal.stop_distance, entry, -side.sign, tick)
    target = _price(signal.take_profit_price, signal.take_profit_distance, entry, side.sign, tick)
    loss = None
    if stop is not None and entry is not None and (entry - stop) * side.sign > 0:
        loss = abs(entry - stop)
    return Protection(stop_price=stop, take_profit_price=target, loss=loss)


def _price(
    price: Decimal | None,
    distance: Decimal | None,
    entry: Decimal | None,
    sign: int,
    tick: Decimal | None,
) -> Decimal | None:
    if price is None:
        if distance is None or entry is None:
            return None
        price = entry + sign * distance
    return to_tick(price, tick) if tick is not None else price
