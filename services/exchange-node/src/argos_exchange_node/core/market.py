"""The paper venue's markets and their prices.

A price is a function of seed, market and time, with no state: waves of several lengths are laid
over a base price, and each wave runs straight between points that a hash decides. So a restart
sees the same prices, and a simulation can ask for any moment.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.ids import Symbol
from argos_common.domain.money import to_tick
from argos_common.domain.times import NS_PER_S

_WAVES = ((2, 40), (15, 120), (120, 500), (900, 1_500), (7_200, 6_000))
"""Seconds between the points of a wave, and its height in millionths of the base price."""

_FINE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One traded pair. `spread` in quote currency; `swing` scales the waves (0: a still price)."""

    symbol: Symbol
    venue_symbol: str
    base: str
    quote: str
    base_price: Decimal
    spread: Decimal
    price_tick: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    quantity_step: Decimal
    swing: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Touch:
    """The best bid and ask."""

    bid: Decimal
    ask: Decimal


def touch(market: Market, seed: int, now_ns: int) -> Touch:
    """Bid and ask of a market at a time."""
    millionths = sum(
        height * _wave(f"{seed}/{market.venue_symbol}/{seconds}", seconds * NS_PER_S, now_ns)
        for seconds, height in _WAVES
    )
    moved = market.base_price * market.swing * millionths / (_FINE * _FINE)
    bid = to_tick(market.base_price + moved - market.spread / 2, market.price_tick)
    return Touch(bid, bid + market.spread)


def _wave(name: str, period_ns: int, now_ns: int) -> int:
    """Between -1 and 1, in millionths."""
    number, into_ns = divmod(now_ns, period_ns)
    before, after = _point(name, number), _point(name, number + 1)
    return before + (after - before) * into_ns // period_ns


def _point(name: str, number: int) -> int:
    digest = hashlib.blake2b(f"{name}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (2 * _FINE + 1) - _FINE
