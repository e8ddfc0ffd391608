"""SplitMix64: a seeded generator whose whole state is one integer, so it can be persisted."""

from __future__ import annotations

from typing import Protocol

_MASK = (1 << 64) - 1


def mix64(value: int) -> int:
    """Scramble a 64-bit integer; the same input always gives the same output."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def hash_name(seed: int, name: str) -> int:
    """A 64-bit number from a seed and a name, the same in every process."""
    value = mix64(seed & _MASK)
    for byte in name.encode():
        value = mix64(value ^ byte)
    return value


class Prng(Protocol):
    """The randomness the broker takes. ``state`` must restore the generator completely."""

    state: int

    def below(self, bound: int) -> int:
        """A number in [0, bound)."""


class SplitMix64:
    """The Prng used by default."""

    def __init__(self, seed: int) -> None:
        """Seed with any integer."""
        self.state = seed & _MASK

    def below(self, bound: int) -> int:
        """A number in [0, bound); bound must be positive."""
        value = mix64(self.state)
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        return value % bound
