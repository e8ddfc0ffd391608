"""Spans of time. Times are integers: nanoseconds since the Unix epoch, UTC."""

from __future__ import annotations

from decimal import Decimal

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
DAY_NS = 86_400 * NS_PER_S
_MICROSECOND_IN_MS = Decimal("0.001")


def milliseconds(span_ns: int) -> Decimal:
    """A span in milliseconds, exact to the microsecond."""
    return (Decimal(span_ns) / NS_PER_MS).quantize(_MICROSECOND_IN_MS)
