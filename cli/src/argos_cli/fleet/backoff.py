"""How long to wait before a process that died is started again. A table, no clock.

Whoever stayed alive for `HEALTHY_S` starts again from the first pause. It is never given up.
"""

from __future__ import annotations

PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
HEALTHY_S = 30.0


def next_failure(failures: int, alive_s: float) -> int:
    """How many failures in a row this one is, counted from 1."""
    return 1 if alive_s >= HEALTHY_S else failures + 1


def pause_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row (at least 1)."""
    return PAUSES_S[min(max(failures, 1), len(PAUSES_S)) - 1]
