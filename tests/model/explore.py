"""Visits every state a model can reach, breadth first, so that a trace found is a shortest one.

A model is three functions over its own state, which is a tuple of small values:

    moves(state)    what may happen next: (name, state) pairs
    broken(state)   the number of an invariant that does not hold here, or 0
    over(state)     whether nothing is left to be done

Liveness is asked as "from every state an end stays reachable" (AG EF): not that good things happen
by themselves, but that no chain of faults leads to where they no longer can.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)

LIVENESS = 99
"""The number under which liveness is reported."""


@dataclass(frozen=True, slots=True)
class Machine(Generic[S]):
    """One model with one choice of safeguards and faults."""

    start: S
    moves: Callable[[S], Iterable[tuple[str, S]]]
    broken: Callable[[S], int]
    over: Callable[[S], bool]


@dataclass(frozen=True, slots=True)
class Finding:
    """`broken` 0: every state was visited and nothing is wrong. Else the shortest way there."""

    states: int
    broken: int = 0
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Generic[S]):
    """One line of a model's table: a machine, and what must be found in it.

    `breaks`: the number of the invariant that must break, or 0: none may. `note` says why a
    safeguard's absence alone does no harm, or what else is particular.
    """

    name: str
    machine: Machine[S]
    breaks: int = 0
    liveness: bool = False
    note: str = ""

    def check(self) -> Finding:
        return explore(self.machine, liveness=self.liveness or self.breaks == LIVENESS)


class TooLarge(Exception):
    """The model has more states than it may have."""


def explore(machine: Machine[S], *, liveness: bool = False, limit: int = 400_000) -> Finding:
    """Visit everything, or stop at the first broken invariant. Raises TooLarge."""
    came: dict[S, tuple[str, S] | None] = {machine.start: None}
    before: dict[S, list[S]] = {}
    waiting = deque([machine.start])
    while waiting:
        state = waiting.popleft()
        number = machine.broken(state)
        if number:
            return Finding(len(came), number, _trace(came, state))
        for name, after in machine.moves(state):
            if liveness:
                before.setdefault(after, []).append(state)
            if after not in came:
                came[after] = (name, state)
                waiting.append(after)
        if len(came) > limit:
            raise TooLarge(f"more than {limit} states")
    stuck = _stuck(machine, came, before) if liveness else None
    if stuck is not None:
        return Finding(len(came), LIVENESS, _trace(came, stuck))
    return Finding(len(came))


def _stuck(
    machine: Machine[S], came: dict[S, tuple[str, S] | None], before: dict[S, list[S]]
) -> S | None:
    """The nearest state from which no end can be reached."""
    ends = [state for state in came if machine.over(state)]
    live = set(ends)
    while ends:
        for state in before.get(ends.pop(), ()):
            if state not in live:
                live.add(state)
                ends.append(state)
    return next((state for state in came if state not in live), None)


def _trace(came: dict[S, tuple[str, S] | None], state: S) -> tuple[str, ...]:
    names: list[str] = []
    step = came[state]
    while step is not None:
        name, state = step
        names.append(name)
        step = came[state]
    return tuple(reversed(names))
