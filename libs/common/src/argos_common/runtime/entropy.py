"""The only place where the process draws random bytes. The simulation passes a seeded one."""

from __future__ import annotations

import os
import random
from typing import Protocol


class Entropy(Protocol):
    def token(self, size: int) -> bytes:
        """`size` unpredictable bytes."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A number between both, for jitter. Never for money."""
        ...


class SystemEntropy:
    """The operating system's randomness."""

    def token(self, size: int) -> bytes:
        return os.urandom(size)

    def uniform(self, low: float, high: float) -> float:
        return random.SystemRandom().uniform(low, high)


class SeededEntropy:
    """The same bytes for the same seed: for simulations and tests only."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def token(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)
