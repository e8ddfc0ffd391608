"""The faults a seed may draw, each by name, with how often it fires. `Fired` counts what did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from argos_simulation.chance import Chance

PER_CALL: dict[str, float] = {
    "append-request-lost": 0.04,
    "append-ack-lost": 0.04,
    "append-ghost": 0.03,
    "append-busy": 0.03,
    "log-read-slow": 0.02,
    "bus-lost": 0.05,
    "bus-slow": 0.03,
    "node-request-lost": 0.05,
    "node-answer-lost": 0.08,
    "node-request-duplicated": 0.05,
    "node-slow": 0.05,
    "venue-answer-lost": 0.06,
    "venue-request-lost": 0.03,
    "venue-requote": 0.06,
    "venue-partial": 0.06,
    "venue-late-deals": 0.10,
    "venue-no-connection": 0.02,
}
"""Probability per call at intensity 1."""

EVENTS: tuple[str, ...] = (
    "crash-risk",
    "crash-bridge",
    "crash-reconciler",
    "crash-node",
    "pause-risk",
    "pause-bridge",
    "two-bridges",
    "two-risks",
    "kill-switch",
    "clock-skew",
    "log-away",
)
"""What happens at a moment rather than per call."""

NAMES: tuple[str, ...] = (*PER_CALL, *EVENTS)


@dataclass(slots=True)
class Faults:
    """Which faults this seed has, how strong, and how often each fired."""

    intensity: dict[str, float]
    fired: Counter[str] = field(default_factory=Counter)
    healed: bool = False

    def strike(self, name: str, chance: Chance) -> bool:
        """Whether a per-call fault fires now."""
        strength = 0.0 if self.healed else self.intensity.get(name, 0.0)
        # Drawn whether or not the fault is on, so that healing does not shift other draws.
        if chance.happens(PER_CALL[name] * strength):
            self.fired[name] += 1
            return True
        return False

    def has(self, name: str) -> bool:
        return self.intensity.get(name, 0.0) > 0


def draw(chance: Chance, allowed: tuple[str, ...] = NAMES) -> Faults:
    """A random subset at random strength: rare pairs meet more often than if all were always on."""
    intensity = {}
    for name in NAMES:
        strength = chance.between(0.3, 2.0)
        if chance.happens(0.45) and name in allowed:
            intensity[name] = strength
    return Faults(intensity)
