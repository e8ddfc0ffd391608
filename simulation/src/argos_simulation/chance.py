"""Chance, from one seed: every draw of a simulation comes from here, in the order of the program."""

from __future__ import annotations

import random  # noqa: TID251  # the seeded source itself; nothing else here draws
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """Draws from one seeded source. `fork(name)` gives an independent one, the same for each name."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._draw = self._random.random

    def fork(self, name: str) -> Chance:
        return Chance(f"{self._seed}/{name}")

    def happens(self, probability: float) -> bool:
        return probability > 0 and self._draw() < probability

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self._draw()

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return self._random.randint(low, high)

    def one_of(self, items: Sequence[T]) -> T:
        return items[self._random.randrange(len(items))]

    # The Entropy port, so that services draw from the seed too.

    def token(self, size: int) -> bytes:
        return self._random.randbytes(size)

    uniform = between
