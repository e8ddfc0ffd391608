"""Decimal arithmetic for prices, quantities and money. No float ever enters.

Rounding is named: a quantity is only ever rounded down to a venue's step (never more than was
approved), a price to the nearest tick.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, InvalidOperation

from argos_common.domain.errors import BadInput

ZERO = Decimal(0)
_DIGITS_MAX = 34
_EXPONENT_MAX = 18


def parse(text: str, field: str) -> Decimal:
    """A finite Decimal of sane size from text; raises BadInput naming `field`."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadInput(f"{field} is {text!r}, which is not a number", field) from None
    if not value.is_finite():
        raise BadInput(f"{field} is {text!r}; it must be a finite number", field)
    _, digits, exponent = value.as_tuple()
    if len(digits) > _DIGITS_MAX or abs(int(exponent)) > _EXPONENT_MAX:
        raise BadInput(f"{field} has too many digits; {_DIGITS_MAX} are allowed", field)
    return value


def down_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `quantity` (both positive)."""
    return (quantity / step).to_integral_value(rounding=ROUND_DOWN) * step


def to_tick(price: Decimal, tick: Decimal) -> Decimal:
    """The multiple of `tick` nearest to `price`."""
    return (price / tick).to_integral_value(rounding=ROUND_HALF_EVEN) * tick


def plain(value: Decimal) -> str:
    """Canonical text: no exponent, no trailing zeros, `0` for zero of either sign."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
