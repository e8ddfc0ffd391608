"""How large a seed is, unless it is told: small seeds, and many of them, meet more than few large."""

from __future__ import annotations

DEFAULT_MINUTES = 0.3
"""Virtual, until faults heal."""
ALERTS_MOST = 8
"""A seed sends half as many to so many."""
