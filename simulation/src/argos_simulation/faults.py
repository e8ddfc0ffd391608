"""The faults a seed may draw, each by name, with how often it fires. `fired` counts what did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from argos_common.domain.errors import BadInput

from argos_simulation.chance import Chance
from argos_simulation.cut import Firing

PER_CALL: dict[str, float] = {
    # the log
    "append-request-lost": 0.04,
    "append-ack-lost": 0.04,
    "append-ghost": 0.03,
    "append-duplicated": 0.04,
    "append-slow": 0.03,
    "append-busy": 0.03,
    "log-ask-lost": 0.02,
    "log-read-slow": 0.01,
    # the bus
    "bus-lost": 0.05,
    "bus-duplicated": 0.05,
    "bus-slow": 0.03,
    # between services and nodes
    "node-request-lost": 0.05,
    "node-answer-lost": 0.08,
    "node-request-duplicated": 0.08,
    "node-slow": 0.05,
    # disks
    "journal-failing": 0.02,
    "ledger-away": 0.10,
}
"""Probability per call at intensity 1."""

VENUE: dict[str, float] = {
    "venue-answer-lost": 0.08,
    "venue-request-lost": 0.05,
    "venue-late-fill": 0.05,
    "venue-no-connection": 0.05,
    "venue-unclear-done": 0.04,
    "venue-unclear-undone": 0.04,
    "venue-requote": 0.06,
    "venue-price-changed": 0.04,
    "venue-no-quotes": 0.04,
    "venue-market-closed": 0.04,
    "venue-throttled": 0.04,
    "venue-rejected": 0.05,
    "venue-partial": 0.08,
    "venue-slippage": 0.10,
    "venue-bare-done": 0.05,
    "venue-comment-erased": 0.04,
    "venue-comment-cut": 0.04,
    "venue-magic-zeroed": 0.04,
    "venue-manual-trade": 0.05,
    "venue-read-error": 0.005,
    "venue-late-deals": 1.0,
    "venue-thin-book": 1.0,
}
"""Probability per order (reads: per read) at intensity 1; with 1.0 it is a state, not per order."""

POINTS: dict[str, float] = {
    "crash-gateway": 0.006,
    "crash-risk": 0.003,
    "crash-bridge": 0.004,
    "crash-reconciler": 0.002,
    "crash-monitor": 0.002,
    "crash-mt5-node": 0.006,
    "crash-paper-node": 0.006,
    "pause-gateway": 0.006,
    "pause-risk": 0.004,
    "pause-bridge": 0.008,
    "pause-reconciler": 0.004,
    "pause-monitor": 0.004,
    "pause-mt5-node": 0.004,
    "pause-paper-node": 0.004,
}
"""kill -9 or a pause at a point of the process's own path, per point passed at intensity 1."""

EVENTS: tuple[str, ...] = (
    # processes
    "two-bridges",
    "two-risks",
    "two-gateways",
    "two-reconcilers",
    "crash-loop",
    "pause-long",
    "stale-snapshot",
    "torn-snapshot",
    # people
    "kill-switch",
    "limits-change",
    # clocks
    "clock-skew",
    "clock-drift",
    "clock-jump",
    "clock-leap",
    # the network and the log
    "log-away",
    "log-failover",
    "log-partition",
    "log-one-way",
    "log-watermark",
    "log-full",
    "three-replicas",
    "bus-partition",
    "node-partition",
    "node-one-way",
    # terminals and venues
    "terminal-disconnected",
    "terminal-frozen",
    "terminal-restarted",
    "wrong-account",
    "trading-off",
    "symbol-disabled",
    "symbol-changed",
    "quote-frozen",
    "quote-spike",
    "quote-crossed",
    "stop-out",
    "balance-operation",
    "rollover",
    # what comes in
    "alert-burst",
    "alert-malformed",
    "alert-replayed",
    "message-malformed",
    "event-malformed",
    # backups
    "restore",
)
"""What happens at a moment rather than per call, or holds for a whole seed."""

NAMES: tuple[str, ...] = (*PER_CALL, *VENUE, *POINTS, *EVENTS)
RATES: dict[str, float] = PER_CALL | VENUE | POINTS


@dataclass(slots=True)
class Faults:
    """Which faults this seed has, how strong, and how often each fired."""

    intensity: dict[str, float]
    fired: Counter[str] = field(default_factory=Counter)
    healed: bool = False
    kept: frozenset[Firing] | None = None
    """The only firings that happen; None: all that are drawn."""
    _drawn: Counter[str] = field(default_factory=Counter)

    def rate(self, name: str) -> float:
        """The probability per occasion, now."""
        return 0.0 if self.healed else RATES[name] * self.intensity.get(name, 0.0)

    def strike(self, name: str, chance: Chance) -> bool:
        """Whether a fault fires at this occasion."""
        return chance.happens(self.rate(name)) and self.fire(name)

    def fire(self, name: str) -> bool:
        """Count a firing that was drawn; whether it happens."""
        at = self._drawn[name]
        self._drawn[name] += 1
        happens = self.kept is None or (name, at) in self.kept
        self.fired[name] += happens
        return happens

    def has(self, name: str) -> bool:
        kept = self.kept is None or any(fault == name for fault, _ in self.kept)
        return kept and self.intensity.get(name, 0.0) > 0


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names if all are known. Raises BadInput."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise BadInput(f"there is no fault {unknown[0]!r}; known are: {', '.join(NAMES)}")
    return tuple(names)


def draw(chance: Chance, allowed: tuple[str, ...] = NAMES) -> Faults:
    """A random subset at random strength: rare pairs meet more often than if all were always on."""
    intensity = {}
    share = chance.between(0.08, 0.5)
    for name in NAMES:
        own = chance.fork(name)  # so that a new fault in the menu changes no other's draw
        strength, on = own.between(0.3, 2.0), own.happens(share)
        if on and name in allowed:
            intensity[name] = strength
    return Faults(intensity)
