"""Programs of log operations, written by Hypothesis. `log_referee` runs and judges them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

SUBJECTS = ("control.a", "control.b", "order.a.o1.1", "order.a.o2.1", "verdict.a", "turn.a")
WATCHED = ("control.a", "verdict.a")
FILTERS: tuple[tuple[str, ...], ...] = (
    (),
    ("argos.v1.order.*.*.1",),
    ("argos.v1.control.>", "argos.v1.turn.a"),
)


@dataclass(frozen=True, slots=True)
class Put:
    """One append. `aim`: the sequence its condition names is right, older, or 0."""

    subject: int
    kind: Literal["create", "head", "fence", "free"]
    aim: Literal["right", "older", "zero"] = "right"
    watched: int = 0
    once: int = 0
    large: bool = False
    writer: int = 0


@dataclass(frozen=True, slots=True)
class Together:
    """A batch."""

    puts: tuple[Put, ...]


@dataclass(frozen=True, slots=True)
class Race:
    """The same append by several writers at once."""

    put: Put
    writers: int


@dataclass(frozen=True, slots=True)
class LoseAck:
    """An append whose answer is lost; `again`: its writer tries once more."""

    put: Put
    again: bool


@dataclass(frozen=True, slots=True)
class Ghost:
    """An append that arrives when its writer has given up, at the latest before the next of these."""

    put: Put


@dataclass(frozen=True, slots=True)
class Land:
    """The ghost arrives."""


@dataclass(frozen=True, slots=True)
class Restart:
    """The server ends without warning and starts again."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Another server leads, where there is another; nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read `quarters` of the log again, by one of the filters."""

    quarters: int
    filter: int


@dataclass(frozen=True, slots=True)
class Fill:
    """Fill the log until it refuses."""


Step = Put | Together | Race | LoseAck | Ghost | Land | Restart | HandOver | Read | Fill


def puts(*, large: bool = True) -> st.SearchStrategy[Put]:
    return st.builds(
        Put,
        subject=st.integers(0, len(SUBJECTS) - 1),
        kind=st.sampled_from(["create", "head", "fence", "free"]),
        aim=st.sampled_from(["right", "right", "older", "zero"]),
        watched=st.integers(0, len(WATCHED) - 1),
        once=st.sampled_from([0, 0, 1, 2, 3]),
        large=st.booleans() if large else st.just(value=False),
        writer=st.integers(0, 1),
    )


def programs(
    *, restarts: bool, trouble: bool = True, steps: int = 25
) -> st.SearchStrategy[list[Step]]:
    """Programs of up to `steps` steps. `trouble`: acks are lost and ghosts come."""
    small = puts(large=False)
    # What is drawn often comes often: most steps append.
    kinds: list[st.SearchStrategy[Step]] = [
        *[puts()] * 8,
        *[st.builds(Together, st.lists(small, min_size=1, max_size=4).map(tuple))] * 3,
        *[st.builds(Race, small, st.integers(2, 4))] * 2,
        st.builds(Read, st.integers(0, 4), st.integers(0, len(FILTERS) - 1)),
        st.builds(Fill),
    ]
    if trouble:
        kinds += [
            st.builds(LoseAck, small, st.booleans()),
            st.builds(Ghost, small),
            st.builds(Land),
        ]
    kinds.append(st.builds(HandOver))
    if restarts:
        kinds.append(st.builds(Restart))
    return st.lists(st.one_of(kinds), min_size=3, max_size=steps).map(_affordable)


_DEAR: dict[type, int] = {Restart: 1, Fill: 1, LoseAck: 2, Ghost: 2}
"""What takes its time is done this often in one program."""


def _affordable(steps: list[Step]) -> list[Step]:
    seen: Counter[type] = Counter()
    kept: list[Step] = []
    for step in steps:
        seen[type(step)] += 1
        if seen[type(step)] <= _DEAR.get(type(step), len(steps)):
            kept.append(step)
    return kept
