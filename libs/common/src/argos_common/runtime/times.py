"""Times as text, exact to the nanosecond and always UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from argos_common.domain.times import NS_PER_S


def utc_text(at_ns: int) -> str:
    """RFC 3339 with nanoseconds, as in 2026-01-02T03:04:05.000000006Z."""
    seconds, rest = divmod(at_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
