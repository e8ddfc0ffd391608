"""What the adversary will do in a cycle: drawn from the cycle's seed, before anything happens.

The same seed and the same faults give the same schedule. What the processes make of it is up to
them and to the machine; so a replay repeats the attack, not every interleaving.
"""

from __future__ import annotations

import random  # noqa: TID251  # only ever from a seed
from collections.abc import Sequence
from dataclasses import dataclass

from argos_cli.chaos.faults import FAULTS

WINDOW_MS = 4_500
"""Strikes begin within this, while alerts flow."""
FIRST_MS = 300
KINDS = (2, 3)
"""How many kinds of fault strike in one cycle."""
SHARE = 0.3
"""The share of alerts that a habit of the senders concerns."""


@dataclass(frozen=True, slots=True, order=True)
class Strike:
    """One thing done to the fleet, `at_ms` after the cycle began."""

    at_ms: int
    fault: str
    target: str
    for_ms: int

    @property
    def words(self) -> str:
        """As a person reads it."""
        what = f"{self.fault} {self.target}".strip()
        return f"{what} for {self.for_ms} ms" if self.for_ms else what


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`habits`: faults that the senders commit themselves."""

    seed: int
    strikes: tuple[Strike, ...]
    habits: tuple[str, ...]


def draw(seed: int, allowed: Sequence[str]) -> Schedule:
    """The schedule of one cycle."""
    chance = random.Random(f"strikes {seed}")  # a seed is wanted, not a secret
    struck = [name for name in allowed if not FAULTS[name].in_traffic]
    habits = [name for name in allowed if FAULTS[name].in_traffic]
    kinds = chance.sample(struck, min(len(struck), chance.randint(*KINDS)))
    strikes = []
    for name in kinds:
        fault = FAULTS[name]
        strikes.append(
            Strike(
                at_ms=chance.randrange(FIRST_MS, WINDOW_MS),
                fault=name,
                target=chance.choice(fault.targets),
                for_ms=chance.randint(*fault.for_ms),
            )
        )
    return Schedule(
        seed=seed,
        strikes=tuple(sorted(strikes)),
        habits=tuple(name for name in habits if chance.random() < 0.7),
    )
