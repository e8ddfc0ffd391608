"""Floats of the terminal to Decimals and back. The only place where either becomes the other.

MetaTrader counts in decimal steps but speaks in floats. The shortest decimal that reads back as the
same float is what was meant; noise behind the eighth decimal comes from sums and is rounded away.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import SupportsFloat

from argos_common.domain.money import plain

PLACES = 8
Float = float
"""What the terminal speaks; named here so that no other core module names it."""


def to_decimal(value: SupportsFloat, places: int = PLACES) -> Decimal:
    """A float of the terminal as the decimal it stands for."""
    exact = Decimal(repr(float(value)))
    rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    return Decimal(plain(rounded))


def to_float(value: Decimal, places: int = PLACES) -> float:
    """A decimal as the float that stands for it, for a request."""
    return float(value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN))
