"""The broker's clock: wall-clock time of its own zone, written as if it were UTC.

Rules:
1. The offset from UTC is measured from a tick that has just moved: its time is about now. It is
   rounded to half an hour, which is as fine as time zones are.
2. A tick that has not moved proves nothing (on a weekend it is days old). One that is further than
   two minutes from a half hour does not count: it is late, or one of the clocks is wrong.
3. Bounds of a query are in the server's clock, in whole seconds, and never 0: the module takes 0
   for "not given". The end lies a day ahead, so that the newest is never cut off.
"""

from __future__ import annotations

from argos_common.domain.times import NS_PER_MS, NS_PER_S

DAY_S = 86_400
HALF_HOUR_NS = 1800 * NS_PER_S
ODD_NS = 120 * NS_PER_S


def offset_of(before_msc: int, tick_msc: int, now_ns: int) -> int | None:
    """What to add to UTC for server time, in ns; None if this tick cannot tell.

    `before_msc` and `tick_msc` are the times of two readings of one symbol's tick.
    """
    if not 0 < before_msc < tick_msc:
        return None
    apparent = tick_msc * NS_PER_MS - now_ns
    offset = (apparent + HALF_HOUR_NS // 2) // HALF_HOUR_NS * HALF_HOUR_NS
    return offset if abs(apparent - offset) <= ODD_NS else None


def to_utc_ns(server_msc: int, offset_ns: int) -> int:
    return server_msc * NS_PER_MS - offset_ns


def bounds(since_utc_ns: int, now_ns: int, offset_ns: int | None) -> tuple[int, int]:
    """(from, to) in server seconds. An unknown offset may be anything within a day."""
    slack_s = DAY_S if offset_ns is None else 0
    offset_s = (offset_ns or 0) // NS_PER_S
    start = since_utc_ns // NS_PER_S + offset_s - slack_s
    return max(1, start), now_ns // NS_PER_S + offset_s + DAY_S + slack_s
