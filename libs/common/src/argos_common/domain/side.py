"""Buying and selling. `sign` is +1 for a buy, -1 for a sell."""

from __future__ import annotations

from enum import Enum


class Side(Enum):
    BUY = 1
    SELL = 2

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY
